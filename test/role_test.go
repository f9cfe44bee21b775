// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

func TestRole_ReadAsWritten(t *testing.T) {
	type testCase struct{ written, read map[string]any }
	each(t, map[string]testCase{
		"a limit as a duration": {map[string]any{"max_ttl": "15m"}, map[string]any{"max_ttl": 900.0, "lease": true}},
		"a limit as a number":   {map[string]any{"max_ttl": 900}, map[string]any{"max_ttl": 900.0, "lease": true}},
		"a limit as JSON":       {map[string]any{"max_ttl": json.Number("900")}, map[string]any{"max_ttl": 900.0, "lease": true}},
		"no lease":              {map[string]any{"lease": false}, map[string]any{"max_ttl": 0.0, "lease": false}},
		"no lease as text":      {map[string]any{"lease": "false"}, map[string]any{"max_ttl": 0.0, "lease": false}},
		"metadata as a map": {
			map[string]any{"metadata": map[string]any{"Gstin": "29ABCDE1234F2Z5", "sub_id-2": "पुणे = é"}},
			map[string]any{"max_ttl": 0.0, "lease": true, "metadata": map[string]any{"Gstin": "29ABCDE1234F2Z5", "sub_id-2": "पुणे = é"}},
		},
		"metadata as pairs": {
			map[string]any{"metadata": []any{"gstin=29ABCDE1234F2Z5", "mode=Buyer", "empty="}},
			map[string]any{"max_ttl": 0.0, "lease": true, "metadata": map[string]any{"gstin": "29ABCDE1234F2Z5", "mode": "Buyer", "empty": ""}},
		},
	}, func(t *testing.T, role testCase) {
		w := jwtV1().mounted(t)
		w.write("role/other", with(role.written, "config", "gst"))
		got, want := overTheWire(t, w.read("role/other").Data), with(role.read, "config", "gst")
		if role.written["metadata"] == nil {
			want["metadata"] = map[string]any{}
		}
		check.Equal(t, got, want, "the role")
		w.unwritten(func() { w.write("role/other", got) })
		w.Reload()
		check.Equal(t, overTheWire(t, w.read("role/other").Data), want, "after a restart the role")
	})
}

// roleChange is another value of a role's field, as it is written and as it is read.
type roleChange struct{ written, read any }

// roleChanges are one for each field of a role. TestRole_UpdateChangesOnlyNamedFields checks that none is missing.
func roleChanges() map[string]roleChange {
	return map[string]roleChange{
		"config":   {"other", "other"},
		"max_ttl":  {"10m", 600.0},
		"lease":    {false, false},
		"metadata": {map[string]any{"mode": "Seller"}, map[string]any{"mode": "Seller"}},
	}
}

func TestRole_UpdateChangesOnlyNamedFields(t *testing.T) { //nolint:tparallel // eachNamed calls it
	changes := roleChanges()
	eachNamed(t, changes, func(t *testing.T, field string, change roleChange) {
		w := jwtV1().mounted(t)
		w.write("config/other", jwtConfig("verify_connection", false))
		w.write("role/limited", map[string]any{"config": "gst", "max_ttl": 3600, "metadata": "gstin=29ABCDE1234F2Z5"})
		if field == "lease" { // without which there is no limit
			w.write("role/limited", map[string]any{"max_ttl": 0})
		}
		before := overTheWire(t, w.read("role/limited").Data)
		for name := range before {
			_, known := changes[name]
			check.True(t, known, "say here another value of %s", name)
		}
		w.write("role/limited", map[string]any{field: change.written})
		want := with(before, field, change.read)
		check.Equal(t, overTheWire(t, w.read("role/limited").Data), want, "the role")
		w.Reload()
		check.Equal(t, overTheWire(t, w.read("role/limited").Data), want, "after a restart the role")
	})
	timed(t, "lease", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"lease": false})
		check.True(t, w.read("token/app").Secret == nil, "the token is leased")
		w.write("role/app", map[string]any{"lease": true})
		check.True(t, w.read("token/app").Secret != nil, "the token is not leased")
	})
	timed(t, "the limit and the lease at once", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"max_ttl": "1h"})
		w.write("role/app", map[string]any{"max_ttl": 0, "lease": false})
		w.write("role/app", map[string]any{"max_ttl": "1h", "lease": true})
	})
}

func TestRole_ListHasKeyInfo(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.write("role/b", map[string]any{"config": "gst", "max_ttl": "1h"})
		w.write("role/APP", map[string]any{"config": "gst", "lease": false})
		w.idle(func() {
			for _, path := range []string{"role/", "role"} {
				resp := w.list(path)
				check.Equal[any](t, resp.Data["keys"], []string{"APP", "app", "b"}, "keys")
				check.Equal(t, overTheWire(t, w.listed(path, "b")), map[string]any{"config": "gst", "max_ttl": 3600.0, "lease": true}, "key_info of b")
			}
		})
	})
}

