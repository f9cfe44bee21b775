// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// as is a mount of a config and a role that starts again as a node of another kind.
func (f fixture) as(t *testing.T, state consts.ReplicationState, before func(*testMount)) *testMount {
	t.Helper()
	w := f.mounted(t)
	before(w)
	w.Stop()
	synctest.Wait() // what was under way may still look at the state
	w.Node.SetState(state)
	w.Start()
	return w
}

// forwards sends a request that the node must hand on to another, before any effect.
func (w *testMount) forwards(op logical.Operation, path string, data map[string]any) {
	w.t.Helper()
	synctest.Wait() // the engine looks into storage when it starts
	before := len(w.Storage.Accesses())
	w.idle(func() {
		resp, err := w.do(w.t.Context(), op, path, data)
		// Vault looks for the error itself, and over gRPC nothing that wraps it is left.
		if resp != nil || err != logical.ErrReadOnly { //nolint:errorlint // see above
			w.t.Errorf("%s %s: served is %t, error %v, want the bare logical.ErrReadOnly", op, path, resp != nil, err)
		}
	})
	for _, access := range w.Storage.Accesses()[before:] {
		// The existence check before a write reads.
		check.True(w.t, strings.HasPrefix(access, mounttest.Get), "%s %s: storage access %q", op, path, access)
	}
}

func TestStandby_ForwardsToActiveNode(t *testing.T) { //nolint:tparallel // eachOf calls it
	eachOf(t, everyRequest(), func(t *testing.T, r request) {
		reads := r.op == logical.ReadOperation || r.op == logical.ListOperation
		own := strings.HasPrefix(r.path, "config/") || strings.HasPrefix(r.path, "role/") || strings.HasPrefix(r.path, "preset/")
		w := jwtV1().as(t, consts.ReplicationPerformanceStandby, func(w *testMount) { w.read("token/app") })
		if !own || !reads {
			w.forwards(r.op, r.path, r.data)
			return
		}
		w.idle(func() {
			refused, is := asRefusal(w.do(t.Context(), r.op, r.path, r.data))
			check.True(t, !is, "refused: %v", refused)
		})
	})
	for name, state := range standbys() {
		timed(t, name+" whose token has expired", func(t *testing.T) {
			w := jwtV1().as(t, state, func(w *testMount) { w.read("token/app") })
			w.EveryMinute()
			w.quiet(func() {
				_, _ = w.do(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
				advance(48 * time.Hour) // past the rotation, and past the token's end
			})
			w.forwards(logical.ReadOperation, "token/app", nil)
			w.forwards(logical.UpdateOperation, "token/app", nil)
			w.forwards(logical.UpdateOperation, "rotate/gst", nil)
			w.forwards(logical.UpdateOperation, "revoke/gst", nil)
			w.forwards(logical.ReadOperation, "status/gst", nil)
			w.forwards(logical.ListOperation, "status/", nil)
			w.forwards(logical.ReadOperation, "metrics", nil)
		})
	}
}

// standbys are the nodes that may not log in.
func standbys() map[string]consts.ReplicationState {
	return map[string]consts.ReplicationState{
		"a performance standby": consts.ReplicationPerformanceStandby,
		"a DR secondary":        consts.ReplicationDRSecondary,
	}
}

func TestStandby_BecomesActiveServesStoredToken(t *testing.T) {
	t.Parallel()
	timed(t, "from standby to active", func(t *testing.T) {
		var token any
		w := jwtV1().as(t, consts.ReplicationPerformanceStandby, func(w *testMount) { token = w.read("token/app").Data["token_id"] })
		w.forwards(logical.ReadOperation, "token/app", nil)
		w.Stop()
		w.Node.SetState(0)
		w.Start()
		w.quiet(func() { w.wantServed(token) })
		w.EveryMinute()
		w.loggingIn(1, func() { advance(17 * time.Hour) }) // and rotates it
	})
	for name, state := range standbys() {
		timed(t, "without a restart, "+name, func(t *testing.T) {
			w := jwtV1().as(t, state, func(w *testMount) { w.read("token/app") })
			w.Node.SetState(0)
			w.quiet(func() { w.read("token/app") })
		})
	}
}

func TestStandby_KeepsNoLedger(t *testing.T) { //nolint:tparallel // each calls it
	each(t, standbys(), func(t *testing.T, state consts.ReplicationState) {
		var id any
		w := oauth().as(t, state, func(w *testMount) {
			id = w.read("token/app").Data["token_id"]
			w.ledgerOf("gst")
		})
		w.forwards(logical.UpdateOperation, "lookup", map[string]any{"token_id": id})
		w.forwards(logical.UpdateOperation, "lookup", map[string]any{"token": "canary"})
		w.forwards(logical.ReadOperation, "ledger/gst", nil)
		w.forwards(logical.ListOperation, "ledger/", nil)
		counts := w.ledgerAccesses(func() {
			for key := range w.storedUnder("ledger/") {
				w.Backend().InvalidateKey(t.Context(), key)
			}
			w.Backend().InvalidateKey(t.Context(), "ledger/")
			w.Backend().InvalidateKey(t.Context(), "ledger/config/")
			for range 3 {
				w.minute()
				advance(40 * day)
			}
		})
		check.True(t, len(counts) == 0, "accesses on a standby: %v", counts)
	})
	timed(t, "and a key of it that another node has changed takes nothing from memory", func(t *testing.T) {
		w := oauth().mounted(t)
		w.read("token/app")
		w.ledgerOf("gst")
		for key := range w.storedUnder("ledger/") {
			w.Backend().InvalidateKey(t.Context(), key)
		}
		w.Storage.Reset()
		w.read("token/app")
		check.Equal(t, w.Storage.Accesses(), []string{}, "accesses of a warm read")
	})
}
