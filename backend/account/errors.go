// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"fmt"
	"time"
)

// Errors that a caller tells apart.
var (
	// ErrNoAccount says that there is no config of that name.
	ErrNoAccount = errors.New("no such account")
	// ErrStillWaiting says that a reader has waited as long as readers wait. The login goes on.
	ErrStillWaiting = errors.New("the upstream has not responded yet: the login goes on")
	// ErrStorageSlow says the same of one that has waited for Vault's storage.
	ErrStorageSlow = errors.New("storage has not responded yet")
	// ErrUnusable says that no login can be made with the settings, which another version has stored.
	ErrUnusable = errors.New("the stored settings cannot be used")
)

// LoginError says that there is no token, since a login failed.
type LoginError struct {
	Failure
	// Remembered is true where the upstream was not asked again: the failure is an earlier one, whose hold still runs.
	Remembered bool
	// ForcedAfter is when a forced login may be made again, where one was asked for too soon after the last; zero otherwise.
	ForcedAfter time.Time

	// err is what the upstream client returned; nil for a failure that is remembered.
	err error
}

// Unwrap gives the *upstream.Error of a login that has just failed.
func (e *LoginError) Unwrap() error { return e.err }

func (e *LoginError) Error() string {
	return fmt.Sprintf("%s; next attempt at %s", e.Message, e.NextAttempt.UTC().Format(time.RFC3339))
}

// PausedError says that the operator has set the account to paused.
type PausedError struct{ Reason string }

func (e *PausedError) Error() string {
	if e.Reason == "" {
		return "the account is paused"
	}
	return "the account is paused: " + e.Reason
}
