// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// leastTTL keeps clients that follow Result.TTL from coming more often than this while a rotation is overdue, for however long
	// that is. Just before a rotation they get the second that is left: with more they would miss it.
	leastTTL = 5 * time.Second
	// overdueSpread spreads clients that all wait for the same late rotation.
	overdueSpread = 10 * time.Second
)

// Result is what a reader gets. All of it comes from one reading of the clock.
type Result struct {
	Account *Account
	Token   *Token
	Now     Reading
	// Remaining is the life that the token has left.
	Remaining time.Duration
	// TTL is the time until the latest planned moment of rotation, after which a reader finds a new token.
	TTL time.Duration
	// RotationPeriod is the time between rotations.
	RotationPeriod time.Duration
	// Prepared is where the caller may keep what it has made of Account, Token and RotationPeriod, which stay the same for many
	// reads.
	Prepared *atomic.Value
}

// Served is what warm reads are given without a lock: a token and the settings that it came with. It is immutable, but for the
// prepared.
type Served struct {
	account *Account
	token   *Token
	// rotateLeft is the life at which the token is due for rotation.
	rotateLeft time.Duration
	// freshLeft is the life down to which it is served all the same, so that readers need not notice a rotation: see grace.
	freshLeft time.Duration
	clock     ClockSteps   // by which the times of the token are
	prepared  atomic.Value // see Result.Prepared
}

// Served is what warm reads are given from now on; old, where that is still right, and nil for nothing.
func (s *State) Served(old *Served) *Served {
	if s.Known != known || s.Account.Paused || s.Current == nil || s.Suspect {
		return nil
	}
	if old != nil && old.account == s.Account && old.token == s.Current && old.clock == s.clock {
		return old
	}
	a, rotateLeft := s.Account, s.rotateLeft()
	return &Served{
		account: a, token: s.Current, clock: s.clock,
		rotateLeft: rotateLeft, freshLeft: max(rotateLeft-grace(a, s.Current), minLife-1),
	}
}

// Fresh reports whether the token can be served with no further thought. seen are the last steps of the clock that were noticed.
func (s *Served) Fresh(now Reading, seen *ClockSteps) bool {
	return s != nil && s.token.Remaining(now) > s.freshLeft && s.clock == *seen && !seen.isSet(now)
}

// Result is what a reader gets.
func (s *Served) Result(now Reading) Result {
	left := s.token.Remaining(now)
	return Result{
		Account:        s.account,
		Token:          s.token,
		Now:            now,
		Remaining:      left,
		TTL:            min(max(left-s.rotateLeft, time.Second), left),
		RotationPeriod: s.token.Life() - s.rotateLeft,
		Prepared:       &s.prepared,
	}
}

// Overdue serves a token whose rotation is late: behind a slow login, a queue, or a hold that ends after the given time.
func (s *Served) Overdue(now Reading, next time.Duration) Result {
	a := s.Result(now)
	chance := time.Duration(rand.Int64N(int64(overdueSpread))) //nolint:gosec // chance that spreads load, not a secret
	// Clients add a chance of their own, of up to a tenth: they must be back before the token dies.
	latest := a.Remaining / 100 * 85
	a.TTL = max(min(next+s.account.Upstream.RequestTimeout+chance, latest), min(leastTTL, a.Remaining))
	return a
}
