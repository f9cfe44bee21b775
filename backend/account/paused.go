// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

// PausedError says that the operator has set the account to paused.
type PausedError struct{ Reason string }

func (e *PausedError) Error() string {
	if e.Reason == "" {
		return "the account is paused"
	}
	return "the account is paused: " + e.Reason
}
