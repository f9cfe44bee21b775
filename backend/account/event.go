// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "time"

// Event is something that happens to an account.
type Event interface{ apply(t *transition) }

// The events. Requests come from callers, results from effects.
type (
	// Want asks for the settings and tokens to be in memory. AtStart says that a token which is usable then counts as read.
	Want struct{ AtStart bool }
	// Read asks for a token. Rejected is the ID of one that an API has refused; "" for none.
	Read struct{ Rejected string }
	// Force asks for a login now.
	Force struct{}
	// Due says that the queue has given the account a slot.
	Due struct{}
	// Verify asks for a login with settings that are not stored yet.
	Verify struct{ Account *Account }
	// Abandon says that the settings of a verification were not stored.
	Abandon struct{ Work uint64 }
	// Written says that settings were stored. If they were verified, Account is that of the verification.
	Written struct{ Account *Account }
	// Removed says that the config was deleted.
	Removed struct{}
	// Invalidated says that another node may have changed the config.
	Invalidated struct{}
	// Revoke takes tokens out of use: that of the ID, or all where it is "".
	Revoke struct{ TokenID string }
	// RevokeEnded says what the upstream responded to a revocation.
	RevokeEnded struct {
		Token   *Token
		Outcome Outcome
		Keep    time.Duration // see OutboxEntry
	}
	// Sweep comes once a minute.
	Sweep struct{}
	// ClockSet says that the clock was set.
	ClockSet struct{}

	// Loaded is the result of LoadAccount.
	Loaded struct {
		ID      uint64
		Account *Account // nil where there is none
		Record  *Record  // nil where there is none
		Err     error
	}
	// Saved is the result of SaveRecord.
	Saved struct {
		Version uint64
		Err     error
	}
	// LoginEnded is the result of Login. The times of Token are by the clock as it was at Clock.
	LoginEnded struct {
		Work  uint64
		Token *Token
		Clock ClockSteps
		Err   error
		Took  time.Duration
	}
	// NotStarted is the result of Login where the upstream could not even be asked.
	NotStarted struct {
		Work uint64
		Err  error
	}
	// Broken says that taking note of the result of Job has ended in a panic.
	Broken struct {
		Job Effect
		Err error
	}
	// Sent is the result of SendToLedger: the ledger has these entries.
	Sent struct{ Entries []OutboxEntry }
)

// Effect is something that the worker does for an account: one of the types that follow.
type Effect any

// The effects.
type (
	// LoadAccount reads settings and record, and comes back as Loaded.
	LoadAccount struct{ ID uint64 }
	// SaveRecord writes the record, or deletes it where it is nil, and comes back as Saved.
	SaveRecord struct {
		Version uint64
		Record  *Record
	}
	// Login sends the credentials once, and comes back as LoginEnded or NotStarted. No message may hold one of the secrets in
	// Redact.
	Login struct {
		Work   *Work
		Redact []string
	}
	// CancelLogin gives a login up.
	CancelLogin struct{ Work uint64 }
	// SendToLedger sends the ledger what is in the outbox, and comes back as Sent.
	SendToLedger struct{}
	// Wake has all callers that wait ask the state again.
	Wake struct{}
	// Report is for the log and the counters.
	Report struct {
		Reason Reason
		// Token is what the login brought, Failure what it ended with; both are nil for one that was given up.
		Token   *Token
		Failure *Failure
		Took    time.Duration
		// Err is what the login ended with or, beside a token, what storage said to it.
		Err error
	}
	// ReportUnfinished says that a login was cut off when the last process ended.
	ReportUnfinished struct{ BeganAt time.Time }
)
