// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

// count is a whole number of a response, whatever Go type it has.
func count(t *testing.T, data map[string]any, field string) string {
	t.Helper()
	return fmt.Sprint(data[field])
}

// TestStatus_StorageThatTakesNoWrites: a login that cannot even begin shows in status/ and in metrics.
func TestStatus_StorageThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ask  func(s *testMount) error
	}{
		{"read", func(s *testMount) error {
			_, err := s.ask(s.t.Context(), "app", nil)
			return err
		}},
		{"rotate", func(s *testMount) error {
			_, err := s.rotate()
			return err
		}},
	} {
		timed(t, c.name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Storage.FailPuts(1 << 30)
			err := c.ask(s)
			if err == nil || !strings.Contains(err.Error(), "no space left on device") {
				t.Fatalf("%v, want the storage's own error", err)
			}
			if got := s.logins(); got != 0 {
				t.Fatalf("%d logins: one began", got)
			}
			status := s.status()
			if status["state"] != "backing_off" || status["last_error_kind"] != "blocked" {
				t.Errorf("state %v, last_error_kind %v, want backing_off and blocked", status["state"], status["last_error_kind"])
			}
			if said := fmt.Sprint(status["last_error"]); !strings.Contains(said, "no space left on device") {
				t.Errorf("last_error is %q, want the storage's own error in it", said)
			}
			if message := fmt.Sprint(status["message"]); !strings.Contains(message, "stor") {
				t.Errorf("message is %q, want one about the storage", message)
			}
			for _, field := range []string{"consecutive_failures", "login_failures"} {
				if got := count(t, status, field); got == "0" {
					t.Errorf("%s is %s after a login that could not begin", field, got)
				}
			}
			list, err := s.do(t.Context(), logical.ListOperation, "status/", nil)
			if err != nil {
				t.Fatal(err)
			}
			info, _ := list.Data["key_info"].(map[string]any)
			if entry, _ := info["gst"].(map[string]any); entry["state"] != "backing_off" {
				t.Errorf("list status says %v, want backing_off", entry)
			}
			metrics := fmt.Sprintf("%s", s.read("metrics").Data[logical.HTTPRawBody])
			if !strings.Contains(metrics, `result="blocked"} `) {
				t.Error("metrics count no login of kind blocked")
			}
			s.Storage.Heal()
			advance(2 * time.Minute)
			s.token("app")
			if status := s.status(); status["state"] != "ready" || count(t, status, "consecutive_failures") != "0" {
				t.Errorf("state %v with %v failures, want ready with none", status["state"], status["consecutive_failures"])
			}
		})
	}
}

// TestStatus_NextAttemptOnlyInHold: next_attempt_at is empty outside a hold.
func TestStatus_NextAttemptOnlyInHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(s *testMount)
	}{
		{"never read", func(*testMount) {}},
		{"ready", func(s *testMount) { s.token("app") }},
		{"rejected token, replaced", func(s *testMount) {
			first := s.token("app")
			advance(2 * time.Minute)
			_, _ = s.ask(s.t.Context(), "app", reject(first.id))
		}},
		{"rotated by hand", func(s *testMount) {
			s.token("app")
			s.mustRotate()
		}},
		{"revoked", func(s *testMount) {
			s.token("app")
			s.revoke("")
		}},
		{"hold is over, nobody reads", func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
			s.failed("app")
			advance(24 * time.Hour)
		}},
		{"breaker, hold is over, nobody reads", func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
			s.failed("app")
			advance(3 * 24 * time.Hour)
		}},
		{"storage takes writes again, nobody reads", func(s *testMount) {
			s.Storage.FailPuts(1)
			s.failed("app")
			advance(24 * time.Hour)
		}},
		{"login in flight after a hold", func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
			s.failed("app")
			advance(5 * time.Second)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 10 * time.Second})
			go func() { _, _ = s.ask(s.t.Context(), "app", nil) }()
			advance(time.Second)
		}},
		{"rotation failed, hold is over", func(s *testMount) {
			s.token("app")
			advance(39 * time.Minute)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
			advance(10 * time.Minute)
		}},
		{"paused", func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
			s.failed("app")
			s.write("config/gst", map[string]any{"paused": true})
			advance(24 * time.Hour)
		}},
	} {
		for _, restart := range []bool{false, true} {
			timed(t, fmt.Sprintf("%s, restart %t", c.name, restart), func(t *testing.T) {
				s := gstMount(t, time.Hour)
				c.do(s)
				if restart {
					s.Reload()
					synctest.Wait()
				}
				status := s.status()
				next := fmt.Sprint(status["next_attempt_at"])
				if next == "" {
					return
				}
				at, err := time.Parse(time.RFC3339, next)
				held := status["state"] == "backing_off" || status["state"] == "rejected"
				if err != nil || !held || !at.After(time.Now()) {
					t.Errorf("next_attempt_at is %s in state %v at %s, want it empty: there is no hold", next, status["state"],
						time.Now().UTC().Format(time.RFC3339))
				}
			})
		}
	}
}

// TestStatus_CountsLoginThatCouldNotBeginInHold: storage takes no writes, so that a login by hand cannot begin. It counts as one
// that failed, also while a hold runs, which stays as it is.
func TestStatus_CountsLoginThatCouldNotBeginInHold(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Minute, Remaining: 1}, "refused": {},
	} {
		timed(t, name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) {
				if name == "refused" {
					a.Password = "another-password"
				}
			}))
			s.Simulator.SetFault(simulator.JWT, fault)
			s.failed("app")
			before := s.status()
			advance(2 * time.Minute)
			s.Storage.FailPuts(1 << 30)
			s.quiet(func() {
				if _, err := s.rotate(); err == nil || !strings.Contains(err.Error(), "no space left on device") {
					t.Fatalf("%v, want the storage's own error", err)
				}
			})
			after := s.status()
			for field, want := range map[string]string{
				"consecutive_failures": "2", "login_failures": "2", "state": count(t, before, "state"),
				"next_attempt_at": count(t, before, "next_attempt_at"),
			} {
				if got := count(t, after, field); got != want {
					t.Errorf("%s is %s, want %s", field, got, want)
				}
			}
		})
	}
}
