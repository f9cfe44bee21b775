// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// BenchmarkReport reads a log of 100 MB, of which one request in so many is the mount's: 1 in 20 is 5 %. 500 callers read one token
// for half an hour or, last, for eleven seconds: then nearly every read is a row of the report.
func BenchmarkReport(b *testing.B) {
	for _, log := range []struct{ every, readsPerToken int }{{20, 30_000}, {1, 30_000}, {1, 200}} {
		path := filepath.Join(b.TempDir(), "audit.log")
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		l := New(f, 1)
		l.Shown = tuned()
		l.Long(100<<20, log.every, 500, log.readsPerToken)
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("1in%d/%d", log.every, log.readsPerToken), func(b *testing.B) {
			b.SetBytes(l.Bytes)
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			for b.Loop() {
				if code := run(b.Context(), []string{"-format=json", path}, nil, io.Discard, os.Stderr); code != exitOK {
					b.Fatalf("exit code %d", code)
				}
			}
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			seconds := float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano()) / 1e9
			b.ReportMetric(float64(l.Bytes)*float64(b.N)/1e6/seconds, "MB/CPU-s")
		})
	}
}