func TestRole_DeletedGivesNoToken(t *testing.T) {
	mountTest(t, jwtV1(), func(_ *testing.T, w *testMount) {
		w.read("token/app")
		w.quiet(func() { w.remove("role/app") })
		w.badRequest(logical.ReadOperation, "token/app", nil, "app", "vault write mastersindia/role/app")
		w.wantAbsent("role/app")
		w.Reload()
		w.badRequest(logical.ReadOperation, "token/app", nil, "app", "vault write mastersindia/role/app")
	})
}

// TestRole_WrittenBesideARead: what a read has found of the role before a write of it is not kept for later reads.
func TestRole_WrittenBesideARead(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.write("config/other", jwtConfig("verify_connection", false))
		s.Reload()
		s.Storage.On(mounttest.Get, "role/app", mounttest.Fault{Late: true, Wait: time.Second})
		first := s.async("token/app")
		advance(500 * time.Millisecond)
		s.Storage.Heal()
		s.write("role/app", map[string]any{"config": "other"})
		former := check.Value(s.wait(first).unpack())(t)
		check.Equal(t, former.Data["config"], any("gst"), "the read that began before the write is of config")
		check.Equal(t, s.token("app").config, "other", "the next read is of config")
	})
}

func TestRole_NewLimitHoldsFromNextRead(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for _, limit := range []time.Duration{time.Hour, 10 * time.Minute, 2 * time.Hour} {
			w.write("role/app", map[string]any{"max_ttl": limit.String()})
			check.Equal(t, w.read("token/app").Secret.TTL, limit, "lease")
		}
	})
}

// Metadata is what each request needs besides the token: one login serves many GSTINs.
func TestRole_MetadataComesWithTheToken(t *testing.T) {
	eachOf(t, []bool{true, false}, func(t *testing.T, leased bool) {
		w := jwtV1().mounted(t)
		w.write("role/pune", map[string]any{"config": "gst", "lease": leased, "metadata": []any{"gstin=27ABCDE1234F2Z5", "mode=Buyer"}})
		w.write("role/goa", map[string]any{"config": "gst", "lease": leased, "metadata": "gstin=30ABCDE1234F2Z5"})
		wanted := map[string]map[string]any{
			"pune": {"gstin": "27ABCDE1234F2Z5", "mode": "Buyer"}, "goa": {"gstin": "30ABCDE1234F2Z5"}, "app": nil,
		}
		for range 2 { // through the router, and from memory
			for name, want := range wanted {
				got, has := overTheWire(t, w.read("token/"+name).Data)["metadata"].(map[string]any)
				check.True(t, has == (want != nil) && maps.Equal(got, want), "metadata of %s is %v, want %v", name, got, want)
			}
		}
		w.wantLogins(1)
		w.write("role/goa", map[string]any{"metadata": "gstin=30XXXXX1234F2Z5"})
		check.Equal[any](t, overTheWire(t, w.read("token/goa").Data)["metadata"], map[string]any{"gstin": "30XXXXX1234F2Z5"},
			"after an update metadata")
		w.write("role/goa", map[string]any{"metadata": ""})
		got, has := w.read("token/goa").Data["metadata"]
		check.True(t, !has, "after it was cleared metadata is %v", got)
		w.wantLogins(1)
	})
}

