// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestNames_InvalidRefusedWithRule(t *testing.T) {
	eachNamed(t, namedPaths(), func(t *testing.T, path string, operations []logical.Operation) {
		w := jwtV1().mounted(t)
		for _, name := range badNames() {
			for _, op := range operations {
				message := w.badRequest(op, path+name, body(path, op), "name", "128")
				check.True(t, len(name) <= 3 || !strings.Contains(message, name), "%s: the message repeats the name: %q", op, message)
			}
		}
		if data := body(path, logical.UpdateOperation); data != nil { // it is the label under which metrics count many together
			w.badRequest(logical.UpdateOperation, path+"_other", data, "name")
		}
	})
}

func TestNames_ValidUsedUnchanged(t *testing.T) {
	eachOf(t, []string{
		"a", "7", "_", strings.Repeat("Ab1.-_c9", 16), "GST", "gst.in", "_gst_", "gst-in", "config", "list", "0123456789", "a-.b", "a--b", "a__b",
	}, func(t *testing.T, name string) {
		w := newTestMount(t, jwtAccount())
		w.write("config/"+name, jwtConfig())
		w.write("role/"+name, map[string]any{"config": name})
		check.Equal[any](t, w.read("token/" + name).Data["config"], name, "config")
		w.read("config/" + name)
		w.read("role/" + name)
		w.read("status/" + name)
		w.write("revoke/"+name, nil)
		w.write("rotate/"+name, nil)
		w.remove("role/" + name)
		w.remove("config/" + name)
		check.Equal(t, len(w.storedUnder("config/")), 0, "entries under config/")
	})
}

func badNames() []string {
	return []string{
		strings.Repeat("a", 129), strings.Repeat("a", 5000), "a/b", "a/b/", "-a", "a-", "-", ".a", "a.", ".", "..", "a..b", "a/../b", "a b", "a ",
		"gërman", "जीएसटी", "a１", "a:b", "a%2fb", "a+b", "clerk@gst", "a*", "a\nb", "a\n", "a\x00b", "a\xffb", `a\b`, `a"b`, "a%sb",
	}
}
