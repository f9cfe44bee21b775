// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestConfig_WriteThatLandsAfterItsCallerHungUp: the write of the config lands when its caller has gone. The settings that
// storage has are in force then.
func TestConfig_WriteThatLandsAfterItsCallerHungUp(t *testing.T) {
	t.Parallel()
	for _, verify := range []bool{false, true} {
		t.Run(fmt.Sprintf("verified %t", verify), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { writeLandsLate(t, verify) })
		})
	}
}

func writeLandsLate(t *testing.T, verify bool) {
	t.Helper()
	s := gstMount(t, time.Hour)
	before := s.token("app")
	advance(time.Minute)
	caught, release := s.Storage.HoldNextPut("config/gst")
	ctx, cancel := context.WithCancel(t.Context())
	write := s.asyncRequest(ctx, logical.UpdateOperation, "config/gst", map[string]any{
		"headers": map[string]any{"X-Branch": "7"}, "authorization_scheme": "Token", "verify_connection": verify,
	})
	s.waitUntil("the write of the config", func() bool { return closed(caught) })
	cancel()
	advance(time.Second)
	_, _ = s.ask(t.Context(), "app", nil)
	release()
	s.wait(write)
	advance(time.Minute)
	if scheme := s.read("config/gst").Data["authorization_scheme"]; scheme != "Token" {
		t.Fatalf("authorization_scheme is %v: the write did not land", scheme)
	}
	after := s.read("token/app").Data
	if after["token_type"] != "Token" || after["token_id"] == before.id {
		t.Errorf("a read gives a token of type %v, the one of before: %t, and storage has other settings",
			after["token_type"], after["token_id"] == before.id)
	}
}
