// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// maxRevoked bounds the IDs of revoked tokens that one storage entry holds.
const maxRevoked = 1280

// Revocable are the unexpired tokens, or the one of the given ID. What a login has brought is one, though storage has yet to take
// it, or the settings that it was verified with. It takes the place of an earlier version, whose end may be over.
func (s *State) Revocable(now Reading, id string) []*Token {
	all := without(s.Deleted, func(t *Token) bool { return !t.MayLive(now) || s.Find(t.ID) != nil })
	all = append(all, s.out(now)...)
	if w := s.Work; w != nil && w.Token != nil {
		all = append(without(all, func(t *Token) bool { return t.ID == w.Token.ID }), w.Token)
	}
	if id == "" {
		return all
	}
	return without(all, func(t *Token) bool { return t.ID != id })
}

// apply takes tokens out of use. A login in flight is given up: what it brings may be of the same session.
func (e Revoke) apply(t *transition) {
	if t.Known != known {
		return
	}
	targets := t.Revocable(t.env.Reading, e.TokenID)
	if e.TokenID != "" && len(targets) == 0 {
		return
	}
	work := t.Work
	current := slices.ContainsFunc(targets, func(token *Token) bool {
		return !slices.Contains(t.Superseded, token) && !slices.Contains(t.Deleted, token)
	})
	if e.TokenID == "" || current {
		t.cancelWork()
		t.RevokedAt = t.env.Wall
	}
	for _, target := range targets {
		if t.Current != nil && t.Current.ID == target.ID {
			t.supersedeCurrent()
		}
		t.markRevoked(target, work)
	}
	t.changed()
	t.emit(Wake{})
}

// markRevoked marks a token as revoked. work is what was in flight, whose settings may be able to revoke what it has brought.
func (t *transition) markRevoked(target *Token, work *Work) {
	t.rememberRevoked(target)
	if target.revocation != "" {
		return // already known to be
	}
	outcome := t.outcomeAtFirst(target)
	if work != nil && work.Account.CanRevoke(target) {
		outcome = Unknown
	}
	t.replace(target.ID, target.revokedAs(outcome, t.env.Wall))
}

// outcomeAtFirst is that of a revocation to which the upstream has yet to respond.
func (s *State) outcomeAtFirst(token *Token) Outcome {
	if s.Account != nil && s.Account.CanRevoke(token) {
		return Unknown
	}
	return Unsupported
}

// rememberRevoked keeps the ID of a revoked token. Of too many, that of the token which ends first is dropped.
func (s *State) rememberRevoked(token *Token) {
	if s.IsRevoked(token.ID) {
		return
	}
	next := append(slices.Clip(s.Revoked), token.asRevoked())
	if len(next) > s.limits().revoked {
		first := slices.MinFunc(next, func(a, b revokedToken) int { return a.End.Compare(b.End) })
		next = without(next, func(r revokedToken) bool { return r == first })
	}
	s.Revoked = next
}

// asRevoked is what is remembered of the token once it is revoked, and until when the upstream may repeat it.
func (t *Token) asRevoked() revokedToken {
	return revokedToken{ID: t.ID, End: t.endTold().Add(t.delay), slack: t.slack}
}

// replace puts another version of a token that is served no more in its place, and puts it into the outbox.
func (t *transition) replace(id string, token *Token) {
	keep := time.Duration(0)
	if t.Account != nil {
		keep = t.Account.LedgerRetention
	}
	same := func(s *Token) bool { return s.ID == id }
	if n := slices.IndexFunc(t.Superseded, same); n >= 0 {
		t.Superseded = slices.Clone(t.Superseded)
		t.Superseded[n] = token
	}
	if n := slices.IndexFunc(t.Deleted, same); n >= 0 {
		t.Deleted = slices.Clone(t.Deleted)
		t.Deleted[n] = token.withoutSecrets()
	}
	t.addToOutbox(token, keep)
}

// apply takes note of the upstream's response to a revocation.
func (e RevokeEnded) apply(t *transition) {
	now := t.Find(e.Token.ID)
	if now == nil { // it has expired meanwhile, or its config was deleted: the ledger notes it all the same
		t.addToOutbox(e.Token.revokedAs(Unknown, t.env.Wall).revokedAs(e.Outcome, t.env.Wall), e.Keep)
	} else {
		t.replace(now.ID, now.revokedAs(e.Outcome, t.env.Wall))
	}
	t.changed()
	t.emit(Wake{})
}

// CanRevoke reports whether the token can be revoked upstream: its refresh token may be sent only to the endpoint that gave it.
func (a *Account) CanRevoke(t *Token) bool {
	return t.refresh != "" && a.Upstream.CanRefresh() && t.refreshTarget == refreshTarget(&a.Upstream)
}
