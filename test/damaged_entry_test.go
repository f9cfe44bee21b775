// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// Where the record of the tokens cannot be read, deleting the config and writing it again is a way out.
func TestConfigDelete_DamagedRecord(t *testing.T) {
	each(t, map[string]string{
		"damaged":                    "{\"schema\":1,",
		"written by a later version": "{\"schema\":99}",
	}, func(t *testing.T, record string) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.Stop()
		s.put("token/gst", record)
		s.Start()
		advance(time.Second)
		s.failed("app")
		s.remove("config/gst")
		check.True(t, len(s.storedUnder("token/")) == 0, "the damaged record is left")
		r := s.refusal(logical.ReadOperation, "token/app", nil)
		check.True(t, r.status == http.StatusBadRequest, "a read of a deleted config is answered %d: %s", r.status, r.message)
		s.write("config/gst", jwtConfig())
		s.token("app")
	})
}

// A record without a config that cannot be read is in nobody's way.
func TestConfig_WrittenBesideDamagedRecord(t *testing.T) {
	eachOf(t, []bool{true, false}, func(t *testing.T, verify bool) {
		s := newTestMount(t, jwtAccount())
		s.Stop()
		s.put("token/gst", "{\"schema\":1,")
		s.Start()
		advance(time.Second)
		s.wantAbsent("status/gst")
		s.write("config/gst", jwtConfig("verify_connection", verify))
		s.write("role/app", map[string]any{"config": "gst"})
		first := s.token("app")
		s.Reload()
		check.True(t, s.token("app").id == first.id, "another token is served after a restart: the first was not stored")
		s.write("revoke/gst", nil)
		s.remove("config/gst")
	})
}

// A change of the account replaces the record that cannot be read, and needs no secret.
func TestConfigUpdate_DamagedRecord(t *testing.T) {
	eachNamed(t, map[string]any{"rotation_percent": 70, "headers": map[string]any{"X-Site": "7"}}, func(t *testing.T, field string, value any) {
		s := gstMount(t, time.Hour)
		lost := s.token("app")
		advance(time.Second) // the ledger has it
		s.Stop()
		s.put("token/gst", "{\"schema\":1,")
		s.Start()
		advance(time.Second)
		s.failed("app")
		resp := s.write("config/gst", map[string]any{field: value, "verify_connection": false})
		s.says(warningsOf(resp), "could not be read, and was replaced")
		_, warnings := s.revoke(lost.id)
		s.says(strings.Join(warnings, " "), "or the record of its tokens was replaced", "valid upstream until")
		first := s.token("app")
		s.Reload()
		check.True(t, s.token("app").id == first.id, "another token is served after a restart: the first was not stored")
	})
}

func TestConfig_DamagedEntryWrittenAgain(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.put("config/gst", "{\"schema\":1,")
		s.put("role/app", "{\"schema\":1,")
		s.Reload()
		s.remove("config/gst")
		s.remove("role/app")
		s.write("config/gst", jwtConfig())
		s.write("role/app", map[string]any{"config": "gst"})
		s.wantLiveToken()
	})
}

// What is stored of an account's tokens cannot be read. The ledger can, and says whose a token is.
func TestLookup_DamagedRecord(t *testing.T) {
	each(t, map[string]func(*testMount){
		"damaged":       func(s *testMount) { s.put("token/gst", "{\"schema\":1,") },
		"storage fails": func(s *testMount) { s.Storage.Fail(mounttest.Get, "token/", mounttest.ErrStorage()) },
	}, func(t *testing.T, spoil func(*testMount)) {
		s := gstMount(t, time.Hour)
		a := s.token("app")
		advance(time.Second)
		s.Stop()
		spoil(s)
		s.Start()
		advance(time.Second)
		found := s.write("lookup", map[string]any{"token_id": a.id})
		s.says(text(t, found.Data, "advice"), "whether it is handed out is not known", "token/gst")
		s.says(warningsOf(s.read("ledger/gst")), "Which of the tokens readers are given is not known", "token/gst")
	})
}

