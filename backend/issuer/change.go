// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// maxTrials bounds the verifications whose failure is remembered.
const maxTrials = 1024

// trial is a login that was tried under a name.
type trial struct {
	name  string
	login [sha256.Size]byte
}

// trials remembers failed verifications, so that the same refused secrets are not sent again and again
// by whoever keeps pressing the button.
type trials struct {
	mu     sync.Mutex
	failed map[trial]*Failure
}

func (t *trials) get(name string, login [sha256.Size]byte) *Failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed[trial{name, login}]
}

func (t *trials) set(name string, login [sha256.Size]byte, f *Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tried := trial{name, login}
	if f == nil {
		delete(t.failed, tried)
		return
	}
	if t.failed == nil {
		t.failed = make(map[trial]*Failure)
	}
	if _, known := t.failed[tried]; !known && len(t.failed) >= maxTrials {
		for other := range t.failed { // any will do: this many wrong logins are no tired person's
			delete(t.failed, other)
			break
		}
	}
	t.failed[tried] = f
}

// Verify logs in with settings that are not stored yet, and calls commit with the token that this gives, for it to store the
// settings and to call Update. A login that failed is not tried again in its pause: the answer comes from memory.
//
// Until commit has returned this is the account's one login in flight: readers without a token wait for what becomes of it.
func (i *Issuer) Verify(ctx context.Context, a *Account, commit func(*Token) error) error {
	login := fingerprint(&a.Upstream)
	before := i.trials.get(a.Name, login)
	if before.paused(i.clock()) {
		return &LoginError{Failure: *before, Remembered: true}
	}
	if err := i.mayLogin(); err != nil {
		return err
	}
	e, f, err := i.occupy(ctx, a.Name)
	if err != nil {
		return err
	}
	defer i.release(e, f)
	if err := i.load(ctx, e, f); err != nil && !errors.Is(err, ErrNoAccount) {
		return err
	}
	if err := i.noteAttempt(ctx, e, f); err != nil {
		return err
	}
	began := i.clock()
	token, err := i.try(ctx, a, before)
	took, tried := i.clock().Elapsed-began.Elapsed, err
	if err == nil {
		i.trials.set(a.Name, login, nil)
		err = commit(token)
	} else if failed, ok := errors.AsType[*LoginError](err); ok {
		i.trials.set(a.Name, login, &failed.Failure)
	}
	i.countVerification(e, took, tried)
	if err != nil {
		i.undo(ctx, e, f, err)
	}
	return err
}

// undo clears the note of a verification that led to nothing. The account is as it was, but for the token of an exclusive one
// that the login may have killed.
func (i *Issuer) undo(ctx context.Context, e *entry, f *flight, failed error) {
	e.mu.Lock()
	known := e.loaded && !e.dead
	e.mu.Unlock()
	var err error
	if known {
		err = i.save(ctx, e, f, func() {
			f.attempt = nil
			e.doubt(e.settings, errors.Unwrap(failed))
			e.publish()
		})
	} else {
		err = i.store.Delete(context.WithoutCancel(ctx), e.name)
	}
	if err != nil {
		i.logger.Warn("the note of a verification could not be cleared", "config", e.name, "error", err)
	}
}

// try logs in with settings that are not stored yet.
func (i *Issuer) try(ctx context.Context, a *Account, before *Failure) (*Token, error) {
	client, err := i.newClient(a)
	if err != nil {
		return nil, err
	}
	// Detached from the request: an operator who hangs up must not leave it open whether the login counted.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(i.ctx, cancel)()

	began := i.clock()
	up, err := client.Login(ctx)
	if i.ctx.Err() != nil {
		return nil, ErrStopped
	}
	now := i.clock()
	took := now.Elapsed - began.Elapsed
	if err == nil {
		token := fromUpstream(up, began, a.Generation, ReasonVerification).clamp(a.Upstream.MaxTokenTTL)
		if token.alive(now) {
			i.logger.Info("verified the login", "config", a.Name, "token_id", token.ID,
				"expires_at", token.ExpiresAt.Format(time.RFC3339), "duration", rounded(took))
			return token, nil
		}
		err = errExpiredOnArrival
	}
	failed := &LoginError{Failure: *newFailure(err, before, now, a, a.life(nil)), err: err}
	i.logFailure(a.Name, ReasonVerification, took, failed)
	return nil, failed
}

// occupy makes an empty flight the account's only one, once the one under way has landed.
func (i *Issuer) occupy(ctx context.Context, name string) (*entry, *flight, error) {
	for {
		e := i.entry(name)
		e.mu.Lock()
		under := e.flight
		if under == nil && !e.dead {
			f := &flight{done: make(chan struct{}), cancel: func() {}, began: i.clock(), reason: ReasonVerification}
			e.flight = f
			e.mu.Unlock()
			return e, f, nil
		}
		e.mu.Unlock()
		if under == nil {
			continue
		}
		if _, err := under.wait(ctx, 0); err != nil {
			return nil, nil, err
		}
	}
}

