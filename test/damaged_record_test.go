// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestConfigDelete_DamagedRecord: what is stored of an account's tokens cannot be read, and so it cannot be used. Deleting the
// config and writing it again is a way out.
func TestConfigDelete_DamagedRecord(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"damaged":                    "{\"schema\":1,",
		"written by a later version": "{\"schema\":99}",
	} {
		timed(t, name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.token("app")
			s.Stop()
			s.put("token/gst", record)
			s.Start()
			advance(time.Second)
			s.failed("app")
			if _, err := s.do(t.Context(), logical.DeleteOperation, "config/gst", nil); err != nil {
				t.Errorf("the config cannot be deleted: %v", err)
			}
			if left := s.storedUnder("token/"); len(left) > 0 {
				t.Error("the damaged record is left")
			}
			if r := s.refusal(logical.ReadOperation, "token/app", nil); r.status != http.StatusBadRequest {
				t.Errorf("a read of a deleted config is answered %d: %s", r.status, r.message)
			}
			if _, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", jwtConfig()); err != nil {
				t.Errorf("the config cannot be written again: %v", err)
			}
			if _, err := s.ask(t.Context(), "app", nil); err != nil {
				t.Errorf("a read of the new config: %v", err)
			}
		})
	}
}

// TestConfig_WrittenBesideDamagedRecord: there is no config, and what is stored of its tokens cannot be read, so it is no use to
// anybody. The config is written as any other.
func TestConfig_WrittenBesideDamagedRecord(t *testing.T) {
	t.Parallel()
	for _, verify := range []bool{true, false} {
		timed(t, fmt.Sprintf("verified %t", verify), func(t *testing.T) {
			s := newTestMount(t, jwtAccount())
			s.Stop()
			s.put("token/gst", "{\"schema\":1,")
			s.Start()
			advance(time.Second)
			if resp, err := s.do(t.Context(), logical.ReadOperation, "status/gst", nil); resp != nil || err != nil {
				t.Errorf("the status of a config that is not there is %v, %v", resp, err)
			}
			s.write("config/gst", jwtConfig("verify_connection", verify))
			s.write("role/app", map[string]any{"config": "gst"})
			first := s.token("app")
			s.Reload()
			if again := s.token("app"); again.id != first.id {
				t.Error("another token is served after a restart: the first was not stored")
			}
			s.write("revoke/gst", nil)
			if _, err := s.do(t.Context(), logical.DeleteOperation, "config/gst", nil); err != nil {
				t.Errorf("the config cannot be deleted: %v", err)
			}
		})
	}
}

// TestLookup_DamagedRecord: what is stored of an account's tokens cannot be read. The ledger can, and says whose a token is.
func TestLookup_DamagedRecord(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testMount){
		"damaged":       func(s *testMount) { s.put("token/gst", "{\"schema\":1,") },
		"storage fails": func(s *testMount) { s.Storage.Fail(mounttest.Get, "token/", mounttest.ErrStorage()) },
	} {
		timed(t, name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			a := s.token("app")
			advance(time.Second)
			s.Stop()
			spoil(s)
			s.Start()
			advance(time.Second)
			found, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": a.id})
			if err != nil {
				t.Fatalf("lookup: %v", err)
			}
			s.says(text(t, found.Data, "advice"), "whether it is handed out is not known", "token/gst")
			resp, err := s.do(t.Context(), logical.ReadOperation, "ledger/gst", nil)
			if err != nil {
				t.Fatalf("ledger/gst: %v", err)
			}
			s.says(strings.Join(resp.Warnings, " "), "Which of the tokens readers are given is not known", "token/gst")
		})
	}
}
