// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// lines are the log lines with the given message, decoded.
func (l *logBuffer) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.SplitSeq(strings.TrimSpace(l.String()), "\n") {
		var fields map[string]any
		check.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["@message"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// last is the newest of them; there must be one.
func (l *logBuffer) last(t *testing.T, message string) map[string]any {
	t.Helper()
	lines := l.lines(t, message)
	check.Require(t, len(lines) != 0, "no log line %q", message)
	return lines[len(lines)-1]
}

func TestLogs_NameTheMount(t *testing.T) {
	t.Parallel()
	timed(t, "by its path once a request came, and by its UUID before", func(t *testing.T) {
		w, book := oauth().logged(t)
		w.read("token/app")
		check.Equal(t, book.last(t, "logged in upstream")["mount"], "mastersindia/", "mount")
		w.Reload()
		advance(45 * time.Minute) // past the rotation
		lines := book.lines(t, "logged in upstream")
		check.True(t, len(lines) == 2 && lines[1]["mount"] == "00000000-0000-0000-0000-000000000000", "lines %v, want a second one with the UUID", lines)
		w.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		w.write("config/gst", map[string]any{"headers": "X-Team=gst", "verify_connection": false})
		check.Equal(t, book.last(t, "the config is stored, the record of its account is not yet")["mount"], "mastersindia/", "mount")
	})
	timed(t, "in plain text too", func(t *testing.T) {
		book := &logBuffer{}
		w := newTestMountWith(t, func(w *testMount) {
			w.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: book})
		}, jwtAccount())
		w.mount(jwtV1())
		w.read("token/app")
		check.True(t, strings.Contains(book.String(), "mount=mastersindia/ "), "no line names the mount: %s", book)
	})
}

// A failed login is logged by who must act.
func TestLogs_FailedLoginLevel(t *testing.T) { //nolint:tparallel // eachNamed calls it
	type testCase struct{ level, kind string }
	eachNamed(t, map[simulator.FaultKind]testCase{
		simulator.FaultRefuse:      {"error", "rejected"},
		simulator.FaultUnavailable: {"warn", "unavailable"},
	}, func(t *testing.T, kind simulator.FaultKind, want testCase) {
		w, book := jwtV1().logged(t)
		w.Simulator.SetFault("", simulator.Fault{Kind: kind})
		w.refused(logical.ReadOperation, "token/app", nil)
		line := book.last(t, "login failed")
		check.True(t, line["@level"] == want.level && line["kind"] == want.kind && line["config"] == "gst" && line["duration"] != "",
			"line %v, want level %s and kind %s", line, want.level, want.kind)
	})
	timed(t, "a verification", func(t *testing.T) {
		w, book := jwtV1().logged(t)
		w.refused(logical.UpdateOperation, "config/new", jwtConfig("password", "another"))
		line := book.last(t, "login failed")
		check.True(t, line["@level"] == "warn" && line["reason"] == "verification", "line %v: the operator who wrote the password got the error", line)
	})
}

func TestLogs_BlockedLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, book := oauth().logged(t)
		w.read("token/app")
		w.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		w.quiet(func() { advance(42 * time.Minute) })
		line := book.last(t, "no login could begin: it will be tried again")
		said, _ := line["error"].(string)
		check.True(t, line["@level"] == "warn" && line["config"] == "gst" && line["reason"] == "rotation" && strings.Contains(said, mounttest.ErrStorage().Error()),
			"line %v", line)
		atMost(t, len(book.lines(t, "no login could begin: it will be tried again")), 20, "lines in two minutes")
		w.Storage.Heal()
		w.loggingIn(1, func() { advance(2 * time.Minute) })
	})
}

