// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"errors"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// Errors that a caller tells apart.
var (
	ErrNoAccount    = account.ErrNoAccount
	ErrStillWaiting = account.ErrStillWaiting
	ErrStorageSlow  = account.ErrStorageSlow
	ErrUnusable     = account.ErrUnusable
	// ErrStopped says that the engine is being unloaded.
	ErrStopped = errors.New("the engine is stopping")
	// ErrChanged says that a verification was given up, as the config was changed or its tokens were revoked meanwhile.
	ErrChanged = errors.New("the config was changed or its tokens were revoked meanwhile")
	// ErrNoToken says that the account has no unexpired token of that ID.
	ErrNoToken = errors.New("no unexpired token of that ID")

	errPanic = errors.New("internal error: see the server log")
)
