// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// count is a whole number of a response, whatever Go type it has.
func count(t *testing.T, data map[string]any, field string) string {
	t.Helper()
	return fmt.Sprint(data[field])
}

// A login that cannot even begin shows in status/ and in metrics.
func TestStatus_StorageThatTakesNoWrites(t *testing.T) {
	each(t, map[string]func(s *testMount) error{
		"read": func(s *testMount) error { return s.failure("app") }, "rotate": (*testMount).failedRotate,
	}, func(t *testing.T, ask func(s *testMount) error) {
		s := gstMount(t, time.Hour)
		s.Storage.FailPuts(1 << 30)
		s.says(ask(s).Error(), "no space left on device")
		s.wantLogins(0, "where none can begin")
		status := s.status()
		check.True(t, status["state"] == "backing_off" && status["last_error_kind"] == "blocked",
			"state %v, last_error_kind %v, want backing_off and blocked", status["state"], status["last_error_kind"])
		s.says(text(t, status, "last_error"), "no space left on device")
		s.says(text(t, status, "message"), "stor")
		for _, field := range []string{"consecutive_failures", "login_failures"} {
			got := count(t, status, field)
			check.True(t, got != "0", "%s is %s after a login that could not begin", field, got)
		}
		check.Equal[any](t, s.listed("status/", "gst")["state"], "backing_off", "list status/ says")
		metrics := fmt.Sprintf("%s", s.read("metrics").Data[logical.HTTPRawBody])
		check.True(t, strings.Contains(metrics, `result="blocked"} `), "metrics count no login of kind blocked")
		s.Storage.Heal()
		advance(2 * time.Minute)
		s.token("app")
		s.wantState("ready")
		check.Equal(t, count(t, s.status(), "consecutive_failures"), "0", "consecutive_failures")
	})
}

// The plugin's file was missing when the node became active: Vault lets the mount read and not write.
func TestStorage_ReadOnlyDuringSetup(t *testing.T) {
	ksaTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Storage.SetFault(func(_ int, kind, _ string) mounttest.Fault {
			if kind == mounttest.Put || kind == mounttest.Delete {
				return mounttest.Fault{Err: logical.ErrSetupReadOnly}
			}
			return mounttest.Fault{}
		})
		s.Reload()
		says := []string{"cannot write to storage during setup", "the plugin's file was missing", "vault operator step-down", "unseal"}
		for _, c := range []request{
			{logical.UpdateOperation, "rotate/gst", nil},
			{logical.UpdateOperation, "revoke/gst", nil},
			{logical.UpdateOperation, "config/gst", map[string]any{"pause_reason": "none"}},
			{logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
			{logical.DeleteOperation, "role/app", nil},
			{logical.DeleteOperation, "config/gst", nil},
		} {
			r := s.refusal(c.op, c.path, c.data)
			check.True(t, r.status == http.StatusInternalServerError && r.coded, "%s: %d, coded %t", c, r.status, r.coded)
			s.says(r.message, says...)
		}
		s.Simulator.KillTokens("", "")
		advance(2 * time.Hour)
		s.loggingIn(0, func() { s.says(s.refusal(logical.ReadOperation, "token/app", nil).message, says...) })
		status := s.status()
		check.True(t, status["last_error_kind"] == "blocked", "last_error_kind %v, want blocked", status["last_error_kind"])
		s.says(fmt.Sprint(status["message"]), says...)
		s.Storage.Heal()
		advance(2 * time.Minute)
		s.token("app")
	})
}

func TestStatus_NextAttemptOnlyInHold(t *testing.T) {
	failed := func(kind simulator.FaultKind, passed time.Duration) func(s *testMount) {
		return func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind, Remaining: 1})
			s.failed("app")
			advance(passed)
		}
	}
	eachRestart(t, map[string]func(s *testMount){
		"never read":                          func(*testMount) {},
		"ready":                               func(s *testMount) { s.token("app") },
		"rotated by hand":                     func(s *testMount) { s.token("app"); s.mustRotate() },
		"revoked":                             func(s *testMount) { s.token("app"); s.revoke("") },
		"hold is over, nobody reads":          failed(simulator.FaultDown, 24*time.Hour),
		"breaker, hold is over, nobody reads": failed(simulator.FaultRefuse, 3*24*time.Hour),
		"rejected token, replaced": func(s *testMount) {
			first := s.token("app")
			advance(2 * time.Minute)
			s.rejecting(first.id)
		},
		"storage takes writes again, nobody reads": func(s *testMount) {
			s.Storage.FailPuts(1)
			s.failed("app")
			advance(24 * time.Hour)
		},
		"login in flight after a hold": func(s *testMount) {
			failed(simulator.FaultDown, 5*time.Second)(s)
			s.slow(10 * time.Second)
			go func() { _, _ = s.ask(s.t.Context(), "app", nil) }()
			advance(time.Second)
		},
		"rotation failed, hold is over": func(s *testMount) {
			s.token("app")
			advance(39 * time.Minute)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
			advance(10 * time.Minute)
		},
		"paused": func(s *testMount) {
			failed(simulator.FaultDown, 0)(s)
			s.write("config/gst", map[string]any{"paused": true})
			advance(24 * time.Hour)
		},
	}, func(t *testing.T, happens func(s *testMount), restart bool) {
		s := gstMount(t, time.Hour)
		happens(s)
		s.reloadIf(restart)
		synctest.Wait()
		status := s.status()
		next := fmt.Sprint(status["next_attempt_at"])
		if next == "" {
			return
		}
		at, err := time.Parse(time.RFC3339, next)
		held := status["state"] == "backing_off" || status["state"] == "rejected"
		check.True(t, err == nil && held && at.After(time.Now()),
			"next_attempt_at is %s in state %v at %s, want it empty: there is no hold",
			next, status["state"], time.Now().UTC().Format(time.RFC3339))
	})
}

// Settings that another version has stored, and this one cannot use: all name the config and what to do.
func TestStatus_UnusableSettings(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.put("config/gst", strings.Replace(s.stored()["config/gst"], `"request_format":"json"`, `"request_format":"morse"`, 1))
		s.Reload()
		says := []string{`config "gst": the stored settings cannot be used: `, "request_format must be", "write that field",
			"vault read mastersindia/config/gst"}
		for range 2 {
			r := s.upstreamRefusal(logical.ReadOperation, "token/app", nil, http.StatusInternalServerError)
			s.says(r.message, says...)
		}
		s.says(text(t, s.status(), "message"), says[1:]...)
		r := s.upstreamRefusal(logical.UpdateOperation, "rotate/gst", nil, http.StatusInternalServerError)
		s.says(r.message, says...)
		s.wantLogins(0, "with settings that cannot be used")
		s.write("config/gst", map[string]any{"request_format": "json"})
		s.token("app")
	})
}
