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

// hangingVerification is a mount on which a write of config gst waits for the upstream, and will for a minute.
// The clock is the real one: a goroutine that waits for a mutex stops that of a bubble.
func hangingVerification(t *testing.T) (s *testMount, isUnderWay func() bool) {
	t.Helper()
	s = gstMount(t, time.Hour, "request_timeout", "60s")
	s.token("app")
	s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.do(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
	}()
	t.Cleanup(func() {
		s.Backend().Cleanup(context.WithoutCancel(t.Context()))
		<-ended
	})
	isUnderWay = func() bool {
		select {
		case <-ended:
			return false
		default:
			return true
		}
	}
	for s.logins() < 2 {
		if !isUnderWay() {
			t.Fatal("the write has ended without a verification")
		}
		time.Sleep(time.Millisecond)
	}
	return s, isUnderWay
}

// TestConfigWrite_HangingVerificationDelaysNoOtherName: the verification of one config hangs. Roles of other names are written
// meanwhile.
func TestConfigWrite_HangingVerificationDelaysNoOtherName(t *testing.T) {
	t.Parallel()
	s, isUnderWay := hangingVerification(t)
	for n := range 1000 {
		name := fmt.Sprintf("role/app-%d", n)
		s.write(name, map[string]any{"config": "gst"})
		if !isUnderWay() {
			t.Fatalf("the write of %s has waited for the verification of config gst", name)
		}
	}
}

// TestConfigWrite_CallerWhoHangsUpIsGone: a caller who waits for another write of the same config hangs up, as all do when Vault
// seals or steps down.
func TestConfigWrite_CallerWhoHangsUpIsGone(t *testing.T) {
	t.Parallel()
	s, isUnderWay := hangingVerification(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.do(ctx, logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 51})
	if err == nil || !isUnderWay() {
		t.Errorf("a caller who hung up after 100ms was kept until the write before had ended (%v)", err)
	}
}
