// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

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
		f.replaced = e.latest()
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

// noteAttempt stores that a login begins.
func (i *Issuer) noteAttempt(ctx context.Context, e *entry, f *flight) error {
	return i.save(ctx, e, f, func() {
		f.attempt = &StoredAttempt{
			BeganAt: i.clock().Wall, Process: i.process, Exclusive: e.settings != nil && e.settings.exclusive(),
		}
	})
}

// judge looks at a token that a login has brought in the light of those that were known before. Callers hold mu.
func (e *entry) judge(token *Token, now Reading) (*Token, error) {
	e.quietUntil = 0
	if e.revoked(token.ID) {
		return nil, errRevokedAgain
	}
	given := e.known(token.ID)
	if given == nil {
		return token, nil
	}
	given, _ = given.setRight(now) // a former one may date from a clock that was set back since
	// The upstream gave the same token a second time, which prolongs no life. To ask at once for another would be a loop of
	// logins.
	e.quietUntil = now.Elapsed + max(longestPause, token.Life()/pauseShare)
	if given.ExpiresAt.Before(token.ExpiresAt) {
		kept := *token
		kept.IssuedAt, kept.ExpiresAt, kept.elapsed = given.IssuedAt, given.ExpiresAt, given.elapsed
		// What the settings say of a token's life may have been put right since.
		if end := given.IssuedAt.Add(token.Life()); end.After(kept.ExpiresAt) {
			kept.ExpiresAt = end
		}
		token = &kept
	}
	if !token.alive(now) {
		return nil, errSameAgain
	}
	return token, nil
}

// known is the token of that ID if it was given before: it may be a former one, since a change of the settings supersedes the
// token that is out. Callers hold e.mu.
func (e *entry) known(id string) *Token {
	if e.current != nil && e.current.ID == id {
		return e.current
	}
	if n := slices.IndexFunc(e.superseded, func(t *Token) bool { return t.ID == id }); n >= 0 {
		return e.superseded[n]
	}
	return nil
}

// revoked reports whether the token of that ID was revoked. Callers hold e.mu.
func (e *entry) revoked(id string) bool {
	return slices.ContainsFunc(e.superseded, func(t *Token) bool { return t.ID == id && t.revocation != "" })
}

// accept replaces the current token by the one that a login has brought. Callers hold mu.
func (e *entry) accept(token *Token, now Reading) {
	e.retire(now)
	e.failure = nil
	e.take(token, now)
}

// take makes a token that was just got the current one. Callers hold mu.
func (e *entry) take(token *Token, now Reading) {
	e.superseded = slices.DeleteFunc(e.superseded, func(t *Token) bool { return t.ID == token.ID }) // it is no former token
	e.current, e.lastLogin = token, now.Wall
	e.counted()
	e.skew, e.skewKnown = token.skew, token.skewKnown
	e.logins++
	e.publish()
}

// fail is the failure that a login leaves behind. A forced one that fails in a pause changes the reason and not the pause:
// trying by hand must not push the engine's own next attempt away. But where it finds out that credentials are refused, the pause
// of an outage would have them sent again within a minute. Callers hold e.mu.
func (e *entry) fail(err error, reason Reason, now Reading, settings *Account) *Failure {
	failure := newFailure(err, e.failure, now, settings, settings.life(e.current))
	if reason == ReasonForced && e.failure.paused(now) && e.failure.refused() == failure.refused() {
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
