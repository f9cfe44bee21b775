// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Only a write that changes a credential, or a login that succeeds, closes it.
func TestBreaker_StaysOpenOnHeadersWrittenElsewhere(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, restart bool) {
		s := newClusters(t, time.Hour)
		s.changePassword()
		s.failed("app")
		s.wantRefusedLogins(1)
		for n := range 10 {
			advance(5 * time.Second)
			s.headers(fmt.Sprint(n))
			s.reloadIf(restart)
			s.failsWith(http.StatusBadRequest)
		}
		s.wantLogins(1, "though headers were written ten times elsewhere")
		// A new credential closes it here as well.
		s.elsewhere("config/gst", map[string]any{"password": "another-password", "verify_connection": false})
		s.token("app")
	})
}

// crashAfterPut is storage that kills the plugin as soon as it has written the key.
type crashAfterPut struct {
	logical.Storage

	key   string
	armed atomic.Bool
	kill  func()
}

func (c *crashAfterPut) Put(ctx context.Context, entry *logical.StorageEntry) error {
	err := c.Storage.Put(ctx, entry)
	if entry.Key == c.key && c.armed.CompareAndSwap(true, false) {
		c.kill()
	}
	return err
}

// A write of headers is cut off after the config is stored and before the account's own record is.
func TestBreaker_StaysOpenOnCrashBetweenConfigAndRecord(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		killer := &crashAfterPut{Storage: s.Storage.Entries, key: "config/gst", kill: func() { s.LoseStorage() }}
		s.Storage.Entries = killer
		s.Reload()
		s.changePassword()
		s.failed("app")
		s.wantRefusedLogins(1)
		for n := range 10 {
			advance(5 * time.Second)
			killer.armed.Store(true)
			_, _ = s.do(t.Context(), logical.UpdateOperation, "config/gst", branch(fmt.Sprint(n), "verify_connection", false))
			check.Require(t, !killer.armed.Load(), "the config was not written: the crash did not happen")
			s.Stop()
			s.Start()
			s.failsWith(http.StatusBadRequest)
		}
		s.wantLogins(1, "though ten writes of headers were cut off")
		s.wantState("rejected")
	})
}

// A verification that failed says nothing any more once logins have succeeded since.
func TestVerification_FailureEndsWithSuccess(t *testing.T) {
	t.Parallel()
	for _, verify := range []bool{true, false} {
		for _, restart := range []bool{true, false} {
			timed(t, fmt.Sprintf("verified %t, restart %t", verify, restart), func(t *testing.T) {
				s := gstMount(t, time.Hour)
				change := func(name string, verify bool) error {
					resp, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", branch(name, "verify_connection", verify))
					if err == nil && resp.IsError() {
						err = resp.Error()
					}
					return err
				}
				s.token("app")
				advance(time.Minute)
				s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
				check.Require(t, change("7", true) != nil, "a verification that the upstream refused was accepted")
				s.wantRefusedLogins(1)
				s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
				advance(2 * time.Minute)
				for range 2 { // an operator has the upstream mend it, and logs in
					s.mustRotate()
					advance(time.Minute)
				}
				s.reloadIf(restart)
				for _, name := range []string{"7", "8", "7"} {
					check.Equal(t, change(name, verify), nil, "a change of headers to %s", name)
					advance(time.Minute)
					s.token("app")
					s.wantState("ready")
				}
			})
		}
	}
}

// A write that changes no credential is decided from memory while the breaker is open or a Retry-After runs.
func TestVerification_ObeysTheHold(t *testing.T) {
	type testCase struct {
		fault simulator.Fault
		code  int
	}
	eachRestart(t, map[string]testCase{
		"breaker open": {simulator.Fault{Kind: simulator.FaultRefuse}, http.StatusBadRequest},
		"Retry-After":  {simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute}, http.StatusTooManyRequests},
	}, func(t *testing.T, c testCase, restart bool) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, c.fault)
		s.failed("app")
		got := s.Simulator.Counters()
		check.Require(t, got.Logins == 1 && got.Faulted == 1, "%d logins, %d of them failed: want 1", got.Logins, got.Faulted)
		s.reloadIf(restart)
		for n := range 20 {
			advance(50 * time.Millisecond)
			_, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", branch(fmt.Sprint(n)))
			check.True(t, codeOf(err) == c.code, "write %d got %d (%v), want %d", n, codeOf(err), err, c.code)
		}
		s.wantLogins(1, "though headers were written twenty times")
	})
}