// One entry is damaged, or so much so that Vault's storage gives an error in its place. Lists warn of it and show the rest.
func TestStorageFault_DamagedEntryHidesNoOthers(t *testing.T) {
	type testCase struct{ damaged, path string }
	eachPair(t, []testCase{
		{"config/hurt", "config/"}, {"config/hurt", "status/"}, {"token/hurt", "status/"}, {"role/hurt", "role/"}, {"ledger/config/hurt", "ledger/"},
	}, []bool{false, true}, func(t *testing.T, c testCase, fails bool) {
		w := jwtV1().mounted(t)
		w.write("config/hurt", with(jwtV1().config, "verify_connection", false))
		w.write("role/hurt", map[string]any{"config": "hurt"})
		w.read("token/app")
		w.read("token/hurt")
		advance(time.Second)
		names := []string{"app", "hurt"}
		if c.path != "role/" {
			names[0] = "gst"
		}
		w.put(c.damaged, `{"schema":1,"canary`)
		w.Reload()
		if fails {
			w.Storage.Fail(mounttest.Get, c.damaged, mounttest.ErrStorage())
		}
		resp := w.list(c.path)
		check.Equal[any](t, resp.Data["keys"], names, "lists")
		info, _ := resp.Data["key_info"].(map[string]any)
		check.True(t, info[names[0]] != nil && info["hurt"] == nil, "details %v, want those of %s alone", info, names[0])
		w.says(warningsOf(resp), c.damaged)
		w.hides(warningsOf(resp), "canary")
	})
}

// A list names ten of those that it cannot read, and a panic beneath it is one of them.
func TestStorageFault_ListOfManyDamaged(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		for n := range 30 {
			s.put(fmt.Sprintf("role/hurt-%02d", n), `{"schema":99}`)
		}
		warnings := s.list("role/").Warnings
		check.True(t, len(warnings) == 11, "%d warnings: %q", len(warnings), warnings)
		s.says(warnings[10], "Details of 20 more names are missing here")
		s.write("role/other", map[string]any{"config": "gst"})
		s.Storage.SetFault(func(_ int, access, key string) mounttest.Fault {
			if access == mounttest.Get && key == "role/app" {
				panic("invented")
			}
			return mounttest.Fault{}
		})
		warnings = s.list("role/").Warnings
		s.says(strings.Join(warnings, " "), "internal error: see the server log")
	})
}

func TestLedgerFault_DamagedEntryStopsNothingElse(t *testing.T) {
	eachWith(t, map[string]string{
		"text": "canary", "cut": `{"schema":1,"tokens":[{"canary`, "a later schema": `{"schema":99,"canary":"canary"}`, "nothing": "",
		"another type": `{"schema":1,"tokens":"canary","places":"canary","pages":"canary"}`,
	}, []string{"day", "id", "config"}, func(t *testing.T, _, broken, kind string) {
		w := oauth().mounted(t, "ledger_retention", "24h")
		w.Simulator.SetAccount(jwtAccount())
		w.write("config/well", with(jwtConfig(), "ledger_retention", "24h"))
		hurt := text(t, w.read("token/app").Data, "token_id")
		w.ledgerOf("gst")
		for key := range w.storedUnder("ledger/" + kind + "/") {
			if strings.Contains(key, "gst") || strings.Contains(key, hurt) {
				w.put(key, broken)
			}
		}
		w.Reload()
		w.minute()
		// It is said what is wrong, and nothing of what is in there.
		for _, r := range []request{
			{logical.UpdateOperation, "lookup", map[string]any{"token_id": hurt}},
			{logical.ReadOperation, "ledger/gst", nil}, {logical.ListOperation, "ledger/", nil},
		} {
			resp, err := w.do(t.Context(), r.op, r.path, r.data)
			if refused, is := asRefusal(resp, err); is {
				w.says(refused.message, "ledger/"+kind)
				w.hides(refused.message, "canary")
			} else if resp != nil {
				w.hides(fmt.Sprint(resp.Data)+warningsOf(resp), "canary")
			}
		}
		// Logins go on, and tokens of this config and of others are noted and found.
		advance(time.Minute)
		w.write("rotate/gst", nil)
		w.write("rotate/well", nil)
		w.minute()
		next := text(t, w.read("token/app").Data, "token_id")
		check.Equal(t, w.lookUp("token_id", next).Config, "gst", "the next token is found of config")
		if kind == "day" {
			resp := w.read("ledger/gst")
			tokens, _ := resp.Data["tokens"].([]any)
			check.True(t, len(tokens) == 1 && len(resp.Warnings) == 1,
				"%d tokens and warnings %q, want the one that can be read, and one warning", len(tokens), resp.Warnings)
		}
		check.Equal(t, len(w.ledgerOf("well")), 2, "entries of the other config")
		advance(4 * day)
		check.Equal(t, describe(w.ledgerOf("well")), "", "the ledger has")
	})
}

