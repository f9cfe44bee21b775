// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

// Limits bound the memory of a Collector. Beyond them counts go on and lists do not.
type Limits struct {
	// Rows is how many single requests are listed, for reads and for all else each.
	Rows int
	// Who, Tokens, Readings, Refusals and Objects are how many of each are told apart.
	Who, Tokens, Readings, Refusals, Objects int
	// Window is among how many requests at a time a request and its response find each other.
	Window int
	// Pending is how many unanswered requests are remembered at a time, Wrapped how many unopened wrappings.
	Pending, Wrapped int
	// Logins is how many logins are remembered.
	Logins int
	// Texts is how many texts, such as names and paths, are kept once instead of once for each row.
	Texts int
}

// DefaultLimits hold a program that reads a log and writes a report below 100 MB, whatever is in the log.
func DefaultLimits() Limits {
	return Limits{
		Rows: 5_000, Who: 10_000, Tokens: 10_000, Readings: 30_000, Refusals: 3_000, Objects: 3_000,
		Window: 100_000, Pending: 2_000, Wrapped: 5_000, Logins: 100_000, Texts: 10_000,
	}
}
