// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"cmp"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// SchemaVersion is the version of Record that this code writes. Every version ever released stays readable.
const SchemaVersion = 1

// Record is what survives a restart of an account: one storage entry, so that no part of it can be newer than another.
type Record struct {
	Schema int `json:"schema"`
	// Clock tells by which clock the times are.
	Clock      StoredClockSteps `json:"clock_steps,omitzero"`
	Generation string           `json:"generation"`
	// RefreshTarget names the endpoint to which the refresh tokens in this record may go.
	RefreshTarget string          `json:"refresh_target,omitempty"`
	Current       *StoredToken    `json:"current,omitempty"`
	Superseded    []StoredToken   `json:"superseded,omitempty"`
	Revoked       []StoredRevoked `json:"revoked,omitempty"`
	// Deleted are the tokens of a deleted config, and those that had expired when they came, without secrets.
	Deleted []StoredToken `json:"deleted,omitempty"`
	// Attempt is there while a login is under way: one that is found at start never ended.
	Attempt *StoredAttempt `json:"attempt,omitempty"`
	// Failures are logins that failed, verifications included, so that a restart ends no hold.
	Failures []StoredFailedLogin `json:"failures,omitempty"`
	// Failure and Verifications are what older versions kept instead: that of the account itself, and those of verifications.
	Failure       *StoredFailure      `json:"failure,omitempty"`
	Verifications []StoredFailedLogin `json:"verifications,omitempty"`
	// Suspect says that a login of a single-session account was lost, so that the current token may be dead.
	Suspect bool `json:"suspect,omitempty"`
	// RevokedAt is when tokens of this account were revoked, until the next login.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// ForcedAt and RejectedAt are when such a login was last made.
	ForcedAt   time.Time `json:"forced_at,omitzero"`
	RejectedAt time.Time `json:"rejected_at,omitzero"`
	// Outbox is what the ledger does not have yet. It is nil in a record of an older version, which did not keep it.
	Outbox []StoredOutboxEntry `json:"outbox"`
}

// StoredToken is a token at rest.
type StoredToken struct {
	ID string `json:"token_id,omitempty"`
	// Access is kept of the current token, and of those that no message shows by their form alone: see State.Secrets.
	Access           string    `json:"access_token,omitempty"`
	Refresh          string    `json:"refresh_token,omitempty"`
	RefreshExpiresAt time.Time `json:"refresh_expires_at,omitzero"`
	Generation       string    `json:"generation"`
	IssuedAt         time.Time `json:"issued_at"`
	ExpiresAt        time.Time `json:"expires_at"`
	Reason           Reason    `json:"reason"`
	Revocation       Outcome   `json:"revocation,omitempty"`
	// RevokedAt is when the token was revoked or, where it was revoked upstream later, when that was.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	Replaced  string    `json:"replaced,omitempty"`
	Repeated  bool      `json:"repeated,omitempty"`
	// ToldSeconds is the life that the upstream told, where max_token_ttl allows less.
	ToldSeconds int64 `json:"told_seconds,omitempty"`
	// LifeAssumed says that the upstream told no lifetime. Older versions did not keep it.
	LifeAssumed bool `json:"life_assumed,omitempty"`
	// LoginSeconds is how long the login took.
	LoginSeconds int64 `json:"login_seconds,omitempty"`

	StoredSlack
}

// StoredSlack is by how much later a token may end, as the clock was set since: see slack.
type StoredSlack struct {
	ForwardSeconds int64 `json:"forward_seconds,omitempty"`
	LoweredSeconds int64 `json:"lowered_seconds,omitempty"`
}

// StoredRevoked is the ID of a token that is never served again, and the token's last known end.
type StoredRevoked struct {
	ID  string    `json:"token_id"`
	End time.Time `json:"end"`

	StoredSlack
}

// StoredClockSteps are the ClockSteps that the times of a record follow. They tell something to the same process only.
type StoredClockSteps struct {
	Process time.Time     `json:"process"`
	Forward time.Duration `json:"forward,omitempty"`
	Back    time.Duration `json:"back,omitempty"`
	Lowered time.Duration `json:"lowered,omitempty"`
}

// StoredAttempt is a login that began.
type StoredAttempt struct {
	BeganAt time.Time `json:"began_at"`
	// Exclusive says that the account was a single-session one, whose new login may invalidate the current token.
	Exclusive bool `json:"exclusive,omitempty"`
	// Login and Credentials are digests of what it sends.
	Login        string `json:"login,omitempty"`
	Credentials  string `json:"credentials,omitempty"`
	Verification bool   `json:"verification,omitempty"`
}

// StoredFailure is the failure whose hold is kept.
type StoredFailure struct {
	Kind        upstream.Kind  `json:"kind"`
	Cause       upstream.Cause `json:"cause,omitempty"`
	Message     string         `json:"message"`
	At          time.Time      `json:"at"`
	Consecutive int            `json:"consecutive"`
	Step        int            `json:"step,omitempty"`
	NextAttempt time.Time      `json:"next_attempt_at"`
	// Credentials is a digest of those that the failure is about.
	Credentials string `json:"credentials,omitempty"`
}

// StoredFailedLogin is a login that failed. Login is a digest of all that it sent, and of where.
type StoredFailedLogin struct {
	StoredFailure

	Login        string `json:"login"`
	Verification bool   `json:"verification,omitempty"`
}

