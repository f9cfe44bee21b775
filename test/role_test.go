// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestRole_DefaultsOfContract: a role has the defaults of the contract.
func TestRole_DefaultsOfContract(t *testing.T) {
	t.Parallel()
	timed(t, "config alone", func(t *testing.T) {
		w := jwtV1().mounted(t)
		want := map[string]any{"config": "gst", "max_ttl": 0.0, "lease": true}
		w.idle(func() {
			if got := overTheWire(t, w.read("role/app").Data); !maps.Equal(got, want) {
				t.Errorf("the role is %v, want %v", got, want)
			}
		})
	})
}

// TestRole_ReadAsWritten: a role is read as it was written.
func TestRole_ReadAsWritten(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]struct{ written, read map[string]any }{
		"a limit as a duration": {map[string]any{"max_ttl": "15m"}, map[string]any{"max_ttl": 900.0, "lease": true}},
		"a limit as a number":   {map[string]any{"max_ttl": 900}, map[string]any{"max_ttl": 900.0, "lease": true}},
		"a limit as JSON":       {map[string]any{"max_ttl": json.Number("900")}, map[string]any{"max_ttl": 900.0, "lease": true}},
		"no lease":              {map[string]any{"lease": false}, map[string]any{"max_ttl": 0.0, "lease": false}},
		"no lease as text":      {map[string]any{"lease": "false"}, map[string]any{"max_ttl": 0.0, "lease": false}},
	} {
		timed(t, name, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.write("role/other", with(role.written, "config", "gst"))
			got, want := overTheWire(t, w.read("role/other").Data), with(role.read, "config", "gst")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the role is %v, want %v", got, want)
			}
			w.unwritten(func() { w.write("role/other", got) })
			w.Reload()
			if again := overTheWire(t, w.read("role/other").Data); !reflect.DeepEqual(again, want) {
				t.Errorf("after a restart the role is %v, want %v", again, want)
			}
		})
	}
}

// TestRole_UpdateChangesOnlyNamedFields: an update of a role changes only what it names.
func TestRole_UpdateChangesOnlyNamedFields(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]struct{ written, read any }{
		"config":  {"other", "other"},
		"max_ttl": {"10m", 600.0},
	} {
		timed(t, field, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.write("config/other", jwtConfig("verify_connection", false))
			w.write("role/limited", map[string]any{"config": "gst", "max_ttl": "1h"})
			w.write("role/limited", map[string]any{field: change.written})
			want := with(map[string]any{"config": "gst", "max_ttl": 3600.0, "lease": true}, field, change.read)
			if got := overTheWire(t, w.read("role/limited").Data); !reflect.DeepEqual(got, want) {
				t.Errorf("the role is %v, want %v", got, want)
			}
		})
	}
	timed(t, "lease", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"lease": false})
		if w.read("token/app").Secret != nil {
			t.Error("the token is leased")
		}
		w.write("role/app", map[string]any{"lease": true})
		if w.read("token/app").Secret == nil {
			t.Error("the token is not leased")
		}
	})
	timed(t, "the limit and the lease at once", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"max_ttl": "1h"})
		w.write("role/app", map[string]any{"max_ttl": 0, "lease": false})
		w.write("role/app", map[string]any{"max_ttl": "1h", "lease": true})
	})
}

// TestRole_OtherConfigGivesOtherToken: a role that changes its config gives the other token.
func TestRole_OtherConfigGivesOtherToken(t *testing.T) {
	t.Parallel()
	timed(t, "jwt to oauth", func(t *testing.T) {
		w := newTestMount(t, jwtV1().account, oauth().account)
		w.mount(jwtV1())
		w.write("config/other", oauth().config)
		w.read("token/app")
		w.write("role/app", map[string]any{"config": "other"})
		data := w.read("token/app").Data
		if data["config"] != "other" || data["client_id"] != "oauth-app" {
			t.Errorf("the token is of config %v, client %v", data["config"], data["client_id"])
		}
	})
}

// TestRole_ListHasKeyInfo: roles are listed with the facts that one looks for.
func TestRole_ListHasKeyInfo(t *testing.T) {
	t.Parallel()
	timed(t, "three", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/b", map[string]any{"config": "gst", "max_ttl": "1h"})
		w.write("role/APP", map[string]any{"config": "gst", "lease": false})
		w.idle(func() {
			for _, path := range []string{"role/", "role"} {
				resp, err := w.do(t.Context(), logical.ListOperation, path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := resp.Data["keys"], []string{"APP", "app", "b"}; !reflect.DeepEqual(got, want) {
					t.Errorf("keys are %v, want %v", got, want)
				}
				info, _ := overTheWire(t, resp.Data)["key_info"].(map[string]any)
				want := map[string]any{"config": "gst", "max_ttl": 3600.0, "lease": true}
				if got, _ := info["b"].(map[string]any); !reflect.DeepEqual(got, want) {
					t.Errorf("key_info of b is %v, want %v", info["b"], want)
				}
			}
		})
	})
}

// TestRole_NamesAreCaseSensitive: role names that differ in case are different roles.
func TestRole_NamesAreCaseSensitive(t *testing.T) {
	t.Parallel()
	timed(t, "app and APP", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.badRequest(logical.ReadOperation, "token/APP", nil, "APP")
		w.write("role/APP", map[string]any{"config": "gst", "lease": false})
		if w.read("token/app").Secret == nil {
			t.Error("role app has taken on the settings of role APP")
		}
		w.remove("role/APP")
		w.read("token/app")
		w.badRequest(logical.ReadOperation, "token/APP", nil, "APP")
	})
}

// TestRole_DeletedGivesNoToken: a deleted role gives no token.
func TestRole_DeletedGivesNoToken(t *testing.T) {
	t.Parallel()
	timed(t, "and says what to type", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.quiet(func() { w.remove("role/app") })
		w.badRequest(logical.ReadOperation, "token/app", nil, "app", "vault write mastersindia/role/app")
		if resp, err := w.tryRead("role/app", nil); resp != nil || err != nil {
			t.Errorf("the role can be read: %v, %v", resp, err)
		}
		w.Reload()
		w.badRequest(logical.ReadOperation, "token/app", nil, "app", "vault write mastersindia/role/app")
	})
}

// TestRole_NewLimitHoldsFromNextRead: the limit of a role holds from the next read.
func TestRole_NewLimitHoldsFromNextRead(t *testing.T) {
	t.Parallel()
	timed(t, "an hour, then ten minutes", func(t *testing.T) {
		w := jwtV1().mounted(t)
		for _, limit := range []time.Duration{time.Hour, 10 * time.Minute, 2 * time.Hour} {
			w.write("role/app", map[string]any{"max_ttl": limit.String()})
			if got := w.read("token/app").Secret.TTL; got != limit {
				t.Errorf("lease of %s, want %s", got, limit)
			}
		}
	})
}
