// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestRevokeUnsaved_KeptThroughReloads: a revocation that storage did not take outlives whatever has the account loaded anew.
// An operator who cannot revoke then tries to pause the account, which fails as well.
func TestRevokeUnsaved_KeptThroughReloads(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(s *testMount){
		"a pause that is not stored": func(s *testMount) {
			s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
			if _, err := s.do(s.t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"paused": true}); err == nil {
				s.t.Error("the write of config/gst succeeded although storage failed")
			}
		},
		"a write of another cluster":    func(s *testMount) { s.elsewhere(1) },
		"two writes of another cluster": func(s *testMount) { s.elsewhere(2) },
		"one of each": func(s *testMount) {
			s.elsewhere(1)
			s.write("config/gst", map[string]any{"pause_reason": "moving house"})
		},
	} {
		for _, restart := range []bool{false, true} {
			timed(t, fmt.Sprintf("%s, and a restart %t", name, restart), func(t *testing.T) {
				s := ksaMount(t, 24*time.Hour)
				first := s.token("app")
				advance(time.Minute)
				s.failRevoke()
				s.Storage.Heal()
				happens(s)
				s.Storage.Heal()
				if restart {
					for range 3 {
						s.minute()
						synctest.Wait()
					}
					s.Reload()
				}
				s.wantNotServed(first.id)
			})
		}
	}
}

// elsewhere is a number of writes of config gst by another cluster.
func (s *testMount) elsewhere(writes int) {
	for range writes {
		s.Backend().InvalidateKey(s.t.Context(), "config/gst")
		synctest.Wait()
	}
}
