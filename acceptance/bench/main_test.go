// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestLoadCountsWhatTheServerAnswers(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	var paths [2]atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if r.Header.Get("X-Vault-Token") != "one" && r.Header.Get("X-Vault-Token") != "two" {
			http.Error(w, "no token", http.StatusForbidden)
			return
		}
		paths[len(r.URL.Path)%2].Add(1)
		// Past 2 KiB net/http sends chunks.
		_, _ = w.Write([]byte(strings.Repeat("x", 5000)))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	path := func(_, n int) string { return strings.Repeat("p", 1+n%2) }
	measured := check.Value(load(t.Context(), address, []string{"one", "two"}, 200*time.Millisecond, path))(t)
	if n := len(measured.latencies); int64(measured.all) != served.Load() || n == 0 || n > measured.all {
		t.Errorf("%d requests, %d of them measured; the server had %d", measured.all, n, served.Load())
	}
	check.True(t, paths[0].Load() != 0 && paths[1].Load() != 0, "the clients did not read all the paths that they were given")
	_, err := load(t.Context(), address, []string{"three"}, time.Second, path)
	check.True(t, err != nil && strings.Contains(err.Error(), "403"), "a refused read gave %v, want an error that says 403", err)
}

func TestProcessorTimeAndMemoryAreThoseOfTheProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	own := os.Getpid()
	// It works until the system's other account of the same says so, however long a busy machine takes for that.
	before, began := processorTime(own), usedBySelf(t)
	for n := 0; usedBySelf(t)-began < 300*time.Millisecond; n++ {
		runtime.KeepAlive(n)
	}
	used := processorTime(own) - before
	most := usedBySelf(t) - began + 100*time.Millisecond
	check.True(t, used >= 200*time.Millisecond && used <= most,
		"%s of processor time for 300 ms of work, want 200ms to %s", used, most)
	memory := memoryOf(own)
	check.True(t, memory >= 1<<20, "%d bytes of memory", memory)
	const nobody = 1 << 30
	check.True(t, processorTime(nobody) == 0 && memoryOf(nobody) == 0, "a process that is none has used something")
}

// usedBySelf is the processor time that this process has used, as getrusage(2) has it.
func usedBySelf(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	check.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestReadsAreKeptByWhenTheyWereSentAfterALogin(t *testing.T) {
	t.Parallel()
	b := &bench{around: map[harness.Storage][][]time.Duration{}}
	began := time.Now()
	at := func(d time.Duration) time.Time { return began.Add(d) }
	logins := []time.Time{at(0), at(3100 * time.Millisecond), at(6200 * time.Millisecond)}
	var seen sample
	for _, read := range []struct{ sent, took time.Duration }{
		{-600 * time.Millisecond, time.Hour}, // before anything that is looked at
		{-500 * time.Millisecond, 1},
		{-1, 2},
		{0, 3},
		{2499 * time.Millisecond, 4},
		{2500 * time.Millisecond, time.Hour}, // between two
		{3199 * time.Millisecond, 5},
	} {
		seen.sent, seen.latencies = append(seen.sent, at(read.sent)), append(seen.latencies, read.took)
	}
	b.keepAround(harness.StorageRaft, seen, logins)
	b.keepAround(harness.StorageRaft, sample{}, logins)
	got := map[int][]time.Duration{}
	for step, latencies := range b.around[harness.StorageRaft] {
		if len(latencies) > 0 {
			got[step] = latencies
		}
	}
	want := map[int][]time.Duration{0: {1}, 4: {2}, 5: {3, 5}, 29: {4}}
	check.True(t, maps.EqualFunc(got, want, slices.Equal), "kept %v, want %v", got, want)
	r := b.rotations()
	check.True(t, len(r) == 1 && r[0].Storage == "raft" && len(r[0].Steps) == 30 && r[0].Steps[5].Max == 5 && r[0].Steps[6].Requests == 0,
		"rotations %+v", r)
}