func TestStorage_DamagedEntryHidesContent(t *testing.T) {
	requests := map[string][]request{
		"config/gst": {
			{logical.ReadOperation, "config/gst", nil}, {logical.ReadOperation, "token/app", nil},
			{logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
			{logical.UpdateOperation, "rotate/gst", nil}, {logical.UpdateOperation, "revoke/gst", nil},
			{logical.ReadOperation, "status/gst", nil},
		},
		"role/app": {
			{logical.ReadOperation, "role/app", nil}, {logical.ReadOperation, "token/app", nil},
			{logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		},
		"token/gst": {{logical.ReadOperation, "token/app", nil}, {logical.UpdateOperation, "rotate/gst", nil}},
	}
	eachWith(t, map[string]string{
		"a later schema":       `{"schema":99,"canary":"canary","password":"canary","access_token":"canary"}`,
		"no schema":            `{"canary":"canary","password":"canary"}`,
		"a schema as text":     `{"schema":"canary"}`,
		"text":                 `canary`,
		"JSON that is cut":     `{"schema":1,"password":"canary`,
		"JSON of another type": `["canary"]`,
		"a field of a type":    `{"schema":1,"config":{"canary":1},"password":["canary"],"current":"canary"}`,
		"nothing":              ``,
	}, slices.Collect(maps.Keys(requests)), func(t *testing.T, which, entry, key string) {
		w := jwtV1().mounted(t)
		w.put(key, entry)
		for _, r := range requests[key] {
			w.Reload()
			w.idle(func() {
				refused := w.refusal(r.op, r.path, r.data)
				w.hides(refused.message, "canary")
				check.True(t, refused.message != "", "the message of %s is empty", r)
				if which == "a later schema" {
					w.says(refused.message, "schema", "99")
				}
			})
		}
	})
}

// A damaged page does not hide that another config got the token. An operator who deals with a leak needs all that there is.
func TestLookup_DamagedPageHidesNoOtherConfig(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV1()
		f.account.RepeatTokens = true
		w := f.mounted(t)
		w.write("config/other", with(f.config, "verify_connection", false))
		w.write("role/other", map[string]any{"config": "other"})
		id := text(t, w.read("token/app").Data, "token_id")
		w.read("token/other")
		synctest.Wait() // the ledger is written
		hurt := 0
		for key := range w.storedUnder("ledger/day/") {
			if strings.Contains(key, "/gst/") {
				w.put(key, `{"schema":1,"canary`)
				hurt++
			}
		}
		check.Require(t, hurt == 1, "%d pages of gst, want one: this tests nothing", hurt)
		resp := w.write("lookup", map[string]any{"token_id": id})
		check.Equal(t, resp.Data["config"], "other", "found for")
		warnings := warningsOf(resp)
		w.says(warnings, "Another config may have received the same token", "ledger/day/", "/gst/")
		w.hides(warnings, "canary")
	})
}
