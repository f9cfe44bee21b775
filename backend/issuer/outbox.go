// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

// Ledger remembers which tokens were issued and revoked, for questions that come years later.
type Ledger interface {
	// Note remembers a token of a config for keep after it has expired, and its revocation if it was revoked. It may be sent twice
	// of the same, in any order.
	Note(ctx context.Context, config string, t *Token, keep time.Duration) error
	// Trim forgets what was to be remembered until now, and returns how much that was.
	Trim(ctx context.Context, now time.Time) (forgotten int, err error)
}

const (
	// trimEvery is how often the ledger is trimmed.
	trimEvery = time.Hour
	// noteTimeout bounds what is read to note one token. The ledger's writes have no bound, as those of records.
	noteTimeout = 30 * time.Second
)

// noLedger is for an Issuer without one.
type noLedger struct{}

func (noLedger) Note(context.Context, string, *Token, time.Duration) error { return nil }

func (noLedger) Trim(context.Context, time.Time) (int, error) { return 0, nil }

// outbox sends the ledger what the accounts have in their outboxes. These are stored with the tokens themselves, so nothing is
// lost by a crash, however many log in at once.
type outbox struct {
	issuer *Issuer
	ledger Ledger

	mu      sync.Mutex
	waiting []*worker
	queued  map[*worker]bool // those that wait
	sending bool
	// refused says that storage would not take something. It is tried again with the next sweep.
	refused bool
}

// add queues an account whose entries are to be sent. It waits for nothing.
func (o *outbox) add(w *worker) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.queued[w] {
		o.queued[w] = true
		o.waiting = append(o.waiting, w)
	}
	if !o.sending && !o.refused {
		o.sending = o.issuer.goWork(o.send)
	}
}

// retry sends again what the ledger did not take.
func (o *outbox) retry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = false
}

func (o *outbox) next() *worker {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || o.refused || o.issuer.ctx.Err() != nil {
		o.sending = false
		return nil
	}
	w := o.waiting[0]
	o.waiting = o.waiting[1:]
	delete(o.queued, w)
	return w
}

// send sends the ledger the entries of one account after the other.
func (o *outbox) send() {
	for w := o.next(); w != nil; w = o.next() {
		o.issuer.guard(func() {
			if sent := o.sendOf(w); len(sent) > 0 {
				w.apply(account.Sent{Entries: sent}, true)
			}
		})
	}
}

// sendOf sends the ledger the entries of one account, and returns what it has taken. What it has not stays in the outbox until
// the next sweep: a damaged page stops nothing but what belongs there, and a storage that fails stops all.
func (o *outbox) sendOf(w *worker) (sent []account.OutboxEntry) {
	s, _ := w.look()
	for _, e := range s.Outbox {
		err := errPanic
		o.issuer.guard(func() {
			ctx, cancel := context.WithTimeout(o.issuer.ctx, noteTimeout)
			defer cancel()
			err = o.ledger.Note(ctx, w.name, e.Token, e.Keep)
		})
		switch {
		case err == nil:
			sent = append(sent, e)
			continue
		case o.issuer.ctx.Err() != nil:
			return sent
		}
		o.issuer.logger.Warn("the ledger could not be written: it will be tried again", "config", w.name, "token_id", e.Token.ID,
			"error", err)
		if !stored.IsDamaged(err) {
			o.mu.Lock()
			o.refused = true
			o.mu.Unlock()
			return sent
		}
	}
	return sent
}

// Unread returns the accounts of which storage has a record and does not give it; ok is false until all were asked for at start.
// Unsent does not know the entries of those.
func (i *Issuer) Unread() (names []string, ok bool) {
	unread := i.unread.Load()
	if unread == nil {
		return nil, false
	}
	return *unread, true
}

// Unsent is an entry that the ledger does not have yet, and how long it is kept after the token expires.
type Unsent struct {
	Config string
	Token  *Token
	Keep   time.Duration
}

// Unsent returns what the ledger does not have yet, the latest entry of each token: of the config of that name, or of all where
// it is "".
func (i *Issuer) Unsent(config string) []Unsent {
	var found []Unsent
	add := func(w *worker) {
		s, _ := w.look()
		for _, o := range slices.Backward(s.Outbox) {
			if !slices.ContainsFunc(found, func(u Unsent) bool { return u.Config == w.name && u.Token.ID == o.Token.ID }) {
				found = append(found, Unsent{w.name, o.Token, o.Keep})
			}
		}
	}
	if config != "" {
		if w, ok := i.workers.of(config); ok {
			add(w)
		}
		return found
	}
	for _, value := range i.unsent.Range {
		add(value.(*worker)) //nolint:forcetypeassert // the map holds nothing else
	}
	return found
}

// trimLedger trims the ledger now and then, until ctx ends.
func (i *Issuer) trimLedger(ctx context.Context) {
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
		now, steps := i.now()
		forgotten, err := 0, errPanic
		i.guard(func() { forgotten, err = i.outbox.ledger.Trim(ctx, steps.SurelyPast(now)) })
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
