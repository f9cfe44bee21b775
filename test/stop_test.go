// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestStop_EndsLoginsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		const many = 20
		s.accounts(many)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		var readers sync.WaitGroup
		for n := range many {
			readers.Go(func() {
				if _, err := s.ask(t.Context(), account(n), nil); codeOf(err) != 503 {
					t.Errorf("a reader during a stop got %d (%v), want 503", codeOf(err), err)
				}
			})
		}
		advance(time.Second)
		if got := s.logins(); got != many {
			t.Fatalf("%d logins in flight, want %d", got, many)
		}
		began := time.Now()
		s.Stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
		readers.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("readers were let go %s after the stop", took)
		}
		advance(time.Hour)
		if got := s.logins(); got != many {
			t.Errorf("%d logins after the stop", got-many)
		}
	})
}

func TestStop_NotDelayedByStorage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.LoseStorage()
		began := time.Now()
		s.Stop()
		s.Stop() // twice does no harm
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
	})
}
