// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// SchemaVersion is the version of Record that this code writes. Every version ever released stays readable.
const SchemaVersion = 1

// Store keeps one Record an account, sealed and local to the cluster.
type Store interface {
	// Load returns nil without an error where there is no record.
	Load(ctx context.Context, account string) (*Record, error)
	Save(ctx context.Context, account string, record *Record) error
	Delete(ctx context.Context, account string) error
	// List names the accounts that have a record.
	List(ctx context.Context) ([]string, error)
}

// Record is what survives a restart of an account: one storage entry, so that no part of it can be newer than another.
type Record struct {
	Schema     int    `json:"schema"`
	Generation string `json:"generation"`
	// RefreshTarget names the endpoint to which the refresh tokens in this record may go.
	RefreshTarget string        `json:"refresh_target,omitempty"`
	Current       *StoredToken  `json:"current,omitempty"`
	Superseded    []StoredToken `json:"superseded,omitempty"`
	// Attempt is there while a login is under way: one that is found at start never ended.
	Attempt *StoredAttempt `json:"attempt,omitempty"`
	Failure *StoredFailure `json:"failure,omitempty"`
	// Suspect says that a login of an exclusive account was lost, so that the current token may be dead.
	Suspect bool `json:"suspect,omitempty"`
	// RevokedAt is when tokens of this account were last revoked as a whole.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// StoredToken is a token at rest.
type StoredToken struct {
	ID string `json:"token_id,omitempty"`
	// Access is kept of the current token only: what is not handed out any more need not be known.
	Access           string    `json:"access_token,omitempty"`
	Refresh          string    `json:"refresh_token,omitempty"`
	RefreshExpiresAt time.Time `json:"refresh_expires_at,omitzero"`
	Generation       string    `json:"generation"`
	IssuedAt         time.Time `json:"issued_at"`
	ExpiresAt        time.Time `json:"expires_at"`
	Reason           Reason    `json:"reason"`
	Revocation       Outcome   `json:"revocation,omitempty"`
	// RevokedAt is when the token was revoked or, where it was killed upstream later, when that was.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// StoredAttempt is a login that began.
type StoredAttempt struct {
	BeganAt time.Time `json:"began_at"`
	// Process names the one that began the login: only in another was it cut off by a crash.
	Process string `json:"process,omitempty"`
	// Exclusive says that the account was one whose new login may kill the token that is out.
	Exclusive bool `json:"exclusive,omitempty"`
}

// StoredFailure is the failure whose pause is kept.
type StoredFailure struct {
	Kind        upstream.Kind  `json:"kind"`
	Cause       upstream.Cause `json:"cause,omitempty"`
	Message     string         `json:"message"`
	At          time.Time      `json:"at"`
	Consecutive int            `json:"consecutive"`
	Step        int            `json:"step,omitempty"`
	NextAttempt time.Time      `json:"next_attempt_at"`
}

func storeToken(t *Token) StoredToken {
	return StoredToken{
		ID:               t.ID,
		Access:           t.Access,
		Refresh:          t.refresh,
		RefreshExpiresAt: t.refreshExpiresAt,
		Generation:       t.Generation,
		IssuedAt:         t.IssuedAt,
		ExpiresAt:        t.ExpiresAt,
		Reason:           t.Reason,
		Revocation:       t.revocation,
		RevokedAt:        t.revokedAt,
	}
}

func (s StoredToken) token() *Token {
	if s.ID == "" {
		s.ID = TokenID(s.Access)
	}
	return &Token{
		ID:               s.ID,
		Access:           s.Access,
		Generation:       s.Generation,
		IssuedAt:         s.IssuedAt,
		ExpiresAt:        s.ExpiresAt,
		Reason:           s.Reason,
		revocation:       s.Revocation,
		revokedAt:        s.RevokedAt,
		refresh:          s.Refresh,
		refreshExpiresAt: s.RefreshExpiresAt,
	}
}

func storeFailure(f *Failure) *StoredFailure {
	if f == nil {
		return nil
	}
	return &StoredFailure{
		Kind: f.Kind, Cause: f.Cause, Message: f.Message, At: f.At, Consecutive: f.Consecutive, Step: f.Step,
		NextAttempt: f.NextAttempt,
	}
}

func (s *StoredFailure) failure(a *Account, now Reading) *Failure {
	if s == nil {
		return nil
	}
	f := &Failure{
		Kind: s.Kind, Cause: s.Cause, Protocol: a.Upstream.Protocol, Message: s.Message, At: s.At,
		Consecutive: s.Consecutive, Step: s.Step, NextAttempt: s.NextAttempt,
	}
	return f.anchored(now)
}
