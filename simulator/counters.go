// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import "maps"

// Counts are what happened so far.
type Counts struct {
	// Logins are all attempts: LoginsOK, LoginsRefused, and those that a fault swallowed.
	Logins          int `json:"logins"`
	LoginsOK        int `json:"logins_ok"`
	LoginsRefused   int `json:"logins_refused"` // wrong or malformed
	Refreshes       int `json:"refreshes"`      // all attempts
	RefreshesOK     int `json:"refreshes_ok"`
	BusinessOK      int `json:"business_ok"`      // business calls whose token was accepted
	BusinessRefused int `json:"business_refused"` // business calls whose token was not
	Faulted         int `json:"faulted"`          // requests that a fault has hit
}

// Counters are the totals, and the part of each account. Requests that name no known account are in the totals only.
type Counters struct {
	Counts
	// Accounts is by "protocol/name".
	Accounts map[string]Counts `json:"accounts"`
}

// Of gives one account's part.
func (c Counters) Of(p Protocol, user string) Counts { return c.Accounts[accountKey{p, user}.String()] }

type counterStore struct {
	total    Counts
	accounts map[string]Counts
}

func newCounterStore() counterStore { return counterStore{accounts: make(map[string]Counts)} }

// Counters gives a copy of the counters.
func (s *Simulator) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{Counts: s.counters.total, Accounts: maps.Clone(s.counters.accounts)}
}

// ResetCounters sets all counters to zero. Tokens, faults and the clock stay as they are.
func (s *Simulator) ResetCounters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters = newCounterStore()
}

func (s *Simulator) count(ex *exchange, add func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.counters.total)
	if ex.account.name == "" {
		return
	}
	name := ex.account.String()
	counts := s.counters.accounts[name]
	add(&counts)
	s.counters.accounts[name] = counts
}

// countArrival counts a request before anything else happens to it, so that a test sees a login that is still in flight.
func (s *Simulator) countArrival(ex *exchange, k kind) {
	switch k {
	case kindLogin:
		s.count(ex, func(c *Counts) { c.Logins++ })
	case kindRefresh:
		s.count(ex, func(c *Counts) { c.Refreshes++ })
	case kindBusiness, kindOther: // counted by their outcome, or not at all
	}
}

func (s *Simulator) countOutcome(ex *exchange, k kind, granted bool) {
	s.count(ex, func(c *Counts) {
		switch {
		case k == kindLogin && granted:
			c.LoginsOK++
		case k == kindLogin:
			c.LoginsRefused++
		case k == kindRefresh && granted:
			c.RefreshesOK++
		case k == kindBusiness && granted:
			c.BusinessOK++
		case k == kindBusiness:
			c.BusinessRefused++
		}
	})
}
