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

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// No message sends to the config that is gone, nor to the role itself where both have one name.
func TestUnknownName_RoleOfDeletedConfig(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		w.write("role/gst", map[string]any{"config": "gst"})
		w.remove("config/gst")
		w.badRequest(logical.UpdateOperation, "role/gst", map[string]any{"max_ttl": "1h"}, `config: "gst" does not exist: create it with`)
		for _, wrong := range []request{
			{logical.ReadOperation, "config/app", nil},
			{logical.UpdateOperation, "config/app", map[string]any{"paused": true}},
			{logical.UpdateOperation, "role/new", map[string]any{"config": "app"}},
			{logical.UpdateOperation, "rotate/app", nil},
			{logical.UpdateOperation, "revoke/app", nil},
			{logical.ReadOperation, "status/app", nil},
			{logical.ReadOperation, "ledger/app", nil},
		} {
			message := w.refused(wrong.op, wrong.path, wrong.data)
			want := "that is a role of config gst, which was deleted; for its tokens: vault read mastersindia/ledger/gst"
			check.True(t, strings.HasSuffix(message, want), "%s: %s\nwant: %s", wrong, message, want)
		}
		w.read("ledger/gst")
	})
}

// At night the advice is not to create what does not exist, but the name that was meant, or the deleted config's ledger.
func TestUnknownName_NoSuchConfigIsNotCreated(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.write("config/old", jwtConfig())
		w.write("config/unused", jwtConfig("verify_connection", false))
		w.remove("config/old")
		w.remove("config/unused")
		for name, says := range map[string]string{
			"gts":    `config "gts" does not exist; did you mean gst?`,
			"GST":    `config "GST" does not exist; did you mean gst?`,
			"nobody": `config "nobody" does not exist; to list the names: vault list mastersindia/config`,
			"unused": `config "unused" does not exist; to list the names: vault list mastersindia/config`,
			"old":    `config "old" was deleted; for its tokens: vault read mastersindia/ledger/old`,
		} {
			for path, data := range map[string]map[string]any{"rotate/": nil, "revoke/": {"token_id": "0123456789abcdef"}} {
				message := w.badRequest(logical.UpdateOperation, path+name, data)
				check.True(t, message == says, "%s%s: %s\nwant: %s", path, name, message, says)
			}
		}
		w.read("ledger/old")
		w.remove("role/app")
		w.badRequest(logical.ReadOperation, "token/gst", nil, "it has no role yet: vault write mastersindia/role/gst config=gst")
	})
}

