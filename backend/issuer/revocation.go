// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	// maxKills bounds the exchanges that one revocation makes at a time.
	maxKills = 4
	// revokeWait is how long Revoke takes at most. What the upstream was not told by then goes on to be told.
	revokeWait = 28 * time.Second
)

// Revocation is the result of the revocation of one token.
type Revocation struct {
	TokenID    string
	Upstream   Outcome
	ValidUntil time.Time
}

// Revoke takes the account's unexpired tokens out of use, the superseded ones included, or only the one of the given ID:
//
//  1. remember in memory and in storage which tokens are revoked, and give up a login in flight
//  2. tell the upstream, where the protocol can
//
// An error means that the upstream was told nothing. Where storage would not take step 1, the tokens are served no more all the same,
// and it is stored later: see Sweep. Upstream outcomes are reported in the result, not as an error.
func (i *Issuer) Revoke(ctx context.Context, name, tokenID string) ([]Revocation, error) {
	if err := i.startable(); err != nil {
		return nil, err
	}
	// A caller who hangs up has revoked all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeWait)
	defer cancel()
	w := i.acquire(name)
	defer w.release()
	if err := w.ready(ctx); err != nil {
		return nil, err
	}
	settings := w.state.Account // the refresh tokens of its tokens must not go to the endpoint of newer settings
	targets := w.state.revocable(i.clock(), strings.ToLower(tokenID))
	if tokenID != "" && len(targets) == 0 {
		w.mu.Unlock()
		return nil, ErrNoToken
	}
	reports := w.applyLocked(Revoke{TokenID: strings.ToLower(tokenID)}, true)
	version := w.state.Urgent
	w.mu.Unlock()
	w.report(reports)
	if err := w.saved(ctx, version); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	outcomes := i.kill(ctx, w, settings, targets)
	results := make([]Revocation, 0, len(targets))
	for _, t := range targets {
		outcome := outcomes.of(t)
		results = append(results, Revocation{TokenID: t.ID, Upstream: outcome, ValidUntil: t.ExpiresAt})
		i.logger.Warn("token revoked", "config", name, "token_id", t.ID, "upstream", outcome,
			"valid_until", t.ExpiresAt.Format(time.RFC3339))
	}
	return results, nil
}

// outcomes are what the upstream responded in time, by token ID.
type outcomes map[string]Outcome

func (o outcomes) of(t *Token) Outcome {
	if outcome, ok := o[t.ID]; ok {
		return outcome
	}
	return Unknown
}

// kill exchanges the refresh token of each target and throws away what comes back. It returns when all is told or ctx ends; what is
// left goes on to be told.
func (i *Issuer) kill(ctx context.Context, w *worker, settings *Account, targets []*Token) outcomes {
	responded := make(chan *Token, len(targets))
	respond := func(t *Token, o Outcome) {
		w.apply(KillEnded{Token: t, Outcome: o, Keep: settings.LedgerRetention}, true)
		responded <- t
	}
	var asked []*Token
	for _, t := range targets {
		switch {
		case t.revocation == Killed:
			respond(t, Killed)
		case !settings.canKill(t):
			respond(t, Unsupported)
		default:
			asked = append(asked, t)
		}
	}
	held := i.acquire(w.name) // for the work in the background
	if !i.goWork(func() {
		defer held.release()
		i.killAll(settings, asked, respond)
	}) {
		held.release()
	}
	known := make(outcomes, len(targets))
	for range targets {
		select {
		case t := <-responded:
			known[t.ID] = w.outcome(t)
		case <-ctx.Done():
			return known
		case <-i.ctx.Done():
			return known
		}
	}
	return known
}

// outcome is what is known of a token's revocation: of two callers who revoke it at a time the upstream refuses the second, and it is
// dead all the same. A token that has gone from memory meanwhile is in the outbox.
func (w *worker) outcome(t *Token) Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.state.find(t.ID); now != nil {
		return now.revocation
	}
	for _, o := range slices.Backward(w.state.Outbox) {
		if o.Token.ID == t.ID {
			return o.Token.revocation
		}
	}
	return Unknown
}

// killAll asks the upstream to kill each token, a few at a time.
func (i *Issuer) killAll(settings *Account, tokens []*Token, responded func(*Token, Outcome)) {
	if len(tokens) == 0 {
		return
	}
	client, err := i.newClient(settings)
	if err != nil {
		i.logger.Error("the stored settings cannot be used", "config", settings.Name, "error", err)
		for _, t := range tokens {
			responded(t, Unknown)
		}
		return
	}
	defer client.CloseIdleConnections()
	var group errgroup.Group
	group.SetLimit(maxKills)
	for t := range slices.Values(tokens) {
		group.Go(func() error {
			_, err := client.Refresh(i.ctx, t.refresh)
			responded(t, killOutcome(err))
			return nil
		})
	}
	_ = group.Wait() // no member returns an error
}

// killOutcome says what the response to an exchange means for the old pair. The new pair is not looked at.
func killOutcome(err error) Outcome {
	failed, _ := errors.AsType[*upstream.Error](err)
	switch {
	case err == nil:
		return Killed
	case errors.Is(err, upstream.ErrRefreshUnsupported):
		return Unsupported
	case failed != nil && (failed.Kind == upstream.Rejected || failed.Kind == upstream.Invalid):
		return Refused
	default:
		return Unknown
	}
}
