// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package results_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// noisy is a run on a machine that gets ten times slower from round to round: only within a round can rows be compared.
func noisy() *results.Results {
	r := &results.Results{Rounds: 3}
	for round, speed := range []float64{10_000, 1000, 100} {
		for row, share := range map[string]float64{
			results.RowProbe: 1, results.RowOurs: 0.9 + 0.1*float64(round), results.RowUsual: 0.5, results.RowLocked: 0.2,
			results.RowProbeLeased: 0.4, results.RowOursLeased: 0.36, results.RowOursRotating: 0.8, results.RowOursCalm: 0.9 + 0.1*float64(round),
		} {
			slow := func(ms float64) time.Duration { return time.Duration(ms / speed / share * float64(time.Second)) }
			r.Cells = append(r.Cells, results.Cell{
				Round: round, Storage: "raft", Clients: 16, Row: row,
				Load: results.Load{Rate: speed * share, P50: slow(1), P99: slow(4), Max: slow(9)}, Logins: 2,
				VaultCPU: slow(3), PluginCPU: slow(1),
			})
		}
	}
	return r
}

func TestLoadOf(t *testing.T) {
	t.Parallel()
	var latencies []time.Duration
	for n := 1000; n > 0; n-- {
		latencies = append(latencies, time.Duration(n)*time.Millisecond)
	}
	got := results.LoadOf(latencies, 10*time.Second)
	want := results.Load{Requests: 1000, Rate: 100, P50: 501 * time.Millisecond, P99: 991 * time.Millisecond, Max: time.Second}
	check.Equal(t, got, want, "load")
	check.Equal(t, results.LoadOf(nil, time.Second), results.Load{}, "load")
}

func TestTargetsSayWhatWasReached(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bench.txt")
	check.NoError(t, os.WriteFile(file, []byte(`goos: linux
BenchmarkWarmRead/leased-2     100  1250 ns/op  0 storage-ops/op  30 allocs/op
BenchmarkConstantRead/leased/shared-2  100  1000 ns/op  0 storage-ops/op  20 allocs/op
PASS
BenchmarkWarmRead/leased-2     100  9000 ns/op  0 storage-ops/op  30 allocs/op
BenchmarkConstantRead/leased/shared-2  100  9000 ns/op  0 storage-ops/op  20 allocs/op
BenchmarkWarmRead/leased-2     100  1280 ns/op  0 storage-ops/op  30 allocs/op
BenchmarkConstantRead/leased/shared-2  100  1000 ns/op  0 storage-ops/op  20 allocs/op
`), 0o600))
	p := check.Value(results.ReadInProcess(file))(t)
	verdicts := map[string]string{}
	for _, target := range results.Targets(noisy(), p) {
		verdicts[target.Name] = target.Verdict()
	}
	for name, want := range map[string]string{
		`raft: requests/s of "ours" / "probe"`:                        "met",
		`raft: requests/s of "ours" / "usual"`:                        "met",
		`raft: requests/s of "ours, leased" / "probe, leased"`:        "missed",
		`raft: p99 of "ours, rotating" / "ours, calm"`:                "missed in the median, met in some rounds",
		"in process: time of a warm read, leased / a constant":        "met",
		"in process: allocations of a warm read, leased / a constant": "missed",
		"in process: accesses to storage of a warm read, leased":      "met",
		"in process: accesses to storage of a warm read, unleased":    "not measured",
		"in process: time a read of 64 readers / of 1":                "not measured",
	} {
		check.Equal(t, verdicts[name], want, "the verdict on %s", name)
	}
}

func TestTablesTellProcessorTime(t *testing.T) {
	t.Parallel()
	r := noisy()
	check.Contains(t, r.Table("raft"), "| probe          | 1000       | 1.00 ms | 4.00 ms  | 3000 µs     | 1000 µs  |")
	for n := range r.Cells {
		r.Cells[n].VaultCPU, r.Cells[n].PluginCPU = 0, 0 // a system that does not tell
	}
	table := r.Table("raft")
	check.True(t, !strings.Contains(table, " 0 µs") && strings.Contains(table, "| – "), "a table shows what is not known:\n%s", table)
}