// The name of a role where a config is wanted, or the reverse. A read of config/ or role/ stays a 404, which tools rely on.
func TestUnknownName_EveryPathSaysWhatItIs(t *testing.T) {
	t.Parallel()
	const role, config = `config "app" does not exist: that is a role of config gst`, `role "gst" does not exist: that is a config`
	const bad = http.StatusBadRequest
	paused := map[string]any{"paused": true}
	ofID := map[string]any{"token_id": "0123456789abcdef"}
	cases := []struct {
		op     logical.Operation
		path   string
		data   map[string]any
		status int
		says   []string
	}{
		{logical.ReadOperation, "config/app", nil, http.StatusNotFound, []string{role, "vault read mastersindia/config/gst"}},
		{logical.UpdateOperation, "config/app", paused, bad, []string{role, "vault write mastersindia/config/gst ..."}},
		{logical.DeleteOperation, "config/app", nil, http.StatusOK, []string{role, "vault delete mastersindia/role/app"}},
		{logical.ReadOperation, "role/gst", nil, http.StatusNotFound, []string{config, "roles are app", "vault read mastersindia/role/app"}},
		{logical.UpdateOperation, "role/gst", map[string]any{"max_ttl": "5m"}, http.StatusBadRequest,
			[]string{config, "roles are app", "vault write mastersindia/role/app ..."}},
		{logical.DeleteOperation, "role/gst", nil, http.StatusOK, []string{config, "its roles are app: vault delete mastersindia/role/app"}},
		{logical.ReadOperation, "token/gst", nil, http.StatusBadRequest, []string{config, "vault read mastersindia/token/app"}},
		{logical.UpdateOperation, "token/gst", nil, http.StatusBadRequest, []string{config, "vault read mastersindia/token/app"}},
		{logical.UpdateOperation, "rotate/app", nil, http.StatusBadRequest, []string{role + ", whose token all its roles share: vault write -f mastersindia/rotate/gst"}},
		{logical.UpdateOperation, "revoke/app", nil, http.StatusBadRequest, []string{role, "vault write -f mastersindia/revoke/gst"}},
		{logical.UpdateOperation, "revoke/app", ofID, bad, []string{role, "vault write mastersindia/revoke/gst token_id=<token_id>"}},
		{logical.UpdateOperation, "revoke/", ofID, bad, []string{"vault write mastersindia/revoke/<name> token_id=<token_id>"}},
		{logical.UpdateOperation, "role/new", map[string]any{"config": "app"}, http.StatusBadRequest,
			[]string{`"app" does not exist: that is a role of config gst: use config=gst`}},
		{logical.ReadOperation, "status/app", nil, http.StatusBadRequest, []string{role, "vault read mastersindia/status/gst"}},
		{logical.ReadOperation, "ledger/app", nil, http.StatusBadRequest, []string{role, "vault read mastersindia/ledger/gst"}},
	}
	tried := map[string]bool{"preset/": true} // whose names are fixed
	for _, wrong := range cases {
		prefix, _, _ := strings.Cut(wrong.path, "/")
		tried[prefix+"/"] = true
		timed(t, string(wrong.op)+" "+wrong.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			resp, err := w.do(t.Context(), wrong.op, wrong.path, wrong.data)
			r, refused := asRefusal(resp, err)
			if !refused && resp != nil {
				r = refusal{status: http.StatusOK, message: warningsOf(resp)}
			}
			check.True(t, r.status == wrong.status, "status %d, want %d", r.status, wrong.status)
			w.says(r.message, wrong.says...)
			w.read("config/gst")
			w.read("role/app")
		})
	}
	timed(t, "all paths", func(t *testing.T) {
		for path := range jwtV1().mounted(t).document().Paths {
			prefix, name, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			check.True(t, name == "" || tried[prefix+"/"], "%s is not in the table", path)
		}
	})
}

// Not all roles are searched, and what was not searched is not said to be absent.
func TestUnknownName_VeryManyRoles(t *testing.T) {
	mountTest(t, jwtV1(), func(_ *testing.T, w *testMount) {
		w.write("config/other", jwtConfig("verify_connection", false))
		for n := range 256 {
			w.write(fmt.Sprintf("role/a%03d", n), map[string]any{"config": "other"})
		}
		said := w.refused(logical.ReadOperation, "token/gst", nil)
		w.says(said, "that is a config, and none of the roles searched names it; not searched: 1", "vault list mastersindia/role")
		w.hides(said, "no role")
		w.says(w.remove("config/gst"), "None of those searched does; not searched: 1.")
	})
}

// What does not exist is deleted, as after a typing error: a warning says so, with the name that was meant.
func TestUnknownName_NothingDeleted(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for path, says := range map[string]string{
			"role/aap":      `Nothing was deleted: role "aap" does not exist; did you mean app?`,
			"config/gts":    `Nothing was deleted: config "gts" does not exist; did you mean gst?`,
			"role/nobody":   `Nothing was deleted: role "nobody" does not exist; to list the names: vault list mastersindia/role`,
			"config/nobody": `Nothing was deleted: config "nobody" does not exist; to list the names: vault list mastersindia/config`,
		} {
			w.idle(func() { check.Equal(t, w.remove(path), says, "delete %s warns", path) })
		}
		w.read("config/gst")
		w.read("role/app")
		if resp, err := w.do(t.Context(), logical.DeleteOperation, "role/app", nil); resp != nil || err != nil {
			t.Errorf("a deletion of what exists: %v, %v, want a plain 204", resp, err)
		}
		w.write("role/kiosk", map[string]any{"config": "gst", "lease": false, "metadata": map[string]any{"gstin": "29", "site": "Pune's"}})
		const undo = `The role is deleted: to undo this: ` +
			`vault write mastersindia/role/kiosk config=gst lease=false metadata=gstin=29 metadata=site='Pune'\''s'`
		check.Equal(t, w.remove("role/kiosk"), undo, "a deletion of settings warns")
	})
}

