// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestList_EntryThatStorageCannotGive: one entry is damaged below the engine, so that Vault's storage gives an error in its place.
// Lists warn of it and show the rest.
func TestList_EntryThatStorageCannotGive(t *testing.T) {
	t.Parallel()
	for path, key := range map[string]string{
		"config/": "config/bad", "role/": "role/bad", "status/": "config/bad", "ledger/": "ledger/config/bad",
	} {
		timed(t, path, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.write("config/bad", jwtConfig("verify_connection", false))
			s.write("role/bad", map[string]any{"config": "bad"})
			s.token("app")
			s.token("bad")
			advance(time.Second)
			s.Reload()
			s.Storage.SetFault(func(_ int, kind, at string) mounttest.Fault {
				if kind == mounttest.Get && at == key {
					return mounttest.Fault{Err: errors.New("cipher: message authentication failed")}
				}
				return mounttest.Fault{}
			})
			resp, err := s.do(t.Context(), logical.ListOperation, path, nil)
			if err != nil {
				t.Fatalf("one entry hides all others: %v", err)
			}
			if info, _ := resp.Data["key_info"].(map[string]any); info["gst"] == nil && path != "role/" {
				t.Errorf("nothing is said of gst: %v", info)
			}
			if len(resp.Warnings) == 0 {
				t.Error("no warning")
			}
		})
	}
}