func TestLogs_CutOffOrStaleLogin(t *testing.T) {
	t.Parallel()
	timed(t, "by the end of the process", func(t *testing.T) {
		w, book := jwtV1().logged(t)
		w.slow(10 * time.Second)
		response := w.async("token/app")
		advance(time.Second)
		w.Reload()
		w.wait(response)
		synctest.Wait()
		line := book.last(t, "a login was cut off when the plugin stopped: it counts as failed")
		check.True(t, line["config"] == "gst", "line %v", line)
	})
	timed(t, "by a change, and not as a failure", func(t *testing.T) {
		w, book := jwtV1().logged(t)
		w.slow(10 * time.Second)
		response := w.async("token/app")
		advance(time.Second)
		w.write("config/gst", map[string]any{"paused": true})
		w.wait(response)
		advance(time.Minute)
		lines := book.lines(t, "login failed")
		check.True(t, len(lines) == 0, "lines %v", lines)
	})
}

// No connection can be made over TLS. The command that the message gives names fields that a config of this protocol has.
func TestRemedy_NamesOnlyFieldsOfTheProtocol(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		url, _ := f.config["token_url"].(string)
		s := f.mounted(t, "token_url", strings.Replace(url, "http://", "https://", 1))
		text := s.failure("app").Error()
		check.Require(t, strings.Contains(text, "ca_cert="), "the failure is not one of TLS: %s", text)
		for _, field := range regexp.MustCompile(`(\w+)=[-@]`).FindAllStringSubmatch(text, -1) {
			name := field[1]
			check.True(t, name == "ca_cert" || f.config[name] != nil, "a config of protocol %v has no %s: %s", f.config["protocol"], name, text)
		}
	})
}

// At the time that a message or status/ names for the next attempt it is made.
func TestLoginError_NamedTimeIsNotTooEarly(t *testing.T) {
	forced := func(s *testMount) time.Time {
		_, err := s.rotate()
		_, rest, _ := strings.Cut(err.Error(), "logs in again from ")
		stamp, _, _ := strings.Cut(rest, " on")
		at, wrong := time.Parse(time.RFC3339, stamp)
		check.Require(s.t, wrong == nil, "rotate/ names no time: %v", err)
		return at
	}
	eachNamed(t, map[string]func(s *testMount) time.Time{
		"status/": func(s *testMount) time.Time { return moment(s.t, s.status(), "next_attempt_at") },
		"rotate/": forced,
	}, func(t *testing.T, name string, next func(s *testMount) time.Time) {
		s := gstMount(t, time.Hour)
		advance(300 * time.Millisecond)
		s.changePassword()
		s.failed("app")
		advanceUntil(next(s))
		if name == "rotate/" {
			_, _ = s.rotate()
		} else {
			s.failed("app")
		}
		s.wantLogins(2, "(one at the time that was named)")
	})
}

// Where the settings are right, the message says how to log in once the vendor has mended the upstream.
func TestRemedy_MalformedRequestOrMendedUpstream(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.refuseRequests()
		s.says(s.failure("app").Error(), "rejected the request as malformed", "vault read mastersindia/config/gst",
			"if they are correct: vault write -f mastersindia/rotate/gst")
	})
}

// Formats of the vendor that are not on its pages, with a wrong password too: a refusal opens the breaker in whatever form.
func TestLogin_UndocumentedFormats(t *testing.T) {
	type testCase struct {
		fixture fixture
		change  func(*simulator.Account)
		words   string
	}
	each(t, map[string]testCase{
		"jwt in the business envelope":   {jwtV1(), func(a *simulator.Account) { a.BusinessEnvelope = true }, "Unable to login"},
		"oauth in the business envelope": {oauth(), func(a *simulator.Account) { a.BusinessEnvelope = true }, "invalid_grant"},
		"soap in ISO-8859-1":             {soap(), func(a *simulator.Account) { a.Latin1 = true }, "Accès refusé"},
	}, func(t *testing.T, form testCase) {
		f := form.fixture
		form.change(&f.account)
		w := f.mounted(t)
		token, _ := w.read("token/app").Data["access_token"].(string)
		check.True(t, w.Simulator.TokenAlive(token), "the token that is served is none of the upstream's")
		changed := f.account
		changed.Password = "another"
		w.Simulator.SetAccount(changed)
		before := w.logins()
		r := w.upstreamRefusal(logical.UpdateOperation, "rotate/gst", nil, http.StatusBadRequest)
		w.says(r.message, form.words)
		check.Equal[any](t, w.read("status/gst").Data["state"], "rejected", "state")
		w.wantLogins(before + 1)
	})
}

