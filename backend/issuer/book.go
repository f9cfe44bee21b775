// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Book remembers which tokens were issued and revoked, for those who ask years later. Both may be told twice of the same.
type Book interface {
	Issued(ctx context.Context, a *Account, t *Token) error
	Revoked(ctx context.Context, account string, r Revocation, at time.Time) error
	// Trim forgets what was to be remembered until now, and returns how much that was.
	Trim(ctx context.Context, now time.Time) (forgotten int, err error)
}

// trimEvery is how often the book is trimmed.
const trimEvery = time.Hour

// maxNotes bounds the notes that wait for a storage that takes them. The oldest are given up first.
const maxNotes = 1024

// note is what the book is still to be told.
type note struct {
	account *Account
	token   *Token
	revoked *Revocation
	at      time.Time
}

// notes tells the book. What it does not take is kept and told again later: neither a login nor a revocation fails for the book's
// sake.
type notes struct {
	book   Book
	logger hclog.Logger

	mu      sync.Mutex
	pending []note
	telling bool
}

// tell tells the book now or, where it would not take what came before, after that.
func (n *notes) tell(ctx context.Context, what ...note) {
	if n.book == nil {
		return
	}
	n.mu.Lock()
	behind := n.telling || len(n.pending) > 0
	if behind {
		n.keep(what)
	}
	n.mu.Unlock()
	if !behind {
		n.try(ctx, what)
	}
}

// try tells the book until it takes no more, and keeps the rest.
func (n *notes) try(ctx context.Context, what []note) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	for k, one := range what {
		err := n.write(ctx, one)
		if err == nil {
			continue
		}
		n.mu.Lock()
		n.pending = slices.Concat(what[k:], n.pending)
		n.keep(nil)
		n.mu.Unlock()
		n.logger.Warn("the ledger could not be written: it will be tried again", "config", one.account.Name,
			"token_id", one.token.ID, "error", err)
		return
	}
}

func (n *notes) write(ctx context.Context, one note) error {
	if one.revoked != nil {
		return n.book.Revoked(ctx, one.account.Name, *one.revoked, one.at)
	}
	return n.book.Issued(ctx, one.account, one.token)
}

// keep puts notes off. Callers hold mu.
func (n *notes) keep(what []note) {
	n.pending = append(n.pending, what...)
	if extra := len(n.pending) - maxNotes; extra > 0 {
		n.pending = slices.Delete(n.pending, 0, extra)
	}
}

// waiting reports whether there is anything to be told again.
func (n *notes) waiting() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pending) > 0 && !n.telling
}

// tellAgain tells the book what it would not take before. It does nothing where that is going on already.
func (i *Issuer) tellAgain(ctx context.Context) {
	if i.mayLogin() != nil {
		return
	}
	n := &i.notes
	n.mu.Lock()
	what := n.pending
	if n.telling || len(what) == 0 {
		n.mu.Unlock()
		return
	}
	n.pending, n.telling = nil, true
	n.mu.Unlock()
	n.try(ctx, what)
	n.mu.Lock()
	n.telling = false
	n.mu.Unlock()
}

// noteIssued tells the book of the token that a flight brought or, where it brought none, of the current one: after a restart
// that makes up for what a crash has kept from being told. It comes after the flight has landed: no reader waits for it.
func (i *Issuer) noteIssued(ctx context.Context, e *entry, issued *served) {
	if i.notes.book == nil {
		return
	}
	e.mu.Lock()
	if issued == nil && e.loaded && e.current != nil {
		issued = newServed(e.settings, e.current)
	}
	news := issued != nil && issued.token.ID != e.noted
	if news {
		e.noted = issued.token.ID
	}
	e.mu.Unlock()
	if news {
		i.notes.tell(ctx, note{account: issued.account, token: issued.token})
	}
}

// trimBook trims the book now and then, until ctx ends.
func (i *Issuer) trimBook(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if i.mayLogin() != nil {
			continue
		}
		forgotten, err := i.notes.book.Trim(ctx, i.clock().Wall)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			i.logger.Warn("the ledger could not be trimmed: it will be tried again", "error", err, "forgotten", forgotten)
		case forgotten > 0:
			i.logger.Info("trimmed the ledger", "forgotten", forgotten)
		}
	}
}
