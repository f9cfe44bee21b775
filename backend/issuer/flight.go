// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// storageTimeout bounds one storage operation of a flight, which no request's deadline bounds.
const storageTimeout = 30 * time.Second

// errUnfinished stands for a login of which nobody saw the end, since the process died under it.
var errUnfinished = errors.New("the last login was cut off when the plugin stopped")

// errOvertaken is the outcome of a flight whose account was changed meanwhile: whoever waited asks again.
var errOvertaken = errors.New("the account was changed meanwhile")

// errExpiredOnArrival: waiting for it to get better would be a loop of logins.
var errExpiredOnArrival = &upstream.Error{
	Kind: upstream.Malformed, Op: "login", Detail: "the token had expired, or nearly, when it arrived",
}

// errRevokedAgain: a token that was revoked is handed out no more, whoever brings it.
var errRevokedAgain = &upstream.Error{
	Kind: upstream.Malformed, Op: "login", Detail: "the upstream gave a token again that was revoked here",
}

// errSameAgain: a token that was given before has the life that was left of it.
var errSameAgain = &upstream.Error{
	Kind: upstream.Malformed, Op: "login", Detail: "the upstream gave the same token again, and it has expired, or nearly",
}

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
		return nil, i.save(ctx, e, f, func() {})
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
	if err != nil {
		return err
	}
	record, err := i.store.Load(ctx, e.name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	if !f.superseded {
		e.adopt(settings, record, i.clock(), i.process)
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

// login sends the credentials once and keeps what becomes of it. The steps, each of which leaves the account usable if the
// next one never comes:
//
//  1. note in storage that a login begins, so that a crash in the middle counts as a failure and cannot become a login storm
//  2. log in
//  3. store the new token, or the failure and its pause
//  4. serve it
func (i *Issuer) login(ctx context.Context, e *entry, f *flight, settings *Account) (*served, error) {
	if err := i.mayLogin(); err != nil {
		return nil, err
	}
	client, err := i.clientOf(e, f)
	if err != nil {
		return nil, err
	}
	if err := i.noteAttempt(ctx, e, f); err != nil {
		return nil, err
	}
	began := i.clock()
	up, err := client.Login(ctx)
	took := i.clock().Elapsed - began.Elapsed
	if ctx.Err() != nil {
		return nil, i.cancelled()
	}
	var token *Token
	if err == nil {
		token = fromUpstream(up, began, settings.Generation, f.reason).clamp(settings.Upstream.MaxTokenTTL)
		if !token.alive(i.clock()) {
			token, err = nil, errExpiredOnArrival
		}
	}
	var issued *served
	var count *counter
	cause := err
	saveErr := i.save(ctx, e, f, func() {
		now := i.clock()
		f.attempt, count = nil, e.counted()
		if err == nil {
			token, err = e.judge(token, now)
		}
		cause = err
		if err != nil {
			e.lastLogin = now.Wall
			e.logins++
			e.failures++
			e.failure = e.fail(err, f.reason, now, settings)
			e.doubt(settings, err)
			e.publish()
			err = &LoginError{Failure: *e.failure}
			return
		}
		i.notes.add(e.settings, token) // before any reader has it, and can ask what it is
		e.accept(token, now)
		// Newer settings of the same generation may have come meanwhile: they go with the new token.
		if !e.settings.Paused {
			issued = newServed(e.settings, e.current)
		}
	})
	if count == nil {
		i.logger.Info("a login was overtaken by a change of its config: what it brought is not used", "config", e.name,
			"reason", f.reason, "duration", rounded(took))
		return nil, i.cancelled()
	}
	i.countLogin(count, f.reason, took, cause)
	if failed, ok := errors.AsType[*LoginError](err); ok {
		i.logFailure(e.name, f.reason, took, failed)
	} else {
		i.logger.Info("logged in upstream", "config", e.name, "reason", f.reason, "token_id", token.ID,
			"expires_at", token.ExpiresAt.Format(time.RFC3339), "duration", rounded(took))
	}
	if saveErr != nil {
		// The readers are served all the same: refusing a good token would help nobody. A restart will cost one login more.
		i.logger.Warn("the shared token could not be stored: a restart will log in again",
			"config", e.name, "error", saveErr)
	}
	if err == nil && issued == nil {
		return nil, errOvertaken // paused meanwhile
	}
	return issued, err
}

// fail is the failure that a login leaves behind. A forced one that fails in a pause changes the reason and not the pause:
// trying by hand must not push the engine's own next attempt away. Callers hold e.mu.
func (e *entry) fail(err error, reason Reason, now Reading, settings *Account) *Failure {
	failure := newFailure(err, e.failure, now, settings, settings.life(e.current))
	if reason == ReasonForced && e.failure.paused(now) {
		failure.Step, failure.NextAttempt = e.failure.Step, e.failure.NextAttempt
	}
	return failure
}

// doubt marks the token of an exclusive account when a login failed in a way that the upstream may have taken for a success:
// then that token is dead. Callers hold mu.
func (e *entry) doubt(a *Account, err error) {
	if a.exclusive() && e.current != nil && maybeLoggedIn(err) {
		e.suspect = true
	}
}

// maybeLoggedIn reports whether the upstream may have logged in although the login failed here.
func maybeLoggedIn(err error) bool {
	failed, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		return true
	}
	switch failed.Kind {
	case upstream.Malformed:
		return true
	case upstream.Unavailable:
		return failed.Cause != upstream.CauseDNS && failed.Cause != upstream.CauseTLS
	default:
		return false
	}
}

// setRight corrects the token's times after the wall clock was set back, and starts to store them. It returns nil where nothing
// is wrong, or where a flight is under way, whose end will store them. Callers hold e.mu.
func (i *Issuer) setRight(e *entry, now Reading) *flight {
	if e.current == nil {
		return nil
	}
	right, wrong := e.current.setRight(now)
	if !wrong {
		return nil
	}
	e.current = right
	e.publish()
	i.plan(e)
	if e.flight != nil || i.mayLogin() != nil {
		return nil
	}
	return i.start(e, reasonStore, false)
}

// noteAttempt stores that a login begins.
func (i *Issuer) noteAttempt(ctx context.Context, e *entry, f *flight) error {
	return i.save(ctx, e, f, func() {
		f.attempt = &StoredAttempt{
			BeganAt: i.clock().Wall, Process: i.process, Exclusive: e.settings != nil && e.settings.exclusive(),
		}
	})
}

// revoked reports whether the token of that ID was revoked. Callers hold e.mu.
func (e *entry) revoked(id string) bool {
	return slices.ContainsFunc(e.superseded, func(t *Token) bool { return t.ID == id && t.revocation != "" })
}

// accept replaces the current token by the one that a login has brought. Callers hold mu.
func (e *entry) accept(token *Token, now Reading) {
	if e.current != nil && e.current.ID == token.ID {
		e.current = nil // it is no former token
	}
	e.retire(now)
	e.failure = nil
	e.take(token, now)
}

// judge looks at a token that a login has brought in the light of those that were known before. Callers hold mu.
func (e *entry) judge(token *Token, now Reading) (*Token, error) {
	e.quietUntil = 0
	if e.revoked(token.ID) {
		return nil, errRevokedAgain
	}
	if e.current == nil || e.current.ID != token.ID {
		return token, nil
	}
	// The upstream gave the same token a second time, which prolongs no life. To ask at once for another would be a loop of
	// logins.
	e.quietUntil = now.Elapsed + max(longestPause, token.Life()/pauseShare)
	if e.current.ExpiresAt.Before(token.ExpiresAt) {
		kept := *token
		kept.IssuedAt, kept.ExpiresAt, kept.elapsed = e.current.IssuedAt, e.current.ExpiresAt, e.current.elapsed
		token = &kept
	}
	if !token.alive(now) {
		return nil, errSameAgain
	}
	return token, nil
}

// take makes a token that was just got the current one. Callers hold mu.
func (e *entry) take(token *Token, now Reading) {
	e.current, e.lastLogin = token, now.Wall
	e.counted()
	e.skew, e.skewKnown = token.skew, token.skewKnown
	e.logins++
	e.publish()
}

// save applies change to the entry and writes its record, in this order and unless the flight is of the past. Records are
// written one after the other, so that the last one written is the last one that was true.
func (i *Issuer) save(ctx context.Context, e *entry, f *flight, change func()) error {
	e.storing.Lock()
	defer e.storing.Unlock()
	e.mu.Lock()
	if f.superseded {
		e.mu.Unlock()
		return nil
	}
	change()
	record := e.record()
	e.mu.Unlock()
	return i.put(ctx, e, record)
}

// put writes an entry's record even if what it is about was cancelled meanwhile: half a truth is worse than none. Callers hold
// e.storing.
func (i *Issuer) put(ctx context.Context, e *entry, record *Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storageTimeout)
	defer cancel()
	err := i.store.Save(ctx, e.name, record)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unsaved = err != nil
	return err
}

