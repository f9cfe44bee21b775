// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"cmp"
	"os"
	"strings"
	"testing"
)

// TestClients_RefusedInputsSendNothing gives each client arguments that it must refuse before it asks Vault or calls the API.
func TestClients_RefusedInputsSendNothing(t *testing.T) { //nolint:tparallel // the cases of a client share its counters
	t.Parallel()
	const secret = "s3cret-of-the-caller"
	refusedBefore := map[string]string{"csharp": "Cannot determine the text encoding"} // by mono itself
	w := newTestVault(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	for name, content := range map[string]string{"latin1.json": "{\"name\": \"Z\xfcrich\"}", "empty.json": ""} {
		if err := os.WriteFile(w.file(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, command := range exampleCommands(t) {
		c := w.exampleClient(t, name, command)
		good := c.api.url + "/accepted"
		for _, try := range []struct {
			name string
			said string
			args []string
			env  []string
		}{
			{"two lines in a URL", "URL:", []string{"-d", invoice, name, good + "\n" + good}, nil},
			{"a blank in the second URL", "URL:", []string{"-d", invoice, name, good, good + "?token=" + secret + " x"}, nil},
			{"a URL without scheme", "URL:", []string{"-d", invoice, name, good, strings.TrimPrefix(good, "http://") + "?token=" + secret}, nil},
			{"a URL with a password", "URL:", []string{"-d", invoice, name, "https://me:" + secret + "@127.0.0.1/"}, nil},
			{"an option behind the URL", "", []string{"-d", invoice, name, good, "-H"}, nil},
			{"an unknown option behind the URL", "", []string{"-d", invoice, name, good, "--insecure"}, nil},
			{"-data", "", []string{"-data", invoice, name, good}, nil},
			{"--data=", "", []string{"--data=" + invoice, name, good}, nil},
			{"an invoice as the role", "role:", []string{invoice, good}, nil},
			{"a URL as the role", "role:", []string{"https://vault/v1/mastersindia/token/x", good}, nil},
			{"a header without a colon", "header:", []string{"-d", invoice, "-H", "X-Key " + secret, name, good}, nil},
			{"a header without a name", "header:", []string{"-d", invoice, "-H", ": " + secret, name, good}, nil},
			{"a header file", "header:", []string{"-d", invoice, "-H", "@headers", name, good}, nil},
			{"a header of two lines", "header:", []string{"-d", invoice, "-H", "X-Key: a\nX-Other: " + secret, name, good}, nil},
			{"an empty body", "body:", []string{"-d", "", name, good}, nil},
			{"an empty file", "body:", []string{"-d", "@" + w.file("empty.json"), name, good}, nil},
			{"a body that is not UTF-8", "body:", []string{"-d", "@" + w.file("latin1.json"), name, good}, nil},
			{"an argument that is not UTF-8", cmp.Or(refusedBefore[name], "body:"), []string{"-d", "{\"name\": \"Z\xfcrich\"}", name, good}, nil},
			{
				"an address without scheme", "VAULT_ADDR:", []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=" + strings.TrimPrefix(c.Addr, "http://")},
			},
			{"an address of two lines", "VAULT_ADDR:", []string{"-d", invoice, name, good}, []string{"VAULT_ADDR=" + c.Addr + "\n" + c.Addr}},
			{"an address with a password", "VAULT_ADDR:", []string{"-d", invoice, name, good}, []string{"VAULT_ADDR=http://me:" + secret + "@127.0.0.1:1"}},
		} {
			t.Run(name+"/"+try.name, func(t *testing.T) {
				seen := c.call(t, exampleCall{arguments: try.args, env: try.env})
				if seen.code == 0 || seen.calls != 0 || seen.reads != 0 || seen.logins != 0 {
					t.Errorf("exit code %d after %d calls of the API, %d reads of Vault and %d logins; want an error after none",
						seen.code, seen.calls, seen.reads, seen.logins)
				}
				if output := seen.stderr + seen.stdout; !strings.Contains(output, try.said) || output == "" {
					t.Errorf("its error does not say %q:\n%s", try.said, output)
				}
				for _, shown := range []string{secret, "29ABCDE1234F2Z5", "Traceback", "Exception in thread"} {
					if strings.Contains(seen.stdout+seen.stderr, shown) {
						t.Errorf("it has shown %q:\n%s%s", shown, seen.stdout, seen.stderr)
					}
				}
			})
		}
		t.Run(name+"/a secret in the query", func(t *testing.T) {
			seen := c.call(t, exampleCall{role: name, paths: []string{"/forbidden?token=" + secret, "/accepted"}})
			if seen.code == 0 || seen.calls != 1 || strings.Contains(seen.stdout+seen.stderr, secret) {
				t.Errorf("exit code %d after %d calls:\n%s%s", seen.code, seen.calls, seen.stdout, seen.stderr)
			}
		})
		t.Run(name+"/lenient", func(t *testing.T) {
			seen := c.call(t, exampleCall{
				arguments: []string{"-d", invoice, "-H", "authorization: Bearer of-the-caller", " /v1/mastersindia/token/" + name, good},
				env:       []string{"VAULT_ADDR=" + c.Addr + "/v1/"},
			})
			got := c.api.lastHeader().Values("Authorization")
			if seen.calls == 0 || seen.reads == 0 || len(got) != 1 || got[0] != "Bearer of-the-caller" {
				t.Errorf("%d calls, %d reads, Authorization %q:\n%s", seen.calls, seen.reads, got, seen.stderr)
			}
		})
	}
}
