// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestConfigChange_WaitingReaderGetsNewAccount(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.writeConfig(t, "main", w.account(t, simulator.JWT), "verify_connection=false")
	w.writeRole(t, "app", "main")
	w.upstream.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second, Remaining: 1})
	client := w.rootClient(t)
	type result struct {
		response *api.Secret
		err      error
	}
	reading := make(chan result, 1)
	go func() {
		response, err := client.Logical().ReadWithContext(t.Context(), "mastersindia/token/app")
		reading <- result{response, err}
	}()
	w.waitForLogins(t, 1)
	successor := w.account(t, simulator.JWT)
	w.writeConfig(t, "main", successor, "verify_connection=false")
	read := <-reading
	if read.err != nil {
		t.Fatalf("the reader who waited: %v", read.err)
	}
	counters := w.upstream.Counters()
	if counters.Of(simulator.JWT, successor.Name()).LoginsOK != 1 {
		t.Error("nobody has logged in with the new account")
	}
	if again := w.readToken(t, "app"); again.String("token_id") != read.response.Data["token_id"] {
		t.Error("the reader who waited has another token than the one who came after the change")
	}
}

func TestConfigChange_TakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	for name, recreate := range map[string]bool{"changed": false, "deleted and made again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			w.app(t, simulator.OAuth)
			before := w.readToken(t, "app").String("token_id")
			if recreate {
				w.vault(t, "delete", "mastersindia/config/main")
			}
			successor := w.account(t, simulator.OAuth)
			w.writeConfig(t, "main", successor)
			after := w.readToken(t, "app")
			if after.String("token_id") == before || after.String("client_id") != successor.ClientID {
				t.Error("a reader still gets the token of the account that was replaced")
			}
			w.upstream.wantAccepted(t, simulator.OAuth, after)
			w.upstream.wantLogins(t, 2)
		})
	}
}

func TestToken_YoungRejectedNotReplaced(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	id := w.readToken(t, "app").String("token_id")
	for range 3 {
		response := w.readJSON(t, "read", "-format=json", "mastersindia/token/app", "rejected_token_id="+id)
		if response.String("token_id") != id {
			t.Error("a token younger than a minute was replaced: a fleet could start a storm of logins")
		}
	}
	says(t, w.refused(t, "read", "mastersindia/token/app", "rejected_token_id=not-an-id"), "Code: 400", "rejected_token_id")
	w.upstream.wantLogins(t, 1)
}

func TestConfig_InvalidValuesNotRepeated(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	client := w.rootClient(t)
	for field, values := range map[string][]any{
		"password":          {4711471147114711, true, nil, []string{"a-secret-in-a-list"}, map[string]any{"k": "a-secret-in-a-map"}},
		"username":          {12345678901},
		"request_timeout":   {"1.5s", "0s", "61s", "soon-enough", -1},
		"default_token_ttl": {"-1h", "500ms", 1.5},
		"rotation_percent":  {0, 101, "most-of-it"},
		"allow_http":        {"perhaps-so"},
		"token_url": {
			"https://user:secret-in-the-url@127.0.0.1/", "ftp://127.0.0.1/a-path", "not-a-url", "//127.0.0.1/a-path", "https://",
		},
		"proxy_url": {"http://user:secret-in-the-url@127.0.0.1/", "socks4://127.0.0.1"},
		"ca_cert":   {"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----", "no-pem-at-all"},
		"headers": {
			"Host=a-host.example", "Authorization=Basic-abcdef", "Content-Type=text/xml", "Cookie=a-cookie", "X-A=line\r\nX-B: another-line",
			"Transfer-Encoding=chunked", "Proxy-Authorization=Basic-abcdef",
		},
		"protocol": {"saml-or-so"},
		"preset":   {"no-such-preset"},
	} {
		for _, value := range values {
			data := map[string]any{field: value}
			_, err := client.Logical().WriteWithContext(t.Context(), "mastersindia/config/main", data)
			if err == nil {
				t.Errorf("%s = %v was accepted", field, value)
				continue
			}
			if said := err.Error(); !strings.Contains(said, "Code: 400") || !strings.Contains(said, field) {
				t.Errorf("%s = %v: want a 400 that names the field, got: %s", field, value, said)
			}
			if text := fmt.Sprint(value); len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("%s: the refusal repeats the value: %v", field, err)
			}
		}
	}
	w.upstream.wantLogins(t, 1)
}

func TestOpenAPI_VaultListsEnginePaths(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	text := w.vault(t, "read", "-format=json", "sys/internal/specs/openapi")
	for _, want := range []string{
		`"/mastersindia/config/{name}"`, `"/mastersindia/config/"`, `"/mastersindia/role/{name}"`, `"/mastersindia/token/{role}"`,
		`"/mastersindia/preset/{name}"`, `"masters-india-`,
	} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "mastersindia", "{mastersindia_mount_path}")) {
			t.Errorf("Vault's OpenAPI document has no %s", want)
		}
	}
}

// waitForLogins waits until upstream has seen so many logins begin.
func (w *testVault) waitForLogins(t *testing.T, want int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for w.upstream.logins() < want {
		select {
		case <-deadline:
			t.Fatalf("upstream saw %d logins in 20 s, want %d", w.upstream.logins(), want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
