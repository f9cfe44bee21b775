// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

// hangingVerification is a mount on which a write of config gst has been waiting for the upstream for a moment, and will for some
// seconds. The clock is the real one: a goroutine that waits for a mutex stops that of a bubble.
func hangingVerification(t *testing.T) (s *testMount, write <-chan asyncResult) {
	t.Helper()
	s = gstMount(t, time.Hour, "request_timeout", "5s")
	s.token("app")
	s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
	write = s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
	for end := time.Now().Add(3 * time.Second); s.logins() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no verification has begun")
		}
	}
	return s, write
}

// TestConfigWrite_HangingVerificationDelaysNoOtherName: the verification of one config hangs. Roles of other names are written
// meanwhile.
func TestConfigWrite_HangingVerificationDelaysNoOtherName(t *testing.T) {
	t.Parallel()
	s, write := hangingVerification(t)
	late := map[string]time.Duration{}
	for n := range 1000 {
		name := fmt.Sprintf("role/app-%d", n)
		began := time.Now()
		s.write(name, map[string]any{"config": "gst"})
		if waited := time.Since(began); waited > time.Second {
			late[name] = waited.Round(time.Millisecond)
		}
	}
	if len(late) > 0 {
		t.Errorf("writes of other names have waited for the verification of config gst: %v", late)
	}
	<-write
}

// TestConfigWrite_CallerWhoHangsUpIsGone: a caller who waits for another write of the same config hangs up, as all do when Vault
// seals or steps down.
func TestConfigWrite_CallerWhoHangsUpIsGone(t *testing.T) {
	t.Parallel()
	s, write := hangingVerification(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.do(ctx, logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 51}); time.Since(began) > 2*time.Second {
		t.Errorf("a caller who hung up after 100ms was kept for %s (%v)", time.Since(began).Round(time.Millisecond), err)
	}
	<-write
}
