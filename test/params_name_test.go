// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// namedPaths are the paths of the contract that end in a name, with what can be done to them.
func namedPaths() map[string][]logical.Operation {
	return map[string][]logical.Operation{
		"config/": {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"role/":   {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"token/":  {logical.ReadOperation, logical.UpdateOperation},
		"rotate/": {logical.UpdateOperation},
		"revoke/": {logical.UpdateOperation},
		"status/": {logical.ReadOperation},
		"ledger/": {logical.ReadOperation},
		"preset/": {logical.ReadOperation},
	}
}

// body is what is written to a path: something that would be accepted if it were not for the name.
func body(path string, op logical.Operation) map[string]any {
	switch {
	case op != logical.CreateOperation && op != logical.UpdateOperation:
		return nil
	case path == "config/":
		return jwtConfig()
	case path == "role/":
		return map[string]any{"config": "gst"}
	default:
		return nil
	}
}

func badNames() map[string]string {
	return map[string]string{
		"129 characters":            strings.Repeat("a", 129),
		"a slash":                   "a/b",
		"a slash at the end":        "a/b/",
		"a hyphen first":            "-a",
		"a hyphen last":             "a-",
		"a hyphen alone":            "-",
		"a dot first":               ".a",
		"a dot last":                "a.",
		"a dot alone":               ".",
		"two dots alone":            "..",
		"two dots in a row":         "a..b",
		"a way up":                  "a/../b",
		"a blank":                   "a b",
		"a blank last":              "a ",
		"a letter outside ASCII":    "gërman",
		"a script outside ASCII":    "जीएसटी",
		"a wide digit":              "a１",
		"a colon":                   "a:b",
		"a percent sign":            "a%2fb",
		"a plus":                    "a+b",
		"an at sign":                "clerk@gst",
		"a star":                    "a*",
		"a newline":                 "a\nb",
		"a newline last":            "a\n",
		"a zero byte":               "a\x00b",
		"bytes that are no UTF-8":   "a\xffb",
		"a backslash":               `a\b`,
		"a quote":                   `a"b`,
		"a format verb":             "a%sb",
		"a name longer than a path": strings.Repeat("a", 5000),
	}
}

func TestNames_InvalidRefusedWithRule(t *testing.T) {
	t.Parallel()
	for path, operations := range namedPaths() {
		for which, name := range badNames() {
			timed(t, path+" with "+which, func(t *testing.T) {
				w := jwtV1().mounted(t)
				for _, op := range operations {
					message := w.badRequest(op, path+name, body(path, op), "name", "128")
					if len(name) > 3 && strings.Contains(message, name) {
						t.Errorf("%s: the message repeats the name: %q", op, message)
					}
				}
			})
		}
	}
}

func TestNames_MissingRefused(t *testing.T) {
	t.Parallel()
	for path, operations := range namedPaths() {
		timed(t, path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			for _, op := range operations {
				w.idle(func() {
					r := w.refusal(op, path, body(path, op))
					if body(path, op) != nil {
						w.says(r.message, "name")
						w.hides(r.message, canaries(body(path, op))...)
					}
				})
			}
		})
	}
}

// TestNames_ValidUsedUnchanged: a name within the rule is taken as it is.
func TestNames_ValidUsedUnchanged(t *testing.T) {
	t.Parallel()
	for which, name := range map[string]string{
		"one letter": "a", "one digit": "7", "one underscore": "_", "128 characters": strings.Repeat("Ab1.-_c9", 16),
		"upper case": "GST", "a dot within": "gst.in", "underscores at both ends": "_gst_", "a hyphen within": "gst-in",
		"a name of a path": "config", "a word of the command line": "list", "digits alone": "0123456789",
		"a hyphen and a dot in a row": "a-.b", "two hyphens in a row": "a--b", "two underscores in a row": "a__b",
	} {
		timed(t, which, func(t *testing.T) {
			w := newTestMount(t, jwtAccount())
			w.write("config/"+name, jwtConfig())
			w.write("role/"+name, map[string]any{"config": name})
			if got := w.read("token/" + name).Data["config"]; got != name {
				t.Errorf("config is %v, want %s", got, name)
			}
			w.read("config/" + name)
			w.read("role/" + name)
			w.read("status/" + name)
			w.write("revoke/"+name, nil)
			w.write("rotate/"+name, nil)
			w.remove("role/" + name)
			w.remove("config/" + name)
			if left := w.storedUnder("config/"); len(left) > 0 {
				t.Errorf("%d configs are left", len(left))
			}
		})
	}
}

// TestNames_MetricsLabelRefused: a config of that name could not be told from the label under which metrics count many together.
func TestNames_MetricsLabelRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"config/", "role/"} {
		timed(t, path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.badRequest(logical.UpdateOperation, path+"_other", body(path, logical.UpdateOperation), "name")
		})
	}
}