// StoredOutboxEntry is an entry that the ledger does not have yet, without secrets.
type StoredOutboxEntry struct {
	StoredToken

	// KeepSeconds is how long the ledger is to remember it after it has expired.
	KeepSeconds int64 `json:"keep_seconds"`
}

// record is what storage must know; nil for nothing. While a token is being stored it is that of the state which follows.
func (s *State) record(env Env) *Record {
	if s.Work != nil && s.Work.Step == storing {
		next := s.afterWork(env)
		return next.record(env)
	}
	if s.Known == absent && s.Work == nil && len(s.Revoked)+len(s.Deleted)+len(s.Outbox)+len(s.Failures) == 0 {
		return nil
	}
	r := &Record{
		Schema: SchemaVersion, Clock: StoredClockSteps{s.clock.Process, s.clock.Forward, s.clock.Back, s.clock.Lowered},
		Generation: s.Generation, RefreshTarget: s.RefreshTarget, Suspect: s.Suspect,
		RevokedAt: s.RevokedAt, ForcedAt: s.ForcedAt, RejectedAt: s.RejectedAt,
		Outbox: make([]StoredOutboxEntry, 0, len(s.Outbox)),
	}
	if s.Work != nil {
		sent := sentBy(s.Work.Account, s.Work.Reason == ReasonVerification)
		r.Attempt = &StoredAttempt{
			BeganAt: s.Work.Began.Wall, Exclusive: s.Account != nil && s.Account.singleSession(),
			Login: sent.Login, Credentials: sent.Credentials, Verification: sent.Verification,
		}
	}
	if s.Current != nil {
		stored := s.storeToken(s.Current)
		r.Current = &stored
	}
	for _, t := range s.Superseded {
		stored := s.storeToken(t)
		if upstream.MayBeToken(t.Access) {
			stored.Access = ""
		}
		r.Superseded = append(r.Superseded, stored)
	}
	for _, revoked := range s.Revoked {
		r.Revoked = append(r.Revoked, StoredRevoked{revoked.ID, revoked.End, revoked.slack.stored()})
	}
	for _, t := range s.Deleted {
		r.Deleted = append(r.Deleted, s.storeToken(t))
	}
	for _, f := range s.Failures {
		if f.Kind != Blocked { // storage took no writes
			r.Failures = append(r.Failures, storeFailure(f))
		}
	}
	for _, o := range s.Outbox {
		r.Outbox = append(r.Outbox, StoredOutboxEntry{StoredToken: s.storeToken(o.Token), KeepSeconds: int64(o.Keep / time.Second)})
	}
	return r
}

// isOfDeleted reports whether the record has nothing but what outlives the config.
func (r *Record) isOfDeleted() bool {
	return r.Generation == "" && r.Attempt == nil &&
		len(r.Revoked)+len(r.Deleted)+len(r.Outbox)+len(r.Failures)+len(r.Verifications) > 0
}

// storeToken leaves out a refresh token that is not for the one endpoint which the record names.
func (s *State) storeToken(t *Token) StoredToken {
	if t.refreshTarget != s.RefreshTarget {
		t = t.withoutRefresh()
	}
	return StoredToken{
		ID: t.ID, Access: t.Access, Refresh: t.refresh, RefreshExpiresAt: t.refreshExpiresAt, Generation: t.Generation,
		IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Reason: t.Reason, Revocation: t.revocation, RevokedAt: t.revokedAt,
		Replaced: t.replaced, Repeated: t.repeated, LifeAssumed: t.lifeAssumed,
		ToldSeconds: int64(t.toldLife / time.Second), LoginSeconds: int64(t.delay / time.Second), StoredSlack: t.slack.stored(),
	}
}

// token is the token of a record whose refresh tokens are for that endpoint.
func (s StoredToken) token(refreshTarget string) *Token {
	return &Token{
		ID: cmp.Or(s.ID, TokenID(s.Access)), Access: s.Access, refresh: s.Refresh, refreshExpiresAt: s.RefreshExpiresAt,
		refreshTarget: refreshTarget,
		Generation:    s.Generation, IssuedAt: s.IssuedAt, ExpiresAt: s.ExpiresAt, Reason: s.Reason,
		revocation: s.Revocation, revokedAt: s.RevokedAt, replaced: s.Replaced, repeated: s.Repeated,
		lifeAssumed: s.LifeAssumed, toldLife: time.Duration(s.ToldSeconds) * time.Second,
		delay: time.Duration(s.LoginSeconds) * time.Second, slack: s.slack(),
	}
}

func (s slack) stored() StoredSlack {
	return StoredSlack{int64(s.forward / time.Second), int64(s.lowered / time.Second)}
}

func (s StoredSlack) slack() slack {
	return slack{time.Duration(s.ForwardSeconds) * time.Second, time.Duration(s.LoweredSeconds) * time.Second}
}

func storeFailure(f failedLogin) StoredFailedLogin {
	return StoredFailedLogin{
		StoredFailure: StoredFailure{
			Kind: f.Kind, Cause: f.Cause, Message: f.Message, At: f.At, Consecutive: f.Consecutive, Step: f.Step,
			NextAttempt: f.NextAttempt, Credentials: f.Credentials,
		},
		Login: f.Login, Verification: f.Verification,
	}
}

func (s StoredFailure) failure() *Failure {
	return &Failure{
		Kind: s.Kind, Cause: s.Cause, Message: s.Message, At: s.At, Consecutive: s.Consecutive, Step: max(s.Step, 1),
		NextAttempt: s.NextAttempt,
	}
}