// A 429 without Retry-After beside a malformed request holds a corrected one back for seconds only.
func TestThrottled_WithoutRetryAfterInInvalidHold(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.refuseRequests()
		s.failsWith(http.StatusBadRequest)
		advance(2 * time.Minute)
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultQuota, Remaining: 1})
		_, err := s.rotate()
		check.Require(t, err != nil && s.Simulator.Counters().Faulted == 1, "rotate/ met no 429: %v", err)
		advance(2 * time.Minute)
		_, err = s.do(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
		check.True(t, err == nil, "two minutes after a 429 that asked for no wait: %v", err)
	})
}

func TestConfigVerify_SaysWhatItMet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := refusedMount(t)
		advance(16 * time.Minute)
		s.unresolved("upstream.test")
		r := s.refusal(logical.UpdateOperation, "config/gst", branch("7"))
		s.wantLogins(1, "the refused one")
		check.True(t, !strings.Contains(r.message, "its login failed: upstream refused the credentials"),
			"of a login that never reached the upstream it is said: %s", r.message)
	})
}

// TestLogin_ProxyNotFoundIsNamed: where the name of the proxy does not resolve, the advice is not about token_url alone.
func TestLogin_ProxyNotFoundIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.unresolved("proxy.test")
		data := map[string]any{"proxy_url": "http://proxy.test:3128", "password": "pass-of-clerk"}
		const advice = "check the host of token_url, and the proxy if there is one"
		s.says(s.refusal(logical.UpdateOperation, "config/gst", data).message, "the name proxy.test does not resolve", advice)
		s.write("config/gst", with(data, "verify_connection", false))
		s.says(s.failure("app").Error(), "the name proxy.test does not resolve", advice)
	})
}

// The record of a failed verification of a config that was never stored goes with its hold.
func TestConfigVerify_RecordOfNoConfigGoes(t *testing.T) {
	each(t, map[string]simulator.Fault{
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Second}, "refused": {Kind: simulator.FaultRefuse},
	}, func(t *testing.T, fault simulator.Fault) {
		s := newTestMount(t, jwtAccount())
		s.EveryMinute()
		s.Simulator.SetFault(simulator.JWT, fault)
		s.refused(logical.UpdateOperation, "config/gst", jwtConfig())
		check.Require(t, len(s.storedUnder("token/")) == 1, "stored: %v", s.storedUnder("token/"))
		for range 2 {
			advance(4 * 24 * time.Hour)
			check.Equal(t, len(s.storedUnder("token/")), 0, "entries under token/")
			s.Reload()
		}
	})
}

// A forced login that meets an outage hides not why the engine makes no login for hours.
func TestRepeatedToken_HoldKeepsItsReason(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"invented-access-token-7","expires_in":86400}`)
		s.token("app")
		s.write("revoke/gst", nil)
		s.readEvery("app", 10*time.Second, 6*time.Hour)
		s.says(text(t, s.status(), "message"), "repeats a token that was revoked")
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		_ = s.failedRotate()
		advance(2 * time.Minute)
		left := moment(t, s.status(), "next_attempt_at").Sub(s.Clock.Now())
		message := text(t, s.status(), "message")
		check.True(t, left <= time.Minute || strings.Contains(message, "repeat"), "no login is made for %s, and the status says why: %s", left, message)
	})
}

// A write whose verification waits for settings that storage does not give ends, and overwrites nothing unseen.
func TestConfigVerify_BoundedWhileSettingsCannotBeRead(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.token("app")
		caught, release := s.Storage.HoldNextPut("token/gst")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, _, err := s.Do(ctx, logical.UpdateOperation, "config/gst", branch("7"))
			ended <- err
		}()
		<-caught
		s.Storage.Fail(mounttest.Get, "config/", mounttest.ErrStorage())
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		synctest.Wait()
		release()
		advance(10 * time.Minute)
		check.Require(t, len(ended) == 1, "the write hangs for ten minutes")
		err := <-ended
		check.Require(t, err != nil, "the write has stored what it could not compare")
		check.Contains(t, err.Error(), mounttest.ErrStorage().Error())
	})
}
