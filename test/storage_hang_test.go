// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// TestRead_UpstreamHangsOnOrdinaryStorage: the upstream does not respond, and storage takes the few milliseconds that it always
// takes. The reader whose login has timed out is not sent to look after Vault's storage.
func TestRead_UpstreamHangsOnOrdinaryStorage(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond} {
		timed(t, latency.String(), func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Storage.SlowPuts(latency)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
			began := time.Now()
			text := s.failure("app").Error()
			if waited := time.Since(began); waited < 15*time.Second {
				t.Fatalf("the reader has waited %s: the upstream did not hang", waited)
			}
			if strings.Contains(text, "storage") {
				t.Errorf("the message blames the storage, whose writes take %s: %s", latency, text)
			}
			s.wantLogins(1, "which timed out")
			advance(time.Minute)
		})
	}
}

// TestStorageHangs_UpstreamIsNotBlamed: storage does not respond, and the upstream was not asked. The message does not say that
// the upstream was slow.
func TestStorageHangs_UpstreamIsNotBlamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op           logical.Operation
		path, access string
	}{
		{logical.ReadOperation, "status/gst", mounttest.Get},
		{logical.UpdateOperation, "revoke/gst", mounttest.Get},
		{logical.UpdateOperation, "rotate/gst", mounttest.Get},
		{logical.UpdateOperation, "rotate/gst", mounttest.Put},
	} {
		timed(t, c.path+" needs a "+c.access, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.token("app")
			s.Storage.Slow(c.access, "token/", 5*time.Minute)
			s.Reload()
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second) // Vault gives a request 90 s
			defer cancel()
			s.loggingIn(0, func() {
				_, _, err := s.Do(ctx, c.op, c.path, nil)
				if err == nil {
					t.Fatal("it was answered though storage hangs")
				}
				if text := err.Error(); strings.Contains(text, "upstream") || !strings.Contains(text, "storage") {
					t.Errorf("the message blames the wrong one: %s", text)
				}
			})
			s.Storage.Heal()
			advance(10 * time.Minute)
		})
	}
}

// TestRead_StorageHangs: a reader waits at most 15 s, whatever storage does not give, and gets an error that names the cause.
func TestRead_StorageHangs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ access, prefix string }{
		{mounttest.Get, "role/"}, {mounttest.Get, "config/"}, {mounttest.Get, "token/"}, {mounttest.Put, "token/"},
	} {
		timed(t, c.access+" "+c.prefix, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Reload()
			s.Storage.Slow(c.access, c.prefix, 80*time.Second)
			began := time.Now()
			err := s.failure("app")
			if waited := time.Since(began); waited < 15*time.Second || waited > 16*time.Second {
				t.Errorf("a reader has waited %s", waited)
			}
			s.wantLogins(0, "while storage hangs")
			if text := err.Error(); strings.Contains(text, "upstream") || !strings.Contains(text, "storage") {
				t.Errorf("the message blames the wrong one: %s", text)
			}
			s.Storage.Heal()
			advance(2 * time.Minute)
		})
	}
}
