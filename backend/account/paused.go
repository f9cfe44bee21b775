// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

// pausedError is why a paused account makes no login and serves no token; nil for one that is not paused.
func (a *Account) pausedError() error {
	if !a.Paused {
		return nil
	}
	return &PausedError{Reason: a.PauseReason}
}

// PausedError says that the operator has set the account to paused.
type PausedError struct{ Reason string }

func (e *PausedError) Error() string {
	if e.Reason == "" {
		return "the account is paused"
	}
	return "the account is paused: " + e.Reason
}
