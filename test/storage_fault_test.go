// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// storageFault is an access that fails, and a request that needs it.
type storageFault struct {
	access, prefix string
	op             logical.Operation
	path           string
	data           map[string]any
}

func (f storageFault) String() string {
	return f.access + " " + f.prefix + " for " + string(f.op) + " " + f.path
}

func storageFaults() []storageFault {
	untried := jwtConfig("verify_connection", false)
	return []storageFault{
		{mounttest.Get, "config/", logical.ReadOperation, "config/gst", nil},
		{mounttest.Get, "config/", logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{mounttest.Get, "config/", logical.UpdateOperation, "config/new", jwtConfig()},
		{mounttest.Get, "config/", logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{mounttest.Get, "config/", logical.ReadOperation, "token/app", nil},
		{mounttest.Get, "config/", logical.UpdateOperation, "rotate/gst", nil},
		{mounttest.Get, "config/", logical.UpdateOperation, "revoke/gst", nil},
		{mounttest.Get, "config/", logical.ReadOperation, "status/gst", nil},
		{mounttest.Get, "config/", logical.ListOperation, "config/", nil},
		{mounttest.Put, "config/", logical.UpdateOperation, "config/new", untried},
		{mounttest.Put, "config/", logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{mounttest.Delete, "config/", logical.DeleteOperation, "config/gst", nil},
		{mounttest.List, "config/", logical.ListOperation, "config/", nil},
		{mounttest.List, "config/", logical.ListOperation, "status/", nil},
		{mounttest.Get, "role/", logical.ReadOperation, "role/app", nil},
		{mounttest.Get, "role/", logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		{mounttest.Get, "role/", logical.ReadOperation, "token/app", nil},
		{mounttest.Get, "role/", logical.ListOperation, "role/", nil},
		{mounttest.Put, "role/", logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		{mounttest.Put, "role/", logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{mounttest.Delete, "role/", logical.DeleteOperation, "role/app", nil},
		{mounttest.List, "role/", logical.ListOperation, "role/", nil},
		{mounttest.Get, "token/", logical.ReadOperation, "token/app", nil},
		{mounttest.Get, "token/", logical.UpdateOperation, "rotate/gst", nil},
		{mounttest.Get, "token/", logical.UpdateOperation, "revoke/gst", nil},
		{mounttest.Get, "ledger/", logical.ReadOperation, "ledger/gst", nil},
		{mounttest.List, "ledger/", logical.ListOperation, "ledger/", nil},
		// An attempt that cannot be noted is not made.
		{mounttest.Put, "token/", logical.ReadOperation, "token/app", nil},
		{mounttest.Put, "token/", logical.UpdateOperation, "token/app", nil},
		{mounttest.Put, "token/", logical.UpdateOperation, "rotate/gst", nil},
		{mounttest.Put, "token/", logical.UpdateOperation, "config/new", jwtConfig()},
		{mounttest.Put, "token/", logical.UpdateOperation, "config/gst", map[string]any{"headers": "X-Team=gst"}},
	}
}

func TestStorageFault_ClearErrorWithoutEffect(t *testing.T) {
	eachOf(t, storageFaults(), func(t *testing.T, fault storageFault) {
		w := jwtV1().mounted(t)
		w.Reload() // with nothing in memory
		w.idle(func() {
			w.Storage.Fail(fault.access, fault.prefix, mounttest.ErrStorage())
			r := w.refusal(fault.op, fault.path, fault.data)
			check.True(t, r.status >= http.StatusInternalServerError && !strings.Contains(r.message, "does not exist"),
				"%v: unreadable is not absent, want a failure of the server", r)
			w.says(r.message, fault.prefix, mounttest.ErrStorage().Error())
			w.hides(r.message, jwtV1().secrets()...)
			w.Storage.Heal()
		})
		advance(2 * time.Minute)
		r, refused := asRefusal(w.do(t.Context(), fault.op, fault.path, fault.data))
		check.True(t, !refused, "storage is well again, and yet: %v", r)
	})
}

func TestStorageFault_ReadOnlyErrorPassedThrough(t *testing.T) {
	t.Parallel()
	// Over gRPC an error keeps only its text: callers that look for the text must find it, and nothing else.
	readOnly := errors.New(logical.ErrReadOnly.Error())
	for _, fault := range storageFaults() {
		if fault.access != mounttest.Put && fault.access != mounttest.Delete {
			continue
		}
		timed(t, fault.access+" "+fault.prefix+" for "+string(fault.op)+" "+fault.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.Reload()
			w.idle(func() {
				w.Storage.Fail(fault.access, fault.prefix, readOnly)
				r := w.refusal(fault.op, fault.path, fault.data)
				check.True(t, r.message == logical.ErrReadOnly.Error(), "returned %q, want %q alone", r.message, logical.ErrReadOnly)
				w.Storage.Heal()
			})
		})
	}
}

func TestStorageFault_PartialDeleteLeavesNoToken(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		old := w.read("token/app").Data["token_id"]
		synctest.Wait() // for the ledger, without which the record is kept
		w.Storage.Fail(mounttest.Delete, "token/", mounttest.ErrStorage())
		resp, err := w.do(t.Context(), logical.DeleteOperation, "config/gst", nil)
		check.Require(t, err == nil && resp != nil && !resp.IsError(), "the config is deleted: %v, %v", resp, err)
		w.says(warningsOf(resp), "Vault's storage has not deleted the record of its tokens yet (deleting the storage entry token/gst: "+
			mounttest.ErrStorage().Error()+")")
		w.Storage.Heal()
		w.Reload()
		w.remove("config/gst")
		w.mount(jwtV1())
		w.loggingIn(1, func() {
			check.True(t, w.read("token/app").Data["token_id"] != old, "the token of the deleted config is served")
		})
	})
}

// The ledger is written in the background, where a panic would end the process with every mount in it.
func TestStorageFault_AccountUnreadableAfterVerification(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		stored, struck := false, false
		w.Storage.SetFault(func(_ int, access, key string) mounttest.Fault {
			switch {
			case access == mounttest.Put && key == "config/new":
				stored = true
			case access == mounttest.Put && key == "token/new" && stored:
				struck = true
				return mounttest.Fault{Err: mounttest.ErrStorage()}
			}
			return mounttest.Fault{}
		})
		resp, err := w.do(t.Context(), logical.CreateOperation, "config/new", jwtConfig())
		check.True(t, err == nil && strings.Contains(warningsOf(resp), "Its token is not stored yet"),
			"the write returned %v, %v; want a warning that the token could not be stored", resp, err)
		synctest.Wait() // the ledger is written
		w.Storage.Heal()
		check.Require(t, struck, "the token was not saved after the config: this tests nothing")
		check.True(t, text(t, w.read("status/new").Data, "state") != "", "the new config has no state")
		tokens, is := w.read("ledger/new").Data["tokens"].([]any)
		check.True(t, is && len(tokens) == 1, "the ledger has %d tokens of the new config, want the one of the verification", len(tokens))
	})
}
