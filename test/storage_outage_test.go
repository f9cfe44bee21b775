// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestStorageOutage_WritesBackOff: a storage that takes no writes is not hammered.
func TestStorageOutage_WritesBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		first := s.token("app")
		advance(30 * time.Minute)
		before, logins := s.Storage.Count(mounttest.Put), s.logins()
		const most = 3000 // after so many it takes writes again, so that this test comes to an end
		s.Storage.FailPuts(most)
		for range 20 * 60 {
			advance(time.Second)
			if a, err := s.ask(t.Context(), "app", nil); err != nil || !s.Simulator.TokenAlive(a.access) {
				t.Fatalf("the token, which lives, was not served: %v", err)
			}
		}
		writes := s.Storage.Count(mounttest.Put) - before
		if writes == 0 {
			t.Fatal("storage was not written to")
		}
		if writes > 300 {
			t.Errorf("%d writes in 20 minutes to a storage that takes none, want a pause between them", writes)
		}
		s.Storage.Heal()
		advance(5 * time.Minute)
		if a := s.token("app"); a.id == first.id {
			t.Errorf("the token was not rotated when storage took writes again: %d logins, before %d", s.logins(), logins)
		}
	})
}

// TestStorageOutage_HangingDelaysNoRead: a storage that hangs holds up no read of a living token.
func TestStorageOutage_HangingDelaysNoRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		s.Storage.SlowPuts(20 * time.Second)
		for range 50 * 60 {
			advance(time.Second)
			from := time.Now()
			a, err := s.ask(t.Context(), "app", nil)
			if err != nil || !s.Simulator.TokenAlive(a.access) {
				t.Fatalf("the token, which lives, was not served: %v", err)
			}
			if waited := time.Since(from); waited > 2*time.Second {
				t.Fatalf("a read was held up for %s", waited)
			}
		}
		s.wantLogins(2)
	})
}

// TestStorageOutage_UnsavedTokenServed: a token that could not be stored is served all the same.
func TestStorageOutage_UnsavedTokenServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		release := s.Upstream.Hold()
		got := make(chan error, 1)
		go func() {
			_, err := s.ask(t.Context(), "app", nil)
			got <- err
		}()
		advance(time.Second) // the login has begun, and that is stored
		s.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		release()
		if err := <-got; err != nil {
			t.Errorf("a good token was refused since it could not be stored: %v", err)
		}
		for range 50 {
			s.token("app")
		}
		s.wantLogins(1)
	})
}
