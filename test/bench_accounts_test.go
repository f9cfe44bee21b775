// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"time"
)

// benchAccounts is as many accounts as one mount must carry.
const benchAccounts = 10_000

// BenchmarkStart is the time from the start of the plugin until it has taken up, in the background, what storage knows of ten
// thousand accounts, of which none or a thousand have a living token. first-read-ms is until the first response, for which it has
// to log in where no account is in use; heap-B/account is the memory that it then holds for each account in use, or for each
// stored one where none is.
func BenchmarkStart(b *testing.B) {
	m := newMeasured(b)
	for n := range benchAccounts {
		m.account(accountName(n))
	}
	b.Run("used=0", func(b *testing.B) {
		cold := benchAccounts
		m.benchmarkStart(b, benchAccounts, func() string {
			cold--
			return accountName(cold)
		})
	})
	const used = 1000
	for n := range used {
		m.read("token/" + accountName(n))
	}
	b.Run(fmt.Sprintf("used=%d", used), func(b *testing.B) {
		m.benchmarkStart(b, used, func() string { return accountName(used - 1) })
	})
}

func (m *measured) benchmarkStart(b *testing.B, accounts int, name func() string) {
	b.Helper()
	var first, ready time.Duration
	var held float64
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		m.stop()
		m.settle()
		m.backend = nil
		before := heap()
		b.StartTimer()
		began := time.Now()
		m.start()
		m.read("token/" + name())
		first += time.Since(began)
		ready += m.settle().Sub(began)
		b.StopTimer()
		held += float64(heap()) - float64(before)
		b.StartTimer()
	}
	b.ReportMetric(float64(ready)/float64(b.N), "ns/op")
	b.ReportMetric(float64(first.Microseconds())/1000/float64(b.N), "first-read-ms")
	b.ReportMetric(held/float64(b.N)/float64(accounts), "heap-B/account")
}

// settle waits until the engine has left storage alone for a while, and returns when it last touched it.
func (m *measured) settle() time.Time {
	last, calls := time.Now(), m.storage.calls.Load()
	for time.Since(last) < 100*time.Millisecond {
		time.Sleep(time.Millisecond)
		if now := m.storage.calls.Load(); now != calls {
			last, calls = time.Now(), now
		}
	}
	return last
}

// BenchmarkWrite is what an operator does: settings that change nothing of a login, credentials, which are tried at an upstream
// that responses at once, and roles.
func BenchmarkWrite(b *testing.B) {
	for _, w := range []struct {
		name, path string
		data       func(n int) map[string]any
	}{
		{"config-setting", "config/gst", func(n int) map[string]any { return map[string]any{"rotation_percent": 60 + n%2} }},
		{"config-credential", "config/gst", func(n int) map[string]any { return map[string]any{"password": fmt.Sprint("pass-", n)} }},
		{"config-unchanged", "config/gst", func(int) map[string]any { return benchConfig() }},
		{"role", "role/gst", func(n int) map[string]any { return map[string]any{"max_ttl": 60 + n%2} }},
	} {
		b.Run(w.name, func(b *testing.B) {
			m := newMeasured(b)
			m.account("gst")
			m.read("token/gst")
			n := 0
			m.measure(b, func() {
				n++
				m.write(w.path, w.data(n))
			})
		})
	}
}

// BenchmarkLook is what an operator looks at.
func BenchmarkLook(b *testing.B) {
	m := newMeasured(b)
	m.account("gst")
	m.read("token/gst")
	for _, path := range []string{"status/gst", "config/gst", "role/gst"} {
		b.Run(path, func(b *testing.B) { m.measure(b, func() { m.read(path) }) })
	}
}
