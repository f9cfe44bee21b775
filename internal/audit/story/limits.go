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
	// Pending is how many unanswered requests and unopened wrappings are remembered at a time.
	Pending int
	// Logins is how many logins are remembered.
	Logins int
	// Texts is how many texts, such as names and paths, are kept once instead of once for each row.
	Texts int
}

// DefaultLimits hold a Collector below some 60 MB.
func DefaultLimits() Limits {
	return Limits{
		Rows: 10_000, Who: 10_000, Tokens: 20_000, Readings: 30_000, Refusals: 5_000, Objects: 5_000,
		Window: 200_000, Pending: 10_000, Logins: 200_000, Texts: 20_000,
	}
}
