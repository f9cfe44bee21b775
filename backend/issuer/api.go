// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// What callers of an Issuer need of package account.

type (
	Account      = account.Account
	AccountState = account.Health
	Clock        = account.Clock
	Failure      = account.Failure
	LoginError   = account.LoginError
	Outcome      = account.Outcome
	PausedError  = account.PausedError
	Reading      = account.Reading
	Reason       = account.Reason
	Record       = account.Record
	Result       = account.Result
	Token        = account.Token
	Tokens       = account.Tokens
)

// ReadWait is how long a read waits at most.
const ReadWait = account.ReadWait

// Errors that a caller tells apart.
var (
	ErrNoAccount    = account.ErrNoAccount
	ErrStillWaiting = account.ErrStillWaiting
	ErrStorageSlow  = account.ErrStorageSlow
	// ErrStopped says that the engine is being unloaded.
	ErrStopped = errors.New("the engine is stopping")
	// ErrNoToken says that the account has no unexpired token of that ID.
	ErrNoToken = errors.New("no unexpired token of that ID")

	errPanic = errors.New("internal error: see the server log")
)

// Source finds accounts. It returns ErrNoAccount for a name that has none.
type Source interface {
	Account(ctx context.Context, name string) (*Account, error)
}

// Store keeps one Record an account, sealed and local to the cluster.
type Store interface {
	// Load returns nil without an error where there is no record.
	Load(ctx context.Context, name string) (*Record, error)
	Save(ctx context.Context, name string, record *Record) error
	Delete(ctx context.Context, name string) error
	// List names the accounts that have a record.
	List(ctx context.Context) ([]string, error)
}
