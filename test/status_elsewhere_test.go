// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"time"
)

// TestStatusList_WriteElsewhereHidesNoFault: another cluster writes a field that has nothing to do with the login, of an account
// that comes late in a long list.
func TestStatusList_WriteElsewhereHidesNoFault(t *testing.T) {
	t.Parallel()
	timed(t, "300 accounts", func(t *testing.T) {
		s := newClusters(t, time.Hour)
		for n := range 300 {
			s.elsewhere(fmt.Sprintf("config/a-%03d", n), jwtConfig("verify_connection", false))
		}
		s.changePassword()
		s.failed("app")
		state := func() any {
			list := s.list("status/")
			info, _ := list.Data["key_info"].(map[string]any)
			entry, _ := info["gst"].(map[string]any)
			return entry["state"]
		}
		if got := state(); got != "rejected" {
			t.Fatalf("state is %v before", got)
		}
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		if got := state(); got != "rejected" {
			t.Errorf("list status/ says %v of an account whose credentials are refused", got)
		}
	})
}

// TestStatus_RecreatedElsewhereCountsAnew: a config is deleted and written again, which starts its counts anew, on another
// cluster as here.
func TestStatus_RecreatedElsewhereCountsAnew(t *testing.T) {
	t.Parallel()
	timed(t, "counts", func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(5 * time.Hour) // it is rotated, expires, and leaves memory
		s.primary.remove("config/gst")
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		advance(2 * time.Minute)
		s.elsewhere("config/gst", jwtConfig("verify_connection", false))
		status := s.status()
		if count(t, status, "logins") != "0" || count(t, status, "reads") != "0" || status["last_login_at"] != "" {
			t.Errorf("of a config that was only just written: logins %v, reads %v, last_login_at %v", status["logins"], status["reads"],
				status["last_login_at"])
		}
	})
}
