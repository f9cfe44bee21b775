// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// Outcome is what telling the upstream of a revocation came to.
type Outcome string

// The outcomes of a revocation.
const (
	// Killed: the upstream has exchanged the refresh token, which kills the pair.
	Killed Outcome = "killed"
	// Refused: the upstream would not take the refresh token. The pair may have been dead before.
	Refused Outcome = "refused"
	// Unknown: the upstream could not be asked.
	Unknown Outcome = "unknown"
	// Unsupported: the protocol has no way to kill a token before its time.
	Unsupported Outcome = "unsupported"
)

// maxKills bounds the exchanges that one revocation makes at a time.
const maxKills = 4

// ErrNoToken says that the account has no unexpired token of that ID.
var ErrNoToken = errors.New("no unexpired token of that ID")

// Revocation is what became of one token.
type Revocation struct {
	TokenID    string
	Upstream   Outcome
	ValidUntil time.Time
}

// Revoke takes the account's unexpired tokens out of use, the superseded ones included, or only the one of the given ID:
//
//  1. note in storage which tokens are revoked, and take the current one from memory in the same step
//  2. cut off a login in flight: what it brings may be of the same session
//  3. tell the upstream, where the protocol can
//
// An error means that the upstream was told nothing. Where storage would not take step 1, the tokens are handed out no more all
// the same, and it is stored later: see Sweep. What step 3 came to is in the answer.
func (i *Issuer) Revoke(ctx context.Context, name, tokenID string) ([]Revocation, error) {
	// A caller who hangs up has revoked all the same.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(i.ctx, cancel)()

	e, settings, targets, err := i.markRevoked(ctx, name, tokenID)
	if err != nil && i.ctx.Err() != nil {
		return nil, ErrStopped
	}
	if err != nil {
		return nil, err
	}
	marked := i.clock().Wall
	outcomes := i.kill(ctx, settings, targets)
	at := i.clock().Wall
	known, err := i.noteOutcomes(ctx, name, outcomes, at)
	if err != nil {
		i.logger.Warn("what the upstream said to a revocation could not be stored", "config", name, "error", err)
	}
	answer := make([]Revocation, 0, len(targets))
	for _, t := range targets {
		revoked := known[t.ID]
		if revoked == nil { // the config was deleted meanwhile, or the token has expired
			revoked = t.revokedAs(Unknown, marked).revokedAs(outcomes[t.ID], at)
			i.notes.add(settings, revoked)
		}
		answer = append(answer, Revocation{TokenID: t.ID, Upstream: revoked.revocation, ValidUntil: t.ExpiresAt})
		i.logger.Warn("token revoked", "config", name, "token_id", t.ID, "upstream", revoked.revocation,
			"valid_until", t.ExpiresAt.Format(time.RFC3339))
	}
	i.noteNews(e)
	return answer, nil
}

// lockForChange waits until the account is in memory, and returns its entry with storing and mu locked.
func (i *Issuer) lockForChange(ctx context.Context, name string) (*entry, error) {
	for {
		e, err := i.lockLoaded(ctx, name)
		if err != nil {
			return nil, err
		}
		e.mu.Unlock() // storing comes before mu
		e.storing.Lock()
		e.mu.Lock()
		if e.loaded && !e.dead {
			return e, nil
		}
		e.mu.Unlock()
		e.storing.Unlock()
	}
}

// markRevoked does steps 1 and 2. The settings are those under which the targets were found: newer ones may name another
// endpoint, to which the refresh tokens of these must not go.
func (i *Issuer) markRevoked(
	ctx context.Context, name, tokenID string,
) (e *entry, settings *Account, targets []*Token, err error) {
	e, err = i.lockForChange(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	defer e.storing.Unlock()
	settings = e.settings
	now := i.clock()
	for _, t := range e.out(now) {
		if tokenID == "" || tokenID == t.ID {
			targets = append(targets, t)
		}
	}
	if tokenID != "" && len(targets) == 0 {
		e.mu.Unlock()
		return nil, nil, nil, ErrNoToken
	}
	if tokenID == "" {
		e.cutOff()
		e.revokedAt = now.Wall
	}
	if slices.Contains(targets, e.current) {
		e.cutOff()
		e.retire(now)
		e.revokedAt = now.Wall
	}
	for n, t := range e.superseded {
		if slices.Contains(targets, t) && t.revocation == "" {
			e.superseded[n] = t.revokedAs(Unknown, now.Wall)
		}
	}
	e.publish()
	i.plan(e)
	record := e.record()
	e.mu.Unlock()
	return e, settings, targets, i.put(ctx, e, record)
}

// revokedAs is the token with the outcome of its revocation; one that was killed has no refresh token any more. It stays killed:
// of two who revoke it at a time, the upstream refuses the second.
func (t *Token) revokedAs(o Outcome, at time.Time) *Token {
	if t.revocation == Killed {
		return t
	}
	revoked := *t
	if t.revocation == "" || o == Killed {
		revoked.revokedAt = at
	}
	revoked.revocation = o
	if o == Killed {
		revoked.refresh, revoked.refreshExpiresAt = "", time.Time{}
	}
	return &revoked
}

// kill does step 3: it exchanges the refresh token of each target and throws away what comes back.
func (i *Issuer) kill(ctx context.Context, settings *Account, targets []*Token) map[string]Outcome {
	outcomes := make([]Outcome, len(targets))
	var client upstream.Client
	var group errgroup.Group
	group.SetLimit(maxKills)
	for n, t := range targets {
		switch {
		case t.revocation == Killed:
			outcomes[n] = Killed
			continue
		case t.refresh == "" || settings.Upstream.RefreshURL == "":
			outcomes[n] = Unsupported
			continue
		}
		if client == nil {
			made, err := i.newClient(settings)
			if err != nil {
				i.logger.Error("the stored settings cannot be used", "config", settings.Name, "error", err)
				outcomes[n] = Unknown
				continue
			}
			client = made
		}
		group.Go(func() error {
			outcomes[n] = killOutcome(client.Refresh(ctx, t.refresh))
			return nil
		})
	}
	_ = group.Wait() // no member returns an error
	byID := make(map[string]Outcome, len(targets))
	for n, t := range targets {
		byID[t.ID] = outcomes[n]
	}
	return byID
}

// killOutcome says what the answer to an exchange means for the old pair. The new pair is not looked at.
func killOutcome(_ *upstream.Token, err error) Outcome {
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

// noteOutcomes stores what the upstream said, and tells the book. It returns the tokens as they are known now, by their IDs.
func (i *Issuer) noteOutcomes(
	ctx context.Context, name string, outcomes map[string]Outcome, at time.Time,
) (map[string]*Token, error) {
	e, err := i.lockForChange(ctx, name) // asking took time: the account may have been let go from memory
	if errors.Is(err, ErrNoAccount) {
		return nil, nil //nolint:nilnil // it was deleted, with all that is known of its tokens
	}
	if err != nil {
		return nil, err
	}
	defer e.storing.Unlock()
	known := make(map[string]*Token, len(outcomes))
	for n, t := range e.superseded {
		if o, ok := outcomes[t.ID]; ok {
			e.superseded[n] = t.revokedAs(o, at)
			known[t.ID] = e.superseded[n]
			i.notes.add(e.settings, known[t.ID])
		}
	}
	record := e.record()
	e.mu.Unlock()
	return known, i.put(ctx, e, record)
}
