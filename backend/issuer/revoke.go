// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// ChangeWait is how long a request that changes an account takes at most. What storage and upstream have not taken by then goes
// on in the background.
const ChangeWait = 28 * time.Second

// changing marks the context of a change.
type changing struct{}

// Outlasting is for a change that counts although its caller hangs up. It ends after ChangeWait, since sealing and step-down wait
// for the request: the steps of one change have that time together.
func Outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Value(changing{}) != nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithValue(context.WithoutCancel(ctx), changing{}, true), ChangeWait)
}

// Revocation is the result of the revocation of one token.
type Revocation struct {
	TokenID    string
	Upstream   Outcome
	ValidUntil time.Time
	// Why is why the upstream has not revoked the token, as far as it was asked in time; else "".
	Why string
	// Stored says that storage has taken the revocation: until it has, a restart would bring the token back.
	Stored bool
}

// Revoke takes the account's unexpired tokens out of use, the superseded ones included, or only the one of the given ID:
//
//  1. remember in memory and in storage which tokens are revoked, and give up a login in flight
//  2. revoke the tokens upstream, where the protocol can
//
// An error means that nothing was sent upstream. Where storage would not take step 1, the tokens are served no more all the
// same, and it is stored later: see Sweep. Upstream outcomes are reported in the result, not as an error.
func (i *Issuer) Revoke(ctx context.Context, name, tokenID string) ([]Revocation, error) {
	if err := i.startable(); err != nil {
		return nil, err
	}
	ctx, cancel := Outlasting(ctx)
	defer cancel()
	w := i.acquire(name)
	defer w.release()
	r := revocation{tokenID: strings.ToLower(tokenID)}
	defer w.do(func(l *locked) { l.forget(&r) })
	if err := w.ready(ctx, func(l *locked) { l.revoke(&r) }); err != nil {
		return nil, err
	}
	if tokenID != "" && len(r.targets) == 0 {
		return nil, ErrNoToken
	}
	stored := w.saved(ctx, r.version)
	if stored != nil && ctx.Err() == nil {
		return nil, unsaved(stored)
	}
	w.revokeUpstream(r.settings, r.targets)
	w.retryFormer() // some of the targets may be known to them only
	results := w.awaitResponses(ctx, &r)
	for n := range results {
		results[n].Stored = stored == nil
		i.logger.Warn("token revoked", "config", name, "token_id", results[n].TokenID, "upstream", results[n].Upstream,
			"valid_until", results[n].ValidUntil.Format(time.RFC3339))
	}
	return results, nil
}

// unsaved says what a revocation has done that storage did not take.
func unsaved(err error) error {
	return fmt.Errorf("%w; the tokens are no longer handed out until the plugin restarts, and the upstream was not asked to revoke "+
		"them: run the command again once storage takes writes", err)
}

// revocation is one call of Revoke.
type revocation struct {
	tokenID string
	targets []*Token
	// settings are those under which the targets were found: newer ones may name another endpoint, to which the refresh tokens of
	// these must not go.
	settings *Account
	version  uint64
	// results are what is known of each target. The upstream's responses are noted as they come: see locked.note.
	results []Revocation
}

// revoke does step 1.
func (l *locked) revoke(r *revocation) {
	r.settings = l.state.Account
	r.targets = l.state.Revocable(l.issuer.clock(), r.tokenID)
	if r.tokenID != "" && len(r.targets) == 0 {
		return
	}
	work := l.state.Work
	l.apply(account.Revoke{TokenID: r.tokenID}, true)
	r.version = l.state.Urgent
	for _, t := range r.targets {
		if work != nil && work.Token == t && !r.settings.CanRevoke(t) && work.Account.CanRevoke(t) { // settings that are not stored yet
			l.former[work.Account] = []*Token{t}
		}
		outcome, _ := cmp.Or(l.state.Find(t.ID), t).Revocation()
		result := Revocation{
			TokenID: t.ID, Upstream: cmp.Or(outcome, account.Unknown), Why: l.revokeErrors[t.ID], ValidUntil: t.ValidUntil(),
		}
		if !r.settings.CanRevoke(t) && !l.isFormer(t.ID) && result.Upstream != account.Killed {
			result.Upstream = account.Unsupported // whatever the upstream responded while there was a refresh token
		}
		r.results = append(r.results, result)
	}
	l.revocations = append(l.revocations, r)
}

// forget ends what revoke began.
func (l *locked) forget(r *revocation) {
	l.revocations = slices.DeleteFunc(l.revocations, func(other *revocation) bool { return other == r })
}

// awaitResponses waits until the upstream has responded about all targets, or ctx ends, and returns what is known of each.
// What is left goes on.
func (w *worker) awaitResponses(ctx context.Context, r *revocation) []Revocation {
	for {
		var waiting bool
		var changed <-chan struct{}
		var known []Revocation
		w.do(func(l *locked) {
			waiting = slices.ContainsFunc(r.targets, func(t *Token) bool { return l.revoking[t.ID] })
			changed, known = l.changed, slices.Clone(r.results)
		})
		if !waiting || w.wait(ctx, changed, 0) != nil {
			return known
		}
	}
}