// A role may have the name of its config. Where that config is gone, the name is that of nothing else.
func TestUnknownName_RoleWithConfigsName(t *testing.T) {
	mountTest(t, jwtV1(), func(_ *testing.T, w *testMount) {
		w.write("config/eway", jwtConfig("verify_connection", false))
		w.write("role/gst", map[string]any{"config": "eway"})
		w.wantAbsent("ledger/gst") // a config of that name exists, of which no token was issued yet
		w.write("role/gst", map[string]any{"config": "gst"})
		w.remove("config/gst")
		w.idle(func() {
			for _, path := range []string{
				"config/gst", "status/gst", "config/nobody", "status/nobody", "ledger/nobody", "role/nobody", "preset/nobody",
			} {
				w.wantAbsent(path)
			}
		})
	})
}

// Where a name differs from one that exists by a typing error or by capitals, the message has that one.
func TestUnknownName_NearestName(t *testing.T) {
	mountTest(t, jwtV1(), func(_ *testing.T, w *testMount) {
		for _, name := range []string{"aap", "APP"} {
			said := fmt.Sprintf("role %q does not exist; did you mean app?", name)
			for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
				w.badRequest(op, "token/"+name, nil, said+" To create it: vault write mastersindia/role/"+name+" config=<config>")
			}
			w.badRequest(logical.UpdateOperation, "role/"+name, map[string]any{"max_ttl": "5m"}, said, "config=<config>")
		}
		for _, name := range []string{"gts", "GST"} {
			w.badRequest(logical.UpdateOperation, "role/new", map[string]any{"config": name}, fmt.Sprintf(
				"config: %q does not exist; did you mean gst? To create it: vault write mastersindia/config/%[1]s preset=...", name))
			w.badRequest(logical.UpdateOperation, "config/"+name, map[string]any{"paused": true},
				"nothing to update (did you mean gst?)", "preset=...")
		}
		w.badRequest(logical.ReadOperation, "token/nobody", nil, `role "nobody" does not exist: create it with `)
		w.badRequest(logical.UpdateOperation, "role/new", map[string]any{"config": "nobody"}, `config: "nobody" does not exist: create it with `)
		w.badRequest(logical.UpdateOperation, "role/nobody", map[string]any{"max_ttl": "5m"}, "config: is required")
	})
}

// The names are not waited for long, and without them the message says how to create what is missing.
func TestUnknownName_SlowStorage(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.Storage.Slow(mounttest.List, "", time.Hour)
		began := time.Now()
		w.badRequest(logical.ReadOperation, "token/aap", nil, `role "aap" does not exist: create it with `)
		check.Equal(t, time.Since(began), 2*time.Second, "the message came after")
	})
}

func TestUnknownName_NearestPreset(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for given, meant := range map[string]string{
			"einvoice-prodution": "einvoice-production", "e-invoice_production": "einvoice-production", "ksa": "ksa-qa",
			"verification": "oauth-verification", "einvoicing-production": "einvoice-production",
		} {
			message := w.badRequest(logical.UpdateOperation, "config/new", map[string]any{"preset": given})
			check.True(t, strings.HasSuffix(message, "; did you mean "+meant+"?"), "preset=%s: %s\nwant %s", given, message, meant)
		}
		message := w.badRequest(logical.UpdateOperation, "config/new", map[string]any{"preset": "zzzzzz"})
		check.True(t, !strings.Contains(message, "did you mean"), "nothing is near: %s", message)
	})
}

// Deleting a config warns of its roles and of the tokens that live on, also with 250 roles and storage that takes 10 ms over a read.
func TestConfigDelete_WarnsWithManyRoles(t *testing.T) {
	eachPair(t, []int{3, 250}, []bool{false, true}, func(t *testing.T, roles int, reloaded bool) {
		s := gstMount(t, 24*time.Hour)
		s.EveryMinute()
		s.token("app")
		s.write("config/other", jwtConfig("verify_connection", false))
		for n := range roles {
			s.write(fmt.Sprintf("role/r%03d", n), map[string]any{"config": "other"})
		}
		s.remove("role/app")
		s.remove("role/still")
		s.write("role/zz", map[string]any{"config": "gst"})
		advance(time.Second)
		s.Storage.Slow(mounttest.Get, "", 10*time.Millisecond)
		if reloaded {
			s.Storage.Slow(mounttest.Get, "", 10*time.Millisecond)
			s.Stop()
			s.Start()
		}
		said := s.remove("config/gst")
		check.True(t, strings.Contains(said, "roles"), "nothing of roles: %q", said)
		check.True(t, strings.Contains(said, "revokes nothing"), "nothing of tokens: %q", said)
	})
}