// clientOf returns the entry's client, made when it is first needed: an account that nobody reads costs no connection.
func (i *Issuer) clientOf(e *entry, f *flight) (upstream.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.superseded {
		return nil, errOvertaken
	}
	if e.client != nil {
		return e.client, nil
	}
	client, err := i.newClient(e.settings)
	if err != nil {
		return nil, fmt.Errorf("the stored settings cannot be used: %w", err)
	}
	e.client = client
	return client, nil
}

// cancelled is the error of work that was cut off: by Stop, or by a change of the account, after which all ask anew.
func (i *Issuer) cancelled() error {
	if i.ctx.Err() != nil {
		return ErrStopped
	}
	return errOvertaken
}

// logFailure says that a login failed. That credentials were refused needs somebody to act, unless who sent them was told.
func (i *Issuer) logFailure(name string, reason Reason, took time.Duration, failed *LoginError) {
	level := hclog.Warn
	if failed.refused() && reason != ReasonVerification {
		level = hclog.Error
	}
	i.logger.Log(level, "login failed", "config", name, "reason", reason, "kind", failed.Kind, "cause", failed.Cause,
		"error", failed.Message, "consecutive_failures", failed.Consecutive,
		"next_attempt_at", failed.NextAttempt.Format(time.RFC3339), "duration", rounded(took))
}

// rounded is a duration as log lines have it.
func rounded(d time.Duration) string { return d.Round(time.Millisecond).String() }
