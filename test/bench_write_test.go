// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
)

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
			b.ReportAllocs()
			before, n := m.counts(), 0
			for b.Loop() {
				n++
				m.write(w.path, w.data(n))
			}
			m.reportCounts(b, before)
		})
	}
}

// BenchmarkLook is what an operator looks at.
func BenchmarkLook(b *testing.B) {
	m := newMeasured(b)
	m.account("gst")
	m.read("token/gst")
	for _, path := range []string{"status/gst", "config/gst", "role/gst"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			before := m.counts()
			for b.Loop() {
				m.read(path)
			}
			m.reportCounts(b, before)
		})
	}
}
