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

// attempt is a request that was read but has no response yet. In between it is counted, and a fault may apply.
type attempt struct {
	kind     kind
	protocol Protocol
	account  string      // the account that the request claims to be
	respond  func() bool // sends the normal response; true if a token was issued or accepted
	refuse   func()      // responds as the vendor does to a wrong password or token
	quota    func()      // responds as the vendor does when a quota is used up; nil if that is not documented
}

// opener reads a request.
type opener func(*exchange) attempt

// other wraps a response that is neither counted nor faulted.
func other(respond func()) attempt {
	return attempt{respond: func() bool {
		respond()
		return false
	}}
}
