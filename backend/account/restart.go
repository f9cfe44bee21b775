// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"cmp"
	"errors"
	"time"
)

// errUnfinished stands for a login whose end is not known, since the process ended meanwhile.
var errUnfinished = errors.New("the last login was cut off when the plugin stopped")

// restore takes over a record. What it means under the present settings is for adopt.
func (t *transition) restore(r *Record) {
	now := t.env.Reading
	t.Generation, t.RefreshTarget = r.Generation, r.RefreshTarget
	t.RevokedAt, t.ForcedAt, t.RejectedAt = r.RevokedAt, r.ForcedAt, r.RejectedAt
	t.Failure = r.Failure.failure(now)
	for _, revoked := range r.Revoked {
		t.Revoked = append(t.Revoked, revokedToken(revoked))
	}
	for _, stored := range r.Superseded {
		token := stored.token().withElapsed(now)
		if token.revocation != "" && token.revokedAt.IsZero() { // not kept by the first version
			token.revokedAt = cmp.Or(r.RevokedAt, now.Wall)
		}
		if token.revocation != "" && !t.isRevoked(token.ID) { // kept by tokens alone at first
			t.Revoked = append(t.Revoked, revokedToken{ID: token.ID, End: token.ExpiresAt})
		}
		t.Superseded = append(t.Superseded, token)
	}
	for _, v := range r.Verifications {
		f := v.failure(now)
		f.Protocol = v.Protocol
		t.Verifications = append(t.Verifications, failedVerification{Login: v.Login, Credentials: v.Credentials, Failure: f})
	}
	for _, stored := range r.Outbox {
		keep := time.Duration(stored.KeepSeconds) * time.Second
		t.Outbox = append(t.Outbox, OutboxEntry{Token: stored.token().withElapsed(now), Keep: keep})
	}
	if r.Current == nil {
		return
	}
	t.Current = r.Current.token().withElapsed(now)
	t.Suspect = r.Suspect || t.Current.isFromFuture(now)
	if t.isRevoked(t.Current.ID) {
		t.supersedeCurrent()
	}
}

// unfinished counts a login that was cut off when the last process ended as one failure.
func (t *transition) unfinished(a *StoredAttempt) {
	// A forced login may be cut off during a hold, which goes on then.
	f := newFailure(errUnfinished, t.Failure, t.env, t.Account, t.Account.life(t.Current))
	t.Failure = f.afterForced(t.Failure, t.env)
	t.Suspect = t.Current != nil && (t.Suspect || a.Exclusive || t.Account.singleSession())
	t.changed() // the next start must not count it again
	t.emit(ReportUnfinished{BeganAt: a.BeganAt})
}
