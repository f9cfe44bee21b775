// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// warmed is a mount with a token in memory, which knows that its node is the active one.
func warmed(t *testing.T) *testMount {
	t.Helper()
	w := jwtV1().mounted(t)
	w.write("role/unleased", map[string]any{"config": "gst", "lease": false})
	w.read("token/app")
	synctest.Wait() // the ledger is written
	w.read("token/app")
	w.read("token/unleased")
	w.Node.ResetCalls()
	return w
}

func TestFastPath_TouchesNeitherStorageNorHost(t *testing.T) {
	t.Parallel()
	timed(t, "a thousand reads in a moment", func(t *testing.T) {
		w := warmed(t)
		before := w.Storage.Count()
		w.quiet(func() {
			for range 1000 {
				w.read("token/app")
				w.read("token/unleased")
			}
		})
		check.Equal(t, w.Storage.Count()-before, 0, "storage accesses")
		check.Equal(t, w.Node.Calls(), 0, "calls of the host")
	})
	timed(t, "a minute of reads", func(t *testing.T) {
		w := warmed(t)
		for range 600 {
			advance(100 * time.Millisecond)
			w.read("token/app")
		}
		between(t, w.Node.StateCalls(), 50, 61, "queries of the host's state in a minute, of which there is one a second,")
	})
	timed(t, "one asks for all", func(t *testing.T) {
		w := warmed(t)
		advance(1100 * time.Millisecond)
		release := w.Node.HoldState()
		var readers sync.WaitGroup
		readers.Go(func() { w.read("token/app") })
		synctest.Wait() // it waits for the host
		for range 100 {
			w.read("token/app") // these do not
		}
		check.Equal(t, w.Node.StateCalls(), 1, "queries of the host's state")
		release()
		readers.Wait()
	})
}

func TestFastPath_SameResponseAsSlowPath(t *testing.T) { //nolint:tparallel // fixturesTest calls it
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		w.write("role/free", map[string]any{"config": "gst", "lease": false})
		w.read("token/app")
		w.read("token/free")
		advance(time.Minute)
		w.sameByBothPaths("token/app")
		w.sameByBothPaths("token/free")
	})
	// What a role's setting refuses or changes, it does by both paths.
	for field, change := range roleChanges() {
		timed(t, field, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.write("config/other", jwtConfig("verify_connection", false))
			w.read("token/app")
			w.write("role/app", map[string]any{field: change.written})
			w.sameByBothPaths("token/app")
		})
	}
}

// sameByBothPaths checks that a read gets the same response or error by the fast path as by the slow one.
func (w *testMount) sameByBothPaths(path string) {
	w.t.Helper()
	_, _ = w.tryRead(path, nil) // fills the caches
	warm, warmErr := w.tryRead(path, nil)
	// A parameter of Vault's own changes nothing, but is not for the fast path.
	cold, coldErr := w.tryRead(path, map[string]any{"version": "0"})
	check.Require(w.t, (warmErr == nil) == (coldErr == nil), "%s: %v by the fast path, %v by the slow one", path, warmErr, coldErr)
	if warmErr != nil {
		check.Equal(w.t, warmErr.Error(), coldErr.Error(), "%s: the error", path)
		return
	}
	check.Equal(w.t, warm.Data, cold.Data, "%s: the response", path)
	check.Require(w.t, (warm.Secret == nil) == (cold.Secret == nil), "%s: only one response has a lease", path)
	if warm.Secret == nil {
		return
	}
	check.Equal(w.t, warm.Secret.LeaseOptions, cold.Secret.LeaseOptions, "%s: the lease", path)
	check.True(w.t, maps.Equal(warm.Secret.InternalData, cold.Secret.InternalData), "%s: the leases' data differ", path)
}

// A caller may modify its response.
func TestFastPath_ResponsesAreNotShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := warmed(t)
		first := w.read("token/app")
		want := maps.Clone(first.Data)
		clear(first.Data)
		clear(first.Secret.InternalData)
		got := w.read("token/app")
		check.True(t, maps.Equal(got.Data, want) && len(got.Secret.InternalData) != 0, "the next reader sees what the one before has changed")
	})
}

func TestFastPath_StopsWhenNodeLosesLeadership(t *testing.T) {
	t.Parallel()
	for name, state := range standbys() {
		timed(t, name, func(t *testing.T) {
			w := warmed(t)
			w.Node.SetState(state)
			w.read("token/app") // as a token that was read a moment before
			advance(2 * time.Second)
			for range 3 {
				if _, err := w.tryRead("token/app", nil); state == consts.ReplicationPerformanceStandby && err != logical.ErrReadOnly { //nolint:errorlint // see forwards
					t.Errorf("%v, want the bare logical.ErrReadOnly", err)
				}
			}
			n := w.Node.StateCalls()
			check.True(t, n >= 3, "the host was asked %d times by 3 reads of a standby, want each time", n)
			w.quiet(func() { advance(20 * time.Hour) }) // past the rotation
			w.Node.SetState(0)
			w.read("token/app") // a node that gains the lead serves at once
		})
		timed(t, name+", invalidated by a change elsewhere", func(t *testing.T) {
			w := warmed(t)
			w.Node.SetState(state)
			w.Backend().InvalidateKey(context.WithoutCancel(t.Context()), "role/other")
			before := w.Node.StateCalls()
			_, _ = w.tryRead("token/app", nil)
			check.True(t, w.Node.StateCalls() != before, "the host was not asked after a change on another node")
		})
	}
	timed(t, "while a request asks", func(t *testing.T) {
		w := warmed(t)
		advance(1100 * time.Millisecond)
		release := w.Node.HoldState()
		var reader sync.WaitGroup
		reader.Go(func() { w.read("token/app") })
		synctest.Wait()
		// Its query was made before leadership was lost, and the result arrives after.
		w.Node.SetState(consts.ReplicationPerformanceStandby)
		w.Backend().InvalidateKey(context.WithoutCancel(t.Context()), "role/other")
		release()
		reader.Wait()
		if _, err := w.tryRead("token/app", nil); err != logical.ErrReadOnly { //nolint:errorlint // see forwards
			t.Errorf("%v, want the bare logical.ErrReadOnly: an old response was believed", err)
		}
	})
}
