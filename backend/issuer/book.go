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

// Book remembers which tokens were issued and revoked, for those who ask years later.
type Book interface {
	// Note remembers a token, and its revocation if it was revoked. It may be told twice of the same, in any order.
	Note(ctx context.Context, a *Account, t *Token) error
	// Trim forgets what was to be remembered until now, and returns how much that was.
	Trim(ctx context.Context, now time.Time) (forgotten int, err error)
}

// trimEvery is how often the book is trimmed.
const trimEvery = time.Hour

// maxNotes bounds the notes that wait for a storage that takes them. The oldest are given up first.
const maxNotes = 1024

// Note is what the book is still to be told.
type Note struct {
	Account *Account
	Token   *Token
}

// notes are what the book is to be told. What it does not take is kept and told again later: neither a login nor a revocation
// fails for the book's sake.
type notes struct {
	book   Book
	logger hclog.Logger

	mu sync.Mutex
	// pending are the oldest first, with the one that is being told.
	pending []*Note
	telling bool
	// refused says that the book did not take all when it was last told: then it is asked again only now and then.
	refused bool
}

// add puts tokens with those of which the book is to be told.
func (n *notes) add(account *Account, tokens ...*Token) {
	if n.book == nil || len(tokens) == 0 {
		return
	}
	n.mu.Lock()
	for _, t := range tokens {
		said := slices.ContainsFunc(n.pending, func(other *Note) bool {
			return other.Token.ID == t.ID && other.Token.revocation == t.revocation && other.Account.Name == account.Name
		})
		if !said {
			n.pending = append(n.pending, &Note{Account: account, Token: t.withoutSecrets()})
		}
	}
	extra := max(len(n.pending)-maxNotes, 0)
	n.pending = slices.Delete(n.pending, 0, extra)
	n.mu.Unlock()
	if extra > 0 {
		n.logger.Error("the ledger has not been writable for too long: tokens are missing in it", "tokens", extra)
	}
}

// urgent reports whether the book is to be told now.
func (n *notes) urgent() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pending) > 0 && !n.telling && !n.refused
}

// tell tells the book all that is pending. Where it does not take something, that account's other notes wait as well. It does
// nothing where somebody is telling already: he will come to the new ones too.
func (n *notes) tell(ctx context.Context) {
	n.mu.Lock()
	if n.telling {
		n.mu.Unlock()
		return
	}
	n.telling, n.refused = true, false
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	waiting := make(map[string]error)
	for note := n.next(ctx, waiting); note != nil; note = n.next(ctx, waiting) {
		err := n.book.Note(ctx, note.Account, note.Token)
		if err == nil {
			n.drop(note)
			continue
		}
		if len(waiting) == 0 {
			n.logger.Warn("the ledger could not be written: it will be tried again", "config", note.Account.Name,
				"token_id", note.Token.ID, "error", err)
		}
		waiting[note.Account.Name] = err
	}
}

// next is the oldest note of an account that need not wait; where there is none the telling ends.
func (n *notes) next(ctx context.Context, waiting map[string]error) *Note {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, note := range n.pending {
		if ctx.Err() == nil && waiting[note.Account.Name] == nil {
			return note
		}
	}
	n.telling, n.refused = false, len(n.pending) > 0
	return nil
}

func (n *notes) drop(note *Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = slices.DeleteFunc(n.pending, func(other *Note) bool { return other == note })
}

// waiting reports whether there is anything to be told again.
func (n *notes) waiting() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pending) > 0 && !n.telling
}

// Untold is what the book is still to be told of tokens that match, the last word on each.
func (i *Issuer) Untold(match func(Note) bool) []Note {
	n := &i.notes
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []Note
	for _, note := range slices.Backward(n.pending) {
		known := slices.ContainsFunc(found, func(other Note) bool {
			return other.Token.ID == note.Token.ID && other.Account.Name == note.Account.Name
		})
		if !known && match(*note) {
			found = append(found, *note)
		}
	}
	return found
}

// tellAgain tells the book what it would not take before.
func (i *Issuer) tellAgain() {
	if i.mayLogin() == nil {
		i.notes.tell(i.ctx)
	}
}

// noteNews has the book told of what is news: tokens that were just accepted or revoked, and when an account was loaded all its
// tokens that are out, which makes up for what a crash has kept from being told. It comes after a flight has landed: no reader
// waits for it.
func (i *Issuer) noteNews(e *entry) {
	if i.notes.book == nil {
		return
	}
	e.mu.Lock()
	if e.loaded && !e.booked {
		e.booked = true
		i.notes.add(e.settings, e.out(i.clock())...) // what has expired may have been forgotten by now, and is not to come back
	}
	e.mu.Unlock()
	if i.notes.urgent() {
		i.goWork(func() { i.notes.tell(i.ctx) })
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
