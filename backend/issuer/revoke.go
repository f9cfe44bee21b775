// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	// maxExchanges bounds the exchanges that one revocation makes at a time.
	maxExchanges = 4
	// ChangeWait is how long a request that changes an account takes at most. What storage and upstream have not taken by then
	// goes on in the background.
	ChangeWait = 28 * time.Second
)

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
	w.retryRevocations() // some of the targets may be known to former settings only
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
		"them: run the command again", err)
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

// revokeUpstream does step 2 in the background: it exchanges the refresh token of each token and throws away what comes back.
// Tokens that the upstream is being asked about already are left out.
func (w *worker) revokeUpstream(settings *Account, tokens []*Token) {
	var asked []*Token
	w.do(func(l *locked) {
		for _, t := range tokens {
			if outcome, _ := t.Revocation(); outcome == account.Killed || !settings.CanRevoke(t) || l.revoking[t.ID] {
				continue
			}
			if err := l.notYet(settings); err != nil { // retryRevocations goes on
				l.note(t.ID, err)
				continue
			}
			l.revoking[t.ID] = true
			asked = append(asked, t)
		}
	})
	if len(asked) == 0 {
		return
	}
	held := w.issuer.acquire(w.name)
	if !w.issuer.goWork(func() {
		defer held.release()
		w.revokeAllUpstream(settings, asked)
	}) {
		held.release()
	}
}

// revokeAllUpstream exchanges the refresh token of each, a few at a time.
func (w *worker) revokeAllUpstream(settings *Account, tokens []*Token) {
	client, err := w.issuer.newClient(settings)
	if err != nil {
		w.issuer.logger.Error("the stored settings cannot be used", "config", settings.Name, "error", err)
		for _, t := range tokens {
			w.revokedUpstream(settings, t, err)
		}
		return
	}
	s, _ := w.look()
	redact := s.Secrets()
	for _, t := range tokens { // which a deleted config does not have any more
		redact = append(redact, t.Access)
	}
	var group errgroup.Group
	group.SetLimit(maxExchanges)
	for _, t := range tokens {
		group.Go(func() error {
			err := errPanic
			w.issuer.guard(func() { err = w.exchange(client, settings, t, redact) })
			w.revokedUpstream(settings, t, err)
			return nil
		})
	}
	_ = group.Wait() // no member returns an error
}

// exchange sends the refresh token of one token, unless the upstream has asked meanwhile to be left alone.
func (w *worker) exchange(client upstream.Client, settings *Account, t *Token, redact []string) error {
	var later error
	w.do(func(l *locked) { later = l.notYet(settings) })
	if later != nil {
		return later
	}
	next, err := client.Refresh(w.issuer.ctx, t.Refresh(), redact...)
	if err == nil && account.TokenID(next.AccessToken) == t.ID {
		return errSameToken
	}
	return err
}

// notYet is the error while a Retry-After of the refresh endpoint runs, else nil.
func (l *locked) notYet(settings *Account) error {
	now := l.issuer.clock()
	left := l.revokeAfter[settings.Upstream.RefreshURL] - now.Elapsed
	if left <= 0 {
		return nil
	}
	return fmt.Errorf("the upstream throttles refresh_url, and is asked from %s on", now.Wall.Add(left).Format(time.RFC3339))
}

func (w *worker) revokedUpstream(settings *Account, t *Token, err error) {
	isNews := false
	w.do(func(l *locked) {
		delete(l.revoking, t.ID)
		isNews = l.note(t.ID, err)
		if revokeOutcome(err) != account.Unknown {
			l.dropFormer(func(o *Token) bool { return o.ID == t.ID })
		}
		if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.RetryAfter > 0 {
			l.revokeAfter[settings.Upstream.RefreshURL] = w.issuer.clock().Elapsed + min(failed.RetryAfter, account.LongestThrottle)
		}
		l.apply(account.RevokeEnded{Token: t, Outcome: revokeOutcome(err), Keep: settings.LedgerRetention}, true)
	})
	if isNews && w.issuer.ctx.Err() == nil {
		w.logRevocation(t.ID, err)
	}
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

// retryRevocations sends the revocations again to which the upstream has not responded. Those under former settings are
// sent until the process ends.
func (w *worker) retryRevocations() {
	env := w.env(true)
	pending := make(map[*Account][]*Token)
	w.do(func(l *locked) {
		l.dropFormer(env.IsOver)
		maps.Copy(pending, l.former)
		if l.state.HasSettings() { // stale ones as well: a refresh token goes to its own endpoint alone
			pending[l.state.Account] = l.state.ToRevoke(env)
		}
	})
	for settings, tokens := range pending {
		w.revokeUpstream(settings, tokens)
	}
}

// keepFormer goes on with the revocations that were pending before, and cannot be made under the settings of now.
func (l *locked) keepFormer(before *account.State, env account.Env) {
	still := l.state.ToRevoke(env)
	pending := slices.DeleteFunc(before.ToRevoke(env), func(t *Token) bool {
		return slices.ContainsFunc(still, func(s *Token) bool { return s.ID == t.ID })
	})
	if len(pending) > 0 {
		l.former[before.Account] = pending
	}
}

// dropFormer forgets those that the upstream need not be asked about any more.
func (l *locked) dropFormer(gone func(*Token) bool) {
	for settings, tokens := range l.former {
		left := slices.DeleteFunc(slices.Clone(tokens), gone)
		if l.former[settings] = left; len(left) == 0 {
			delete(l.former, settings)
		}
	}
}

// errSameToken says that an exchange has brought the very token that it was to end.
var errSameToken = errors.New("the upstream gave the same token again")

// revokeOutcome says what the response to an exchange means for the old pair.
func revokeOutcome(err error) Outcome {
	failed, _ := errors.AsType[*upstream.Error](err)
	switch {
	case err == nil:
		return account.Killed
	case errors.Is(err, upstream.ErrRefreshUnsupported), errors.Is(err, errSameToken):
		return account.Unsupported
	case failed != nil && (failed.Kind == upstream.Rejected || failed.Kind == upstream.Invalid):
		return account.Refused
	default:
		return account.Unknown
	}
}
