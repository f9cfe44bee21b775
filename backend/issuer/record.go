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
	// RevokedAt is when tokens of this account were last revoked as a whole.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// StoredToken is a token at rest.
type StoredToken struct {
	Access           string    `json:"access_token"`
	Refresh          string    `json:"refresh_token,omitempty"`
	RefreshExpiresAt time.Time `json:"refresh_expires_at,omitzero"`
	Generation       string    `json:"generation"`
	IssuedAt         time.Time `json:"issued_at"`
	ExpiresAt        time.Time `json:"expires_at"`
	Reason           Reason    `json:"reason"`
	Revocation       Outcome   `json:"revocation,omitempty"`
}

// StoredAttempt is a login that began.
type StoredAttempt struct {
	BeganAt time.Time `json:"began_at"`
}

// StoredFailure is the failure whose pause is kept.
type StoredFailure struct {
	Kind        upstream.Kind  `json:"kind"`
	Cause       upstream.Cause `json:"cause,omitempty"`
	Message     string         `json:"message"`
	At          time.Time      `json:"at"`
	Consecutive int            `json:"consecutive"`
	NextAttempt time.Time      `json:"next_attempt_at"`
}

func storeToken(t *Token) StoredToken {
	return StoredToken{
		Access:           t.Access,
		Refresh:          t.refresh,
		RefreshExpiresAt: t.refreshExpiresAt,
		Generation:       t.Generation,
		IssuedAt:         t.IssuedAt,
		ExpiresAt:        t.ExpiresAt,
		Reason:           t.Reason,
		Revocation:       t.revocation,
	}
}

func (s StoredToken) token() *Token {
	return &Token{
		ID:               TokenID(s.Access),
		Access:           s.Access,
		Generation:       s.Generation,
		IssuedAt:         s.IssuedAt,
		ExpiresAt:        s.ExpiresAt,
		Reason:           s.Reason,
		revocation:       s.Revocation,
		refresh:          s.Refresh,
		refreshExpiresAt: s.RefreshExpiresAt,
	}
}
