// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestRoleRefused_InvalidFields(t *testing.T) {
	t.Parallel()
	type refused struct {
		data  map[string]any
		wants []string
	}
	limit := func(value any) refused {
		return refused{map[string]any{"config": "gst", "max_ttl": value}, []string{"max_ttl", "whole seconds"}}
	}
	bad := map[string]refused{
		"nothing":                      {nil, []string{"config"}},
		"no config":                    {map[string]any{"max_ttl": "1h"}, []string{"config"}},
		"an empty config":              {map[string]any{"config": ""}, []string{"config"}},
		"a config that does not exist": {map[string]any{"config": "nobody"}, []string{"config", "vault write mastersindia/config/"}},
		"a config in another case":     {map[string]any{"config": "GST"}, []string{"config", "vault write mastersindia/config/"}},
		"a config no name can have":    {map[string]any{"config": "canary/../gst"}, []string{"config"}},
		"an unknown parameter":         {map[string]any{"config": "gst", "ttl": "canary"}, []string{"ttl"}},
		"a parameter in another case":  {map[string]any{"config": "gst", "Lease": true}, []string{"Lease"}},
		"a limit and no lease":         {map[string]any{"config": "gst", "max_ttl": "1h", "lease": false}, []string{"max_ttl", "lease"}},
		"a lease that is a word":       {map[string]any{"config": "gst", "lease": "canary"}, []string{"lease"}},
		"a lease that is a list":       {map[string]any{"config": "gst", "lease": []any{true}}, []string{"lease"}},
		"a limit of half a second":     limit("500ms"),
		"a limit of a fraction":        limit(86397.5),
		"a limit of one and a half":    limit("1.5s"),
		"a limit that is a word":       limit("canary"),
		"a negative limit":             limit(-86397),
		"a negative limit as text":     limit("-86397s"),
		"a negative limit as JSON":     limit(json.Number("-86397")),
		"a limit that is true":         limit(true),
		"a config that is a number":    {map[string]any{"config": 86397}, []string{"config"}},
		"a config that is a list":      {map[string]any{"config": []any{"canary"}}, []string{"config"}},
		"a config that is a map":       {map[string]any{"config": map[string]any{"canary": "gst"}}, []string{"config"}},
		"a field of a config":          {map[string]any{"config": "gst", "password": "canary"}, []string{"password"}},
	}
	for name, b := range bad {
		timed(t, "create with "+name, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.badRequest(logical.UpdateOperation, "role/other", b.data, b.wants...)
		})
		if name == "nothing" || name == "no config" {
			continue // an update need not name it
		}
		timed(t, "update with "+name, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.badRequest(logical.UpdateOperation, "role/app", b.data, b.wants...)
		})
	}
	timed(t, "a limit for a role without a lease", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"lease": false})
		w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"max_ttl": "1h"}, "max_ttl", "lease")
	})
	timed(t, "no lease for a role with a limit", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/app", map[string]any{"max_ttl": "1h"})
		w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"lease": false}, "max_ttl", "lease")
	})
	timed(t, "an update of a role whose config was deleted", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.remove("config/gst")
		w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"config": "gst"}, "gst", "vault write mastersindia/config/gst")
	})
}
