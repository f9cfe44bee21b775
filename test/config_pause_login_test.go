// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestConfigPause_LoginNotSentYet: storage is still being told that a login begins when the account is paused. The login is not
// made.
func TestConfigPause_LoginNotSentYet(t *testing.T) {
	t.Parallel()
	slow := func(s *testMount) {
		s.Storage.Slow(mounttest.Put, "token/", 5*time.Second)
	}
	timed(t, "here", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		slow(s)
		reader := s.async("token/app")
		advance(time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"paused": true})
		advance(time.Second)
		if paused, _ := s.read("config/gst").Data["paused"].(bool); !paused {
			t.Fatal("the pause is not stored")
		}
		s.wantLogins(0, "when the pause was stored")
		s.wait(write)
		s.wait(reader)
		advance(time.Minute)
		s.wantLogins(0, "after the pause")
	})
	timed(t, "elsewhere", func(t *testing.T) {
		s := newClusters(t, time.Hour)
		slow(s.testMount)
		reader := s.async("token/app")
		advance(time.Second)
		s.elsewhere("config/gst", map[string]any{"paused": true})
		advance(time.Second)
		s.wantLogins(0, "when the pause was stored")
		s.wait(reader)
		advance(time.Minute)
		s.wantLogins(0, "after the pause")
	})
}
