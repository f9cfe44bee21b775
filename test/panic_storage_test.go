// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestPanic_InStorage: an access of the engine's own to storage ends in a panic, once. That is the end of what was under way, and
// neither of the account nor of the ledger.
func TestPanic_InStorage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, prefix string
		cold         bool
	}{
		"note of a login": {mounttest.Put, "token/", false},
		"load":            {mounttest.Get, "token/", true},
		"ledger":          {mounttest.Put, "ledger/", false},
	} {
		timed(t, name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.EveryMinute()
			if c.cold {
				s.Reload()
			}
			var panicked atomic.Bool
			s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
				if kind == c.kind && strings.HasPrefix(key, c.prefix) && panicked.CompareAndSwap(false, true) {
					panic("the storage of the test has stopped")
				}
				return mounttest.Fault{}
			})
			_, _ = s.ask(t.Context(), "app", nil)
			if !panicked.Load() {
				t.Fatal("nothing has panicked")
			}
			advance(5 * time.Minute)
			a, err := s.ask(t.Context(), "app", nil)
			if err != nil {
				t.Fatalf("five minutes after the panic a read says: %v", err)
			}
			write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 51})
			select {
			case <-write:
			case <-time.After(5 * time.Minute):
				t.Error("five minutes after the panic a write of the config is not answered")
			}
			advance(5 * time.Minute)
			keys := 0
			for key := range s.storedUnder("ledger/id/") {
				if strings.HasSuffix(key, a.id) {
					keys++
				}
			}
			if keys == 0 {
				t.Error("ten minutes after the panic the ledger's storage does not know the token")
			}
		})
	}
}
