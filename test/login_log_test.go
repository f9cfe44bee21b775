// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
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
	synctest.Wait() // a login is logged after its readers have their response
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

func TestLogs_AccountNotLoadedAtStart(t *testing.T) {
	t.Parallel()
	timed(t, "damaged", func(t *testing.T) {
		w, book := jwtV1().logged(t)
		w.read("token/app")
		w.put("token/gst", `{"schema":1,`)
		w.Reload()
		advance(time.Hour)
		line := book.last(t, "an account cannot be loaded")
		said, _ := line["error"].(string)
		check.True(t, line["@level"] == "error" && line["config"] == "gst" && strings.Contains(said, "token/gst"), "line %v", line)
		lines := book.lines(t, "an account cannot be loaded")
		check.True(t, len(lines) == 1, "it is said %d times, and cannot change by itself", len(lines))
	})
	timed(t, "not given by storage", func(t *testing.T) {
		w, book := jwtV1().logged(t)
		w.read("token/app")
		w.Storage.Fail(mounttest.Get, "token/", mounttest.ErrStorage())
		w.Reload()
		advance(time.Second)
		line := book.last(t, "stored accounts could not be loaded: it will be tried again")
		said, _ := line["error"].(string)
		check.True(t, line["@level"] == "warn" && line["accounts"] == 1.0 && strings.Contains(said, mounttest.ErrStorage().Error()), "line %v", line)
		w.Storage.Heal()
		advance(2 * time.Minute)
		lines := book.lines(t, "stored accounts could not be loaded: it will be tried again")
		check.True(t, len(lines) == 1, "%d lines once storage works", len(lines))
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
