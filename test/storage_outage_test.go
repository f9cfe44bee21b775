// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
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

// TestInvalidation_ConfigChangedElsewhere: a config that another node has changed takes effect. Vault notifies a node of a
// cluster which entries others have written.
func TestInvalidation_ConfigChangedElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetAccount(jwtAccount(withTTL(time.Hour), func(a *simulator.Account) { a.Username = "other" }))
		first := s.token("app")
		entry, err := s.Storage.Entries.Get(t.Context(), "config/gst")
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := json.Unmarshal(entry.Value, &config); err != nil {
			t.Fatal(err)
		}
		config["username"], config["generation"] = "other", "ANOTHERGENERATION"
		if entry.Value, err = json.Marshal(config); err != nil {
			t.Fatal(err)
		}
		if err := s.Storage.Entries.Put(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		a := s.token("app")
		if a.id == first.id || s.logins() != 2 {
			t.Errorf("after the config was changed elsewhere: %d logins, the old token served: %t", s.logins(), a.id == first.id)
		}
		if s.Simulator.Counters().Of(simulator.JWT, "other").LoginsOK != 1 {
			t.Error("the new user did not log in")
		}
		if _, err := s.do(t.Context(), logical.DeleteOperation, "role/app", nil); err != nil {
			t.Fatal(err)
		}
		if got := codeOf(s.failure("app")); got != 400 {
			t.Errorf("a role that was deleted returns %d, want 400", got)
		}
	})
}

// TestInvalidation_DuringLoginFailsNoReader: a change elsewhere during a login fails no reader. The login in flight is stale,
// and nobody's plugin has stopped.
func TestInvalidation_DuringLoginFailsNoReader(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"config/gst", "token/gst"} {
		timed(t, key, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			release := s.Upstream.Hold()
			done := s.startRead()
			advance(time.Second)
			if got := s.logins(); got != 1 {
				t.Fatalf("%d logins, want 1 in flight", got)
			}
			s.Backend().InvalidateKey(t.Context(), key)
			release()
			if err := <-done; err != nil {
				t.Errorf("a reader got: %v", err)
			}
			if n := s.status()["consecutive_failures"]; fmt.Sprint(n) != "0" {
				t.Errorf("%v failures, though no login has failed", n)
			}
		})
	}
}
