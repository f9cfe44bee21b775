// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"syscall"
	"testing"
)

// wantLinear checks that the processor's time for a report grows with the length of a log, and not with its square.
func wantLinear(t *testing.T, times int, fill func(l *Log, times int)) {
	t.Helper()
	took := func(times int) (seconds float64) {
		path := logFile(t, func(l *Log) { fill(l, times) })
		var before, after syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		must(t, "", path)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		return float64(after.Utime.Nano()-before.Utime.Nano()) / 1e9
	}
	few, many := took(times), took(8*times)
	if many > 24*few {
		t.Errorf("%d times took %f seconds, and eight times as many %f", times, few, many)
	}
}

// TestTime_OneWrappingTriedAgain: a program that starts again and again tries its wrapping token each time.
func TestTime_OneWrappingTriedAgain(t *testing.T) {
	withoutVault(t)
	wantLinear(t, 500, func(l *Log, times int) {
		late := unwrap(People()[0], "w", nil)
		late.Error, late.NoRequest = "wrapping token is not valid or does not exist", true
		for range times {
			l.Do(late)
		}
		l.Read(People()[1], "billing", Token(1), "gst")
	})
}

// TestTime_RevocationsAndUnjudgedReads: after a breach every config is revoked, and an untuned mount has reads that nobody can judge.
func TestTime_RevocationsAndUnjudgedReads(t *testing.T) {
	withoutVault(t)
	wantLinear(t, 250, func(l *Log, times int) {
		for n := range times {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
				"tokens": map[string]any{l.id(n): map[string]any{"upstream": "killed"}},
			}})
		}
	})
}
