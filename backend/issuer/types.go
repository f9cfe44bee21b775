// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"vault-plugin-secrets-mastersindia/backend/account"
)

// The names of package account that callers of an Issuer need.
type (
	// Account is what must be known of a config.
	Account = account.Account
	// AccountState is how an account is doing.
	AccountState = account.Health
	// Clock tells the time.
	Clock = account.Clock
	// Failure is a login that failed, and the hold that follows it.
	Failure = account.Failure
	// LoginError says that there is no token, since a login failed.
	LoginError = account.LoginError
	// Outcome is the upstream's response to a revocation.
	Outcome = account.Outcome
	// PausedError says that the operator has set the account to paused.
	PausedError = account.PausedError
	// Reading is one look at both clocks of the host.
	Reading = account.Reading
	// Reason says why a token was asked for.
	Reason = account.Reason
	// Record is what survives a restart of an account.
	Record = account.Record
	// Result is what a reader gets.
	Result = account.Result
	// Token is one upstream token.
	Token = account.Token
	// Tokens is what is known of the tokens of an account.
	Tokens = account.Tokens
)

// ReadWait is how long a read waits at most.
const ReadWait = account.ReadWait
