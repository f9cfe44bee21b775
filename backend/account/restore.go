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

// restore takes over a record. What it means under the present settings, nil for none, is for adopt.
func (t *transition) restore(r *Record, a *Account) {
	t.Generation, t.RefreshTarget = r.Generation, r.RefreshTarget
	t.RevokedAt, t.ForcedAt, t.RejectedAt = r.RevokedAt, r.ForcedAt, r.RejectedAt
	t.Failures = r.failures(a)
	for _, revoked := range r.Revoked {
		t.Revoked = append(t.Revoked, revokedToken{ID: revoked.ID, End: revoked.End, slack: revoked.slack()})
	}
	for _, stored := range r.Superseded {
		token := stored.token(r.RefreshTarget)
		if token.revocation != "" && token.revokedAt.IsZero() { // not kept by the first version
			token.revokedAt = cmp.Or(r.RevokedAt, t.env.Wall)
		}
		if token.revocation != "" { // kept by tokens alone at first
			t.rememberRevoked(token)
		}
		t.Superseded = append(t.Superseded, token)
	}
	for _, stored := range r.Deleted {
		t.Deleted = append(t.Deleted, stored.token(r.RefreshTarget))
	}
	for _, stored := range r.Outbox {
		keep := time.Duration(stored.KeepSeconds) * time.Second
		t.Outbox = append(t.Outbox, OutboxEntry{Token: stored.token(r.RefreshTarget), Keep: keep})
	}
	if r.Current != nil {
		t.Current = r.Current.token(r.RefreshTarget)
		t.Suspect = r.Suspect
		if t.IsRevoked(t.Current.ID) {
			t.supersedeCurrent()
		}
	}
	if own := r.Clock.Process; !own.IsZero() && own.Equal(t.env.Clock.Process) {
		t.clock.Forward, t.clock.Back, t.clock.Lowered = r.Clock.Forward, r.Clock.Back, r.Clock.Lowered
		t.moved(t.move(t.env.Clock, t.env.Reading)) // it may have been set since this was stored
		return
	}
	t.fromOtherProcess()
}

// unfinished counts a login that was cut off when the last process ended as one failure. a has the settings of now.
func (t *transition) unfinished(attempt *StoredAttempt, a *Account) {
	began := sent{Login: attempt.Login, Credentials: attempt.Credentials, Verification: attempt.Verification}
	if began == (sent{}) && a != nil && a.Generation == t.Generation { // kept by an older version
		began = sentBy(a, false)
	}
	t.setFailures(t.failuresAfter(errUnfinished, t.env, began, a.life(t.Current)))
	t.Suspect = t.Current != nil && (t.Suspect || attempt.Exclusive || a != nil && a.singleSession())
	t.changed() // the next start must not count it again
	t.emit(ReportUnfinished{BeganAt: attempt.BeganAt})
}

// failures are the failed logins of a record.
func (r *Record) failures(a *Account) []failedLogin {
	var all []failedLogin
	add := func(f failedLogin) {
		all = append(without(all, func(old failedLogin) bool { return old.isReplacedBy(f) }), f)
	}
	for _, v := range r.Verifications {
		v.Verification = true
		add(v.failed())
	}
	for _, f := range r.Failures {
		add(f.failed())
	}
	if r.Failure == nil {
		return all
	}
	own := failedLogin{r.Failure.failure(), sent{Credentials: r.Failure.Credentials}}
	switch {
	case a == nil:
	case a.Generation == r.Generation:
		own.sent = sentBy(a, false)
	case own.Credentials == "" && !a.CredentialsUpdatedAt.After(own.At): // the first version did not store them
		own.Credentials = credentialsOf(&a.Upstream)
	}
	add(own)
	return all
}

func (s StoredFailedLogin) failed() failedLogin {
	return failedLogin{s.failure(), sent{Login: s.Login, Credentials: s.Credentials, Verification: s.Verification}}
}
