// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// atEnd is what the readers of a repeated token met: how many were refused, and how many of them at an unexpected time.
type atEnd struct{ reads, failed, unexplained int }

// readOver reads every second. In the last 6 s of its life a token counts as expired, and nothing can be had in its place until
// that end has come; then the next attempt is made. nearEnd reports whether that explains a failure; stated is the end of the
// token that was served last.
func (s *testMount) readOver(span time.Duration, nearEnd func(now, stated time.Time) bool) (met atEnd) {
	s.t.Helper()
	var stated time.Time
	for end := time.Now().Add(span); time.Now().Before(end); advance(time.Second) {
		met.reads++
		a, err := s.ask(s.t.Context(), "app", nil)
		switch {
		case err == nil && a.left < 5*time.Second:
			s.t.Errorf("a token with %s left was served", a.left)
		case err == nil:
			stated = a.expires
		default:
			met.failed++
			if !nearEnd(time.Now(), stated) {
				met.unexplained++
				check.True(s.t, met.unexplained >= 5, "a read far from the token's end: %v", err)
			}
			if !strings.Contains(err.Error(), "repeat") && !strings.Contains(err.Error(), "same token") {
				met.unexplained++
				check.True(s.t, met.unexplained >= 5, "the message does not say that the upstream repeats its token: %v", err)
			}
		}
	}
	s.t.Logf("%d reads, %d failed", met.reads, met.failed)
	return met
}

// The upstream has one token, and says at each login that it lives for another hour.
func TestRepeated_RenewedTokenIsServed(t *testing.T) {
	eachOf(t, []int{66, 100}, func(t *testing.T, percent int) {
		s := gstMount(t, time.Hour, "rotation_percent", percent)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		s.EveryMinute()
		began := time.Now()
		met := s.readOver(10*time.Hour, func(now, stated time.Time) bool {
			return now.After(stated.Add(-7*time.Second)) && now.Before(stated.Add(2*time.Second))
		})
		ends := int(time.Since(began)/time.Hour) + 1
		most := 8 * ends
		check.True(t, met.failed <= most, "%d of %d reads failed, want at most %d: 8 s at each end", met.failed, met.reads, most)
		// An hour has 20 minutes between the time of rotation and the end, and at least a minute between two logins.
		between(t, len(s.Upstream.LoginTimes()), ends-1, 25*ends, "logins in ten hours")
	})
}

// The upstream repeats its token with what is left of its life, and has another one once that is over.
func TestRepeated_FallingLifeEndsInNewToken(t *testing.T) {
	eachOf(t, []int{66, 100}, func(t *testing.T, percent int) {
		s := gstMount(t, time.Hour, "rotation_percent", percent)
		var mu sync.Mutex
		var born time.Time
		number := 0
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if born.IsZero() || time.Since(born) >= time.Hour {
				born, number = time.Now(), number+1
			}
			left := int((time.Hour - time.Since(born)) / time.Second)
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"token":"token-number-%d","expires_in":%d}`, number, left)
		})
		s.EveryMinute()
		met := s.readOver(5*time.Hour, func(now, _ time.Time) bool {
			mu.Lock()
			defer mu.Unlock()
			lived := now.Sub(born)
			return lived > time.Hour-7*time.Second
		})
		check.True(t, met.failed <= 5*8, "%d of %d reads failed, want at most 8 at each of 5 ends", met.failed, met.reads)
		mu.Lock()
		defer mu.Unlock()
		check.True(t, number >= 5, "%d tokens in five hours: the test did not reach their ends", number)
	})
}

// The upstream gives another token first, and the revoked one long after its end.
func TestRepeated_RevokedTokenIsNeverServedLater(t *testing.T) {
	t.Parallel()
	read := func(s *testMount) error {
		_, err := s.ask(s.t.Context(), "app", nil)
		return err
	}
	headers := func(s *testMount, verify bool) error {
		_, err := s.do(s.t.Context(), logical.UpdateOperation, "config/gst", branch("7", "verify_connection", verify))
		return err
	}
	for name, ask := range map[string]func(s *testMount) error{
		"read":             read,
		"rotate":           func(s *testMount) error { _, err := s.rotate(); return err },
		"verification":     func(s *testMount) error { return headers(s, true) },
		"restart and read": func(s *testMount) error { s.Reload(); return read(s) },
		"write and read":   func(s *testMount) error { check.NoError(s.t, headers(s, false)); return read(s) },
	} {
		for _, between := range []bool{false, true} {
			for _, after := range []time.Duration{30 * time.Minute, 2 * time.Hour, 30 * time.Hour} {
				timed(t, fmt.Sprintf("%s, another between %t, after %s", name, between, after), func(t *testing.T) {
					repeatRevoked(t, between, after, ask)
				})
			}
		}
	}
}

func repeatRevoked(t *testing.T, between bool, after time.Duration, ask func(*testMount) error) {
	t.Helper()
	s := gstMount(t, time.Hour)
	s.loginsReturn(`{"token":"the-revoked-token","expires_in":3600}`)
	s.EveryMinute()
	first := s.token("app")
	advance(time.Minute)
	s.revoke("")
	if between {
		s.loginsReturn(`{"token":"another-token","expires_in":3600}`)
		s.token("app")
	}
	advance(after)
	s.loginsReturn(`{"token":"the-revoked-token","expires_in":3600}`)
	before := len(s.Upstream.LoginTimes())
	err := ask(s)
	a, failed := s.ask(t.Context(), "app", nil)
	check.True(t, failed != nil || a.id != first.id, "token %s is served, which was revoked (asked first: %v)", a.id, err)
	check.True(t, between || len(s.Upstream.LoginTimes()) != before, "the upstream was not asked")
}
