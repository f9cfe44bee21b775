// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/acceptance/hostile"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// hostileMount is a mount of the engine on the real network and in real time.
type hostileMount struct{ *testMount }

// Do implements hostile.Mount.
func (m hostileMount) Do(
	ctx context.Context, operation logical.Operation, path string, data map[string]any,
) (*logical.Response, error) {
	return m.do(ctx, operation, path, data)
}

// runTrick runs a trick against an engine of its own, and checks that nothing is left of it when the engine is stopped.
func runTrick(t *testing.T, trick *hostile.Trick) hostile.Result {
	t.Helper()
	server, err := hostile.Start(trick)
	check.NoError(t, err)
	defer server.Close()
	m := hostileMount{newTestMountWith(t, func(m *testMount) { m.RealNetwork = true })}
	result := hostile.Play(t, m, server, "hostile")
	m.Stop()
	server.WaitClosed(t)
	return result
}

// TestHostileUpstream_EveryTrickSurvived runs the tricks against the engine over a real network. The goroutines that are left are
// those of TestMain to find.
//
//nolint:tparallel // the tricks are parallel; what comes after them waits for all
func TestHostileUpstream_EveryTrickSurvived(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var table []string
	t.Run("tricks", func(t *testing.T) {
		for _, trick := range hostile.Tricks() {
			if trick.Growth > 0 {
				continue // see TestHostileUpstream_CannotExhaustMemory
			}
			t.Run(trick.Name, func(t *testing.T) {
				t.Parallel()
				result := runTrick(t, &trick)
				mu.Lock()
				defer mu.Unlock()
				table = append(table, result.String())
			})
		}
	})
	slices.Sort(table)
	t.Logf("%d tricks: how long the reader waited, what it got, and what the upstream saw\n%s", len(table), strings.Join(table, "\n"))
}

// TestHostileUpstream_CannotExhaustMemory does the same with what could fill it. It is not parallel: it measures the memory of
// the whole process.
//
//nolint:paralleltest // see above
func TestHostileUpstream_CannotExhaustMemory(t *testing.T) {
	before := debug.SetGCPercent(20) // so that the heap is near what is really held
	defer debug.SetGCPercent(before)
	var table []string
	for _, trick := range hostile.Tricks() {
		if trick.Growth == 0 {
			continue
		}
		t.Run(trick.Name, func(t *testing.T) {
			debug.FreeOSMemory()
			peak := watchHeap()
			result := runTrick(t, &trick)
			growth := peak()
			check.True(t, growth <= trick.Growth, "the heap grew by %d MiB, want %d at most", growth>>20, trick.Growth>>20)
			table = append(table, fmt.Sprintf("%-48s %6s  heap +%5.1f MiB",
				trick.Name, result.Took.Round(10*time.Millisecond), float64(growth)/(1<<20)))
		})
	}
	t.Logf("the heap's growth at its peak, server included\n%s", strings.Join(table, "\n"))
}

// watchHeap watches the heap that is in use, and gives by how much it had grown at its peak.
func watchHeap() (peak func() int64) {
	heap := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64() + sample[1].Value.Uint64()) //nolint:gosec // fits, or the machine is out of memory
	}
	base := heap()
	most := base
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, heap())
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		close(end)
		<-done
		return most - base
	}
}
