// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// TestStatus_ReadersWaitForALogin: readers wait for the first token, and are told to look at status/. It does not say that
// nobody has read one.
func TestStatus_ReadersWaitForALogin(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]func(s *testMount){
		"the upstream hangs": func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		},
		"storage hangs while the login is noted": func(s *testMount) { s.Storage.SlowPuts(45 * time.Second) },
		"storage hangs with the token": func(s *testMount) {
			puts := 0
			s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
				if kind == mounttest.Put && strings.HasPrefix(key, "token/") {
					puts++
					if puts > 1 {
						return mounttest.Fault{Wait: 45 * time.Second}
					}
				}
				return mounttest.Fault{}
			})
		},
	} {
		timed(t, name, func(t *testing.T) {
			s := gstMount(t, time.Hour, "request_timeout", "60s")
			hang(s)
			reader := s.async("token/app")
			advance(20 * time.Second)
			if first := s.wait(reader); first.err == nil {
				t.Fatal("the reader was served: nothing hangs")
			}
			status := s.status()
			if message := fmt.Sprint(status["message"]); strings.Contains(message, "nobody has read one") {
				t.Errorf("20 s after a read, which waits for a login, status/ says %v: %s", status["state"], message)
			}
			s.Storage.Heal()
			advance(2 * time.Minute)
		})
	}
}