// release ends what occupy began: whoever waited asks again.
func (i *Issuer) release(e *entry, f *flight) {
	e.mu.Lock()
	f.err = errOvertaken
	if e.flight == f {
		e.flight = nil
		i.plan(e)
		if !e.loaded && !e.dead {
			i.drop(e) // nothing was stored under this name
		}
	}
	e.mu.Unlock()
	close(f.done)
}

// Update takes over settings that were just stored. Where their generation is new, all that is known of the account begins
// anew with token, which may be nil: what is in flight is overtaken, and its readers wait for what comes next.
//
// The settings are in force already, whatever Update returns: an error means that the token could not be stored.
func (i *Issuer) Update(ctx context.Context, a *Account, token *Token) error {
	if token != nil {
		i.notes.add(a, token) // before any reader has it, and can ask what it is
	}
	for {
		e := i.entry(a.Name)
		done, err := i.update(ctx, e, a, token)
		if done || err != nil {
			i.noteNews(e)
			return err
		}
	}
}

func (i *Issuer) update(ctx context.Context, e *entry, a *Account, token *Token) (bool, error) {
	e.storing.Lock()
	defer e.storing.Unlock()
	old, err := i.oldRecord(ctx, e)
	if err != nil {
		i.Forget(e.name) // a load under way may have read the settings before they were stored
		return true, err
	}
	e.mu.Lock()
	if e.dead {
		e.mu.Unlock()
		return false, nil
	}
	if !e.loaded {
		// A load under way may have read the settings before they were stored.
		e.supersede()
		before := *a
		before.Generation = ""
		if old != nil {
			before.Generation = old.Generation
		}
		i.adopt(e, &before, old)
	}
	if e.settings.Generation == a.Generation && token == nil {
		// The account stays the same, and so do its token and its login in flight.
		e.settings = a
		e.closeClient()
		e.publish()
		i.plan(e)
		if old == nil || old.Attempt == nil {
			e.mu.Unlock()
			return true, nil
		}
		// A login that was cut off has just been counted, and must not be counted again.
	} else {
		i.begin(e, a, token)
	}
	record := e.record()
	e.mu.Unlock()
	return true, i.put(ctx, e, record)
}

// begin starts an account anew under another generation. Callers hold e.mu.
func (i *Issuer) begin(e *entry, a *Account, token *Token) {
	now := i.clock()
	e.supersede()
	e.retire(now)
	if refreshTarget(&e.settings.Upstream) != refreshTarget(&a.Upstream) {
		e.dropRefresh()
	}
	// Only other credentials, or a login that succeeds, are a way around the pause of refused ones. The time alone does not tell:
	// the clock may have been set back since.
	others := !a.CredentialsUpdatedAt.Equal(e.settings.CredentialsUpdatedAt)
	e.settings = a
	if !e.failure.refused() || others || a.CredentialsUpdatedAt.After(e.failure.At) {
		e.failure = i.trials.get(a.Name, fingerprint(&a.Upstream))
	}
	if token != nil {
		e.failure = nil
		// A token that is not to be handed out again is left, and the next reader logs in.
		if judged, err := e.judge(token, now); err == nil {
			e.take(judged, now)
		}
	}
	e.closeClient()
	e.publish()
	i.plan(e)
}

// oldRecord reads what storage knows of an account that is not in memory, for the tokens of it that are out.
func (i *Issuer) oldRecord(ctx context.Context, e *entry) (*Record, error) {
	e.mu.Lock()
	loaded := e.loaded
	e.mu.Unlock()
	if loaded {
		return nil, nil //nolint:nilnil // nothing to read
	}
	return i.record(ctx, e.name)
}

// Remove forgets an account whose config was just deleted. Readers in flight find out that it is gone.
func (i *Issuer) Remove(ctx context.Context, name string) error {
	e := i.entry(name)
	e.storing.Lock()
	defer e.storing.Unlock()
	e.mu.Lock()
	if e.failure.refused() && e.settings != nil {
		// Deleting a config and writing it again must not be a way around the pause of refused credentials.
		i.trials.set(name, fingerprint(&e.settings.Upstream), e.failure)
	}
	i.drop(e)
	e.mu.Unlock()
	i.tallies.Delete(name)
	i.counters.forget(name)
	i.owed.Delete(name)
	return i.store.Delete(ctx, name)
}

// Forget drops what memory knows of an account that another node has changed, or of which nobody knows what storage holds.
func (i *Issuer) Forget(name string) {
	value, ok := i.entries.Load(name)
	if !ok {
		return
	}
	e := value.(*entry) //nolint:forcetypeassert // the map holds nothing else
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.dead {
		i.tallies.Store(name, e.tally)
	}
	if e.loaded && !e.settled() {
		i.owed.Store(name, e.record())
	}
	i.drop(e)
}
