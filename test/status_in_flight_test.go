// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Readers wait for the first token, and are told to look at status/. It does not say that nobody has read one.
func TestStatus_ReadersWaitForALogin(t *testing.T) {
	each(t, map[string]func(s *testMount){
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
	}, func(t *testing.T, hang func(s *testMount)) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		hang(s)
		reader := s.async("token/app")
		advance(20 * time.Second)
		check.Require(t, s.wait(reader).err != nil, "the reader was served: nothing hangs")
		status := s.status()
		message := fmt.Sprint(status["message"])
		check.True(t, !strings.Contains(message, "nobody has read one"),
			"20 s after a read, which waits for a login, status/ says %v: %s", status["state"], message)
		s.Storage.Heal()
		advance(2 * time.Minute)
	})
}

// After a failed login the next is under way: status/ does not say that it takes another read.
func TestStatus_SecondLoginInFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
		s.failed("app")
		advance(5 * time.Second)
		const due = "there is no token; the next read logs in"
		s.says(text(t, s.status(), "message"), due)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		reader := s.async("token/app")
		advance(20 * time.Second)
		s.wait(reader)
		s.wantLogins(2, "(the second is in flight)")
		message := fmt.Sprint(s.status()["message"])
		check.True(t, !strings.Contains(message, due), "an attempt is under way, and status/ says: %s", message)
		advance(2 * time.Minute)
	})
}

// A login may have killed the token of a single session: status/ does not say that nobody has read one.
func TestStatus_TokenInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := singleSessionMount(t, time.Hour)
		s.token("app")
		advance(time.Minute)
		s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
		s.refused(logical.UpdateOperation, "config/gst", branch("7"))
		s.Storage.Heal()
		s.wantLogins(2, "one of them the verification")
		status := s.status()
		message := fmt.Sprint(status["message"])
		check.True(t, !strings.Contains(message, "nobody has read one"), "a minute after a read status/ says %v: %s", status["state"], message)
	})
	timed(t, "after a restart with a clock that was set back", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.Stop()
		s.Clock.Jump(-10 * time.Minute)
		s.Start()
		s.says(text(t, s.status(), "message"), "no token: the last one may be dead, after", "a clock that was set back")
		s.wantLiveToken()
	})
}
