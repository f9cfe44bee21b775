// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

// kind says what a request wants, for counters and faults.
type kind int

const (
	kindOther kind = iota // not counted, and no fault hits it
	kindLogin
	kindRefresh
	kindBusiness
)

// attempt is a request that was read but not answered yet. Between the two it is counted, and a fault may step in.
type attempt struct {
	kind     kind
	protocol Protocol
	account  string      // the account that the request claims to be
	answer   func() bool // answers honestly; true where a token was given or accepted
	refuse   func()      // answers as the vendor does when the password (or the token) is wrong
	quota    func()      // answers as the vendor does when a quota is used up; nil where no page says how
}

// opener reads a request.
type opener func(*exchange) attempt

// other wraps an answer that is neither counted nor faulted.
func other(answer func()) attempt {
	return attempt{answer: func() bool {
		answer()
		return false
	}}
}
