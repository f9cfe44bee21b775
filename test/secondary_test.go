// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Each write of the primary comes while a login of the secondary is in flight.
func TestSecondary_WritesElsewhereDoNotMultiplyLogins(t *testing.T) {
	type testCase struct {
		write func(n int) map[string]any
		most  int // logins in 20 s
	}
	each(t, map[string]testCase{
		// The login sends the same before and after: it goes on.
		"rotation_percent": {func(n int) map[string]any { return map[string]any{"rotation_percent": 50 + n} }, 2},
		// What is in flight is of no use any more. One login at a time, of 10 s each, or ended early and held off like a failure.
		"headers": {func(n int) map[string]any { return branch(fmt.Sprint(n), "verify_connection", false) }, 6},
	}, func(t *testing.T, c testCase) {
		s := newClusters(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 10 * time.Second})
		for n := range 20 {
			go func() { _, _ = s.ask(t.Context(), "app", nil) }()
			advance(500 * time.Millisecond)
			s.elsewhere("config/gst", c.write(n))
			advance(500 * time.Millisecond)
		}
		between(t, s.logins(), 1, c.most, "logins in 20 s of writes elsewhere")
		atMost(t, s.Upstream.MostInFlight(""), 1, "logins in flight at once")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(time.Minute)
		s.token("app")
	})
}

// An account without reads is left alone, though its settings are written elsewhere and its status is looked at.
func TestSecondary_RemoteWriteAndListAreNoUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(41 * time.Minute) // it was read, and so it is rotated once
		s.wantLogins(2)
		for n := range 20 {
			s.elsewhere("config/gst", map[string]any{"pause_reason": fmt.Sprint("none ", n)})
			s.list("status/")
			check.Equal[any](t, s.status()["in_use"], false, "in_use after a look at the status")
			advance(15 * time.Minute)
		}
		s.wantLogins(2, "since the second token was not read")
	})
}

// A performance secondary hands on writes and logs in for itself.
func TestSecondary_ForwardsWritesAndLogsIn(t *testing.T) {
	t.Parallel()
	timed(t, "writes", func(t *testing.T) {
		w := jwtV1().as(t, consts.ReplicationPerformanceSecondary, func(*testMount) {})
		w.forwards(logical.UpdateOperation, "config/gst", map[string]any{"headers": "X-Team=gst"})
		w.forwards(logical.UpdateOperation, "config/gst", jwtV1().onlySecrets())
		w.forwards(logical.CreateOperation, "config/new", jwtConfig())
		w.forwards(logical.UpdateOperation, "config/new", jwtConfig())
		w.forwards(logical.DeleteOperation, "config/gst", nil)
		w.forwards(logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60})
		w.forwards(logical.UpdateOperation, "role/new", map[string]any{"config": "gst"})
		w.forwards(logical.DeleteOperation, "role/app", nil)
	})
	timed(t, "tokens", func(t *testing.T) {
		w := jwtV1().as(t, consts.ReplicationPerformanceSecondary, func(*testMount) {})
		w.loggingIn(1, func() { w.read("token/app") })
	})
	timed(t, "on a mount of its own", func(t *testing.T) {
		w := jwtV1().as(t, consts.ReplicationPerformanceSecondary, func(w *testMount) { w.Node.LocalMountVal = true })
		w.loggingIn(1, func() { w.write("config/gst", map[string]any{"headers": "X-Team=gst"}) })
	})
}
