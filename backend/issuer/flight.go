// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// storageTimeout bounds one storage operation of a flight, which no request's deadline bounds.
const storageTimeout = 30 * time.Second

// errUnfinished stands for a login of which nobody saw the end, since the process died under it.
var errUnfinished = errors.New("the last login was cut off when the plugin stopped")

// errOvertaken is the outcome of a flight whose account was changed meanwhile: whoever waited asks again.
var errOvertaken = errors.New("the account was changed meanwhile")

// flight is one piece of work for an account, which many readers may wait for: to load it from storage, to log in, or one
// after the other. The outcome is set before done is closed and never changes after that.
type flight struct {
	done   chan struct{}
	cancel context.CancelFunc
	began  Reading
	reason Reason
	// attempt is what storage knows of the login under way; nil before and after. It is guarded by entry.mu.
	attempt *StoredAttempt
	// slot is true where the flight holds one of Issuer.slots.
	slot bool

	// superseded is set under entry.mu before the flight lands: the account was changed, so the outcome is about the past.
	superseded bool
	// issued is what the login brought; nil where err is set, or where nothing but loading was done.
	issued *served
	err    error
	// replaced is the token that was the latest before; nil where there was none.
	replaced *Token
}

// overtaken reports, once the flight has landed, whether its outcome is about the past.
func (f *flight) overtaken() bool { return errors.Is(f.err, errOvertaken) }

// start begins a flight. The caller holds e.mu and has made sure that there is none.
func (i *Issuer) start(e *entry, reason Reason, slot bool) *flight {
	ctx, cancel := context.WithCancel(i.ctx)
	f := &flight{done: make(chan struct{}), cancel: cancel, began: i.clock(), reason: reason, slot: slot}
	e.flight = f
	if !i.goWork(func() { i.fly(ctx, e, f) }) {
		cancel()
		e.flight, f.err = nil, ErrStopped
		close(f.done)
	}
	return f
}

// fly runs the flight and hands its outcome to all that wait.
func (i *Issuer) fly(ctx context.Context, e *entry, f *flight) {
	issued, err := i.runSafely(ctx, e, f)
	e.mu.Lock()
	f.issued, f.err = issued, err
	if f.superseded && i.ctx.Err() == nil {
		f.issued, f.err = nil, errOvertaken
	}
	if e.flight == f {
		e.flight = nil
		e.meet(f.err, i.clock())
		if e.obstacle != nil {
			e.unmade(f.reason)
		}
	}
	i.plan(e)
	e.mu.Unlock()
	i.logObstacle(e.name, f)
	f.cancel()
	if f.slot {
		<-i.slots
		i.queue.signal()
	}
	close(f.done)
	i.noteNews(e)
}

// unmade takes back that a login was made for a reason for which one is made only now and then: whoever asks again is not to be
// answered with the old token. Callers hold mu.
func (e *entry) unmade(reason Reason) {
	switch reason {
	case ReasonForced:
		e.lastForced = time.Time{}
	case ReasonRejected:
		e.lastRejected = time.Time{}
	default:
	}
}

// runSafely keeps a defect in one account's flight from ending the process, and with it every mount that lives there.
func (i *Issuer) runSafely(ctx context.Context, e *entry, f *flight) (issued *served, err error) {
	defer func() {
		if p := recover(); p != nil {
			// The value of a panic may hold anything; its type and the stack are enough to mend it.
			i.logger.Error("a login ended in a panic: please report this", "config", e.name,
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("internal error: see the server log")
		}
	}()
	if err := i.load(ctx, e, f); err != nil {
		return nil, err
	}
	if f.reason == reasonStore {
		return nil, i.saveAgain(ctx, e, f)
	}
	settings, wanted := i.board(e, f)
	if !wanted {
		return nil, nil //nolint:nilnil // nothing but loading was to be done
	}
	if err := i.waitForLeases(ctx, e, f); err != nil {
		return nil, err
	}
	return i.login(ctx, e, f, settings)
}

// logObstacle says what kept a flight from logging in: nobody else would where no reader waits.
func (i *Issuer) logObstacle(name string, f *flight) {
	_, failed := errors.AsType[*LoginError](f.err)
	if f.err == nil || failed || f.overtaken() || errors.Is(f.err, ErrNoAccount) || errors.Is(f.err, ErrStopped) {
		return
	}
	i.logger.Warn("no login could be begun: it will be tried again", "config", name, "reason", f.reason, "error", f.err)
}

// load reads what storage knows of the account, unless that was done before.
func (i *Issuer) load(ctx context.Context, e *entry, f *flight) error {
	e.mu.Lock()
	loaded := e.loaded
	e.mu.Unlock()
	if loaded {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	settings, err := i.source.Account(ctx, e.name)
	if errors.Is(err, ErrNoAccount) {
		i.owed.Delete(e.name) // its tokens went with it
	}
	if err != nil {
		return err
	}
	record, err := i.record(ctx, e.name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	if !f.superseded {
		i.adopt(e, settings, record)
	}
	e.mu.Unlock()
	if record == nil || record.Attempt == nil || i.mayLogin() != nil {
		return nil
	}
	if record.Attempt.Process != i.process {
		i.logger.Warn("a login was cut off when the plugin stopped: it counts as failed", "config", e.name,
			"began_at", record.Attempt.BeganAt.Format(time.RFC3339))
	}
	// The login that was cut off has been counted: the next start must not count it again, and begin its pause anew.
	if err := i.save(ctx, e, f, func() {}); err != nil {
		i.logger.Warn("that a login was cut off could not be stored", "config", e.name, "error", err)
	}
	return nil
}

// board decides, once the account is loaded, whether the flight goes on to log in.
func (i *Issuer) board(e *entry, f *flight) (*Account, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := i.clock()
	if f.superseded || e.settings.Paused {
		return nil, false
	}
	switch f.reason {
	case reasonRestore:
		return nil, false
	case ReasonForced:
		return e.settings, true
	case ReasonRejected, ReasonRotation:
		return e.settings, !e.held(now)
	default:
		f.reason = e.readReason() // only now is known what storage has
		return e.settings, !e.live(now) && !e.failure.paused(now)
	}
}

// waitForLeases holds back the login of an exclusive account for the second in which the old token is too short for a new
// lease while the last leases on it still run.
func (i *Issuer) waitForLeases(ctx context.Context, e *entry, f *flight) error {
	e.mu.Lock()
	hold := time.Duration(0)
	impatient := f.reason == ReasonForced || f.reason == ReasonRejected
	if !f.superseded && !impatient && e.settings.exclusive() && e.current != nil && !e.suspect {
		hold = e.current.Remaining(i.clock()) - Margin
	}
	e.mu.Unlock()
	if hold <= 0 {
		return nil
	}
	timer := time.NewTimer(min(hold, minLife))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return i.cancelled()
	}
}

// cancelled is the error of work that was cut off: by Stop, or by a change of the account, after which all ask anew.
func (i *Issuer) cancelled() error {
	if i.ctx.Err() != nil {
		return ErrStopped
	}
	return errOvertaken
}