func TestRole_MetadataOutOfBoundsIsRefused(t *testing.T) { //nolint:tparallel // eachNamed calls it
	many := map[string]any{}
	for n := range 33 {
		many[fmt.Sprintf("name%d", n)] = "x"
	}
	named := func(name string) map[string]any { return map[string]any{name: "canary"} }
	eachNamed(t, map[string][]any{
		"at most 32 pairs":       {many},
		"longer than 1024 bytes": {map[string]any{"gstin": strings.Repeat("x", 1020)}},
		"one line of text": {
			map[string]any{"gstin": "canary\r"}, map[string]any{"gstin": "canary\nX-Other: 1"}, map[string]any{"gstin": "canary\x00"},
			map[string]any{"gstin": "canary\xff"},
		},
		"Gstin and gstin, which are one header": {[]any{"gstin=29ABCDE1234F2Z5", "Gstin=canary"}},
		"contains a token":                      {map[string]any{"gstin": "JWT eyJcanary.eyJ.x"}, map[string]any{"gstin": "hvs.canary" + strings.Repeat("x", 18)}},
		"a letter, then letters, digits, '_' or '-'": {
			named("a canary"), named("canary\n"), named("canary:"), named("-canary"), named("7canary"), named("canaryé"),
		},
		"name=value": {"=canary", "canary", map[string]any{"canary": 7}, []any{[]any{"canary=1"}}},
	}, func(t *testing.T, want string, bad []any) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"metadata": "gstin=29ABCDE1234F2Z5"})
		for _, metadata := range bad {
			w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"metadata": metadata}, "metadata", want)
			w.badRequest(logical.UpdateOperation, "role/new", map[string]any{"config": "gst", "metadata": metadata}, "metadata", want)
		}
		check.Equal[any](t, overTheWire(t, w.read("role/app").Data)["metadata"], map[string]any{"gstin": "29ABCDE1234F2Z5"},
			"the refused write changed the metadata to")
	})
	timed(t, "as much as there may be", func(t *testing.T) {
		w := jwtV1().mounted(t)
		most := map[string]any{}
		for n := range 32 {
			most[fmt.Sprintf("name-%02d", n)] = strings.Repeat("x", 1017)
		}
		w.write("role/app", map[string]any{"metadata": most})
		got, _ := overTheWire(t, w.read("token/app").Data)["metadata"].(map[string]any)
		check.True(t, maps.Equal(got, most), "%d pairs came back", len(got))
	})
}

// A role changes to another account, or loses metadata that the write left out.
func TestRole_ChangeThatMayNotBeMeantWarns(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.write("config/ksa", jwtConfig("verify_connection", false))
		for n, step := range []struct {
			data map[string]any
			says string
		}{
			{map[string]any{"config": "gst"}, ""},
			{map[string]any{"max_ttl": "5m", "metadata": map[string]any{"b": "1", "a": "1", "c": "1"}}, ""},
			{map[string]any{"metadata": map[string]any{"c": "2", "d": "2"}}, "There is no a, b in metadata now, since a write of metadata " +
				"replaces all pairs: to add some, give them all: vault write mastersindia/role/app metadata=..."},
			{map[string]any{"config": "ksa"}, "Role app returned the token of config gst before: to undo this change: " +
				"vault write mastersindia/role/app config=gst"},
			{map[string]any{"config": "ksa"}, ""},
			{map[string]any{"config": "gst"}, ""}, // ksa was deleted
		} {
			if n == 5 {
				w.remove("config/ksa")
			}
			check.Equal(t, warningsOf(w.write("role/app", step.data)), step.says, "write %d warns", n)
		}
		check.Equal(t, w.read("token/app").Data["config"], "gst", "the role is")
	})
}

func TestRoleRefused_InvalidFields(t *testing.T) { //nolint:tparallel // eachNamed calls it
	gst := func(field string, value any) map[string]any { return map[string]any{"config": "gst", field: value} }
	eachNamed(t, map[string][]map[string]any{
		"config": {
			{"config": ""}, {"config": "canary/../gst"}, {"config": 86397}, {"config": []any{"canary"}}, {"config": map[string]any{"canary": "gst"}},
		},
		"vault write mastersindia/config/": {{"config": "nobody"}, {"config": "GST"}},
		"ttl":                              {gst("ttl", "canary")},
		"Lease":                            {gst("Lease", true)},
		"lease":                            {with(gst("max_ttl", "1h"), "lease", false), gst("lease", "canary"), gst("lease", []any{true})},
		"whole seconds": {
			gst("max_ttl", "500ms"), gst("max_ttl", 86397.5), gst("max_ttl", "1.5s"), gst("max_ttl", "canary"), gst("max_ttl", -86397),
			gst("max_ttl", "-86397s"), gst("max_ttl", json.Number("-86397")), gst("max_ttl", true),
		},
		"password": {gst("password", "canary")},
	}, func(t *testing.T, want string, bad []map[string]any) {
		w := jwtV1().mounted(t)
		for _, data := range bad {
			w.badRequest(logical.UpdateOperation, "role/other", data, want)
			w.badRequest(logical.UpdateOperation, "role/app", data, want)
		}
		w.badRequest(logical.UpdateOperation, "role/other", nil, "config")
		w.badRequest(logical.UpdateOperation, "role/other", map[string]any{"max_ttl": "1h"}, "config")
	})
	timed(t, "a limit and no lease", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"lease": false})
		w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"max_ttl": "1h"}, "max_ttl", "lease")
		w.write("role/app", map[string]any{"lease": true, "max_ttl": "1h"})
		w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"lease": false}, "max_ttl", "lease")
	})
	timed(t, "an update of a role whose config was deleted", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.remove("config/gst")
		w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"config": "gst"}, "gst", "vault write mastersindia/config/gst")
	})
}
