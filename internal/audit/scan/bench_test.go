// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package scan_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/logfile"
	"vault-plugin-secrets-mastersindia/internal/audit/sample"
	"vault-plugin-secrets-mastersindia/internal/audit/scan"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// benchmarks are logs by which share of the requests is on the mount.
func benchmarks(b *testing.B, run func(b *testing.B, text []byte)) {
	b.Helper()
	for name, every := range map[string]int{"all on the mount": 1, "1 of 10 on the mount": 10, "1 of 100 on the mount": 100} {
		b.Run(name, func(b *testing.B) {
			text := write(b, func(l *sample.Log) { l.Long(20_000_000, every, 200) })
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			run(b, text)
		})
	}
}

// BenchmarkReport is the whole way from a file to what a report needs.
func BenchmarkReport(b *testing.B) {
	benchmarks(b, func(b *testing.B, text []byte) {
		b.Helper()
		path := file(b, "audit.log", text)
		for b.Loop() {
			source, err := logfile.Open(path, nil)
			if err != nil {
				b.Fatal(err)
			}
			collector := story.NewCollector(story.Options{Mount: mount, Limits: story.DefaultLimits()})
			pass := scan.Scan{Filter: entry.NewFilter(mount, true), Observer: story.NewObserver(mount, nil), Collector: collector}
			if _, err := pass.Files(b.Context(), []*logfile.Source{source}); err != nil {
				b.Fatal(err)
			}
			if err := source.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlainDecoding is what BenchmarkReport is compared with: encoding/json decodes each line into a small struct.
func BenchmarkPlainDecoding(b *testing.B) {
	benchmarks(b, func(b *testing.B, text []byte) {
		b.Helper()
		for b.Loop() {
			for line := range bytes.Lines(text) {
				var e struct {
					Time, Type string
					Request    struct{ ID, Path string }
				}
				if err := json.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
