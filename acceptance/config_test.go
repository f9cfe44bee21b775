// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestConfig_WrongPasswordStoresNothing(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	account := w.account(t, simulator.JWT)
	wrong := account
	wrong.Password = canary("wrong")
	if err := w.secrets.Add("wrong password", wrong.Password); err != nil {
		t.Fatal(err)
	}
	stdin, args := w.configCommand(t, "main", wrong)
	says(t, w.mustFail(t, stdin, args...).Stderr, "verify_connection=false", "Code: 400")
	w.refused(t, "read", "mastersindia/config/main")
	w.refused(t, "list", "mastersindia/config")
	w.upstream.wantLogins(t, 1)

	stdin, args = w.configCommand(t, "main", wrong)
	w.mustFail(t, stdin, args...)
	w.upstream.wantLogins(t, 1) // The same refused secrets are refused from memory.

	w.writeConfig(t, "main", account)
	w.writeRole(t, "app", "main")
	before := w.readToken(t, "app")
	stdin, args = w.configCommand(t, "main", wrong)
	w.mustFail(t, stdin, args...)
	if after := w.readToken(t, "app"); after.String("token_id") != before.String("token_id") {
		t.Error("a refused update took the token away from the readers")
	}
	w.upstream.wantAccepted(t, simulator.JWT, before)
}

func TestConfig_WritesBackWhatItReads(t *testing.T) {
	t.Parallel()
	for _, protocol := range simulator.Protocols() {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			account := w.app(t, protocol)
			token := w.readToken(t, "app").String("token_id")
			stored := w.readJSON(t, "read", "-format=json", "mastersindia/config/main").Data
			for _, secret := range []string{"password", "client_secret", "verify_connection"} {
				if _, ok := stored[secret]; ok {
					t.Errorf("the read shows %s", secret)
				}
			}
			stored["password"], stored["client_secret"] = account.Password, account.ClientSecret
			if account.Password == "" {
				delete(stored, "password")
			}
			if account.ClientSecret == "" {
				delete(stored, "client_secret")
			}
			client := w.rootClient(t)
			if _, err := client.Logical().WriteWithContext(t.Context(), "mastersindia/config/main", stored); err != nil {
				t.Fatalf("what was read cannot be written back: %v", err)
			}
			if again := w.readToken(t, "app").String("token_id"); again != token {
				t.Error("writing back what was read replaced the token")
			}
			w.upstream.wantLogins(t, 1)
		})
	}
}

func TestConfig_MoveRequiresPassword(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	for _, change := range []string{
		"token_url=https://127.0.0.1:1/api/v2/token-auth/", "proxy_url=http://127.0.0.1:1", "allow_http=true",
		"ca_cert=", "refresh_url=https://127.0.0.1:1/refresh/",
	} {
		says(t, w.refused(t, "write", "mastersindia/config/main", change), "password", "Code: 400")
	}
	w.upstream.wantLogins(t, 1)
	w.vault(t, "write", "mastersindia/config/main", "request_timeout=20s") // What moves no secret needs none.
}

func TestConfig_NamesValidated(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	long := strings.Repeat("n", 128)
	for _, name := range []string{"gst.example.in", "a.-.b", "A_b-1", "_x_", "7", long} {
		w.vault(t, "write", "mastersindia/config/"+name, "protocol=jwt", "token_url="+w.upstream.loginURL(simulator.JWT),
			"username=u", "password=never-used-password", "verify_connection=false")
		stored := w.readJSON(t, "read", "-format=json", "mastersindia/config/"+name)
		if stored.String("username") != "u" {
			t.Errorf("%s: reads back as %v", name, stored.Data)
		}
		w.writeRole(t, name, name)
		if role := w.readJSON(t, "read", "-format=json", "mastersindia/role/"+name); role.String("config") != name {
			t.Errorf("role %s: reads back as %v", name, role.Data)
		}
	}
	// Vault's storage takes no key with two dots in a row.
	for _, name := range []string{"a..b", "-a", "a-", ".a", "a.", long + "n", "a b", "ä", "a/b", "a:b"} {
		for _, kind := range []string{"config", "role"} {
			said := w.refused(t, "write", "mastersindia/"+kind+"/"+name, "protocol=jwt", "config="+long)
			if strings.Contains(said, "Code: 5") {
				t.Errorf("%s/%s was refused as if the engine were at fault: %s", kind, name, said)
			}
		}
	}
	w.refused(t, "read", "mastersindia/config/a_B-1") // Case counts.
}

func TestList_ShowsDetails(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeConfig(t, "verify", w.account(t, simulator.OAuth))
	table := w.vault(t, "list", "-detailed", "mastersindia/config")
	for _, want := range []string{"main", "verify", "jwt", "oauth"} {
		if !strings.Contains(table, want) {
			t.Errorf("vault list -detailed mastersindia/config does not show %q:\n%s", want, table)
		}
	}
	if roles := w.vault(t, "list", "-detailed", "mastersindia/role"); !strings.Contains(roles, "main") {
		t.Errorf("vault list -detailed mastersindia/role does not show the role's config:\n%s", roles)
	}
	w.vault(t, "list", "-detailed", "mastersindia/preset")
}

func TestPreset_ResolvedWhenWritten(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	user := []string{"username=u", "password=never-used-password"}
	client := []string{"client_id=c", "client_secret=never-used-secret"}
	credentials := map[string][]string{
		"jwt": user, "oauth": slices.Concat(user, client), "firstvision": append(client, "scope=accounts"),
	}
	for name, url := range map[string]string{
		"einvoice-sandbox":    "https://sandb-api.mastersindia.co/api/v1/token-auth/",
		"platform-production": "https://api-platform.mastersindia.co/api/v2/token-auth/",
		"ksa-qa":              "https://qa-globalback.mastersindia-einv.com/api/v2/token-auth/",
		"oauth-verification":  "https://commonapi.mastersindia.co/oauth/access_token",
		"firstvision-sandbox": "https://stg34.visionplus.io/sandbox/v1/api/oauth/token",
	} {
		preset := w.readJSON(t, "read", "-format=json", "mastersindia/preset/"+name)
		if preset.String("token_url") != url {
			t.Errorf("preset %s: token_url is %q, want %q", name, preset.String("token_url"), url)
		}
		args := append([]string{"write", "mastersindia/config/" + name, "preset=" + name, "verify_connection=false"},
			credentials[preset.String("protocol")]...)
		w.vault(t, args...)
		stored := w.readJSON(t, "read", "-format=json", "mastersindia/config/"+name)
		if stored.String("token_url") != url {
			t.Errorf("config with preset %s: token_url is %q, want %q", name, stored.String("token_url"), url)
		}
	}
	w.refused(t, "read", "mastersindia/preset/nowhere")
	w.upstream.wantLogins(t, 0)
}

func TestConfig_UnknownParametersRefused(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	const value = "typed-into-the-wrong-field"
	for _, args := range [][]string{
		{"write", "mastersindia/config/main", "pasword=" + value},
		{"write", "mastersindia/role/app", "pasword=" + value},
		{"write", "mastersindia/token/app", "pasword=" + value},
		{"read", "mastersindia/token/app", "pasword=" + value},
		{"read", "mastersindia/config/main", "pasword=" + value},
	} {
		said := w.refused(t, args...)
		says(t, said, "pasword", "Code: 400")
		// The command prints the URL of a read, with its query; the engine's own words must not repeat the value.
		if _, errors, _ := strings.Cut(said, "Errors:"); strings.Contains(errors, value) {
			t.Errorf("vault %s: the refusal repeats the value: %s", strings.Join(args[:2], " "), said)
		}
	}
}

func TestConfig_UnusableWritesRefused(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	for name, bad := range map[string]struct {
		protocol simulator.Protocol
		settings []string
		typed    string // after the password
		wants    []string
	}{
		"secret with a newline": {simulator.JWT, nil, "\n", []string{"newline", "printf"}},
		"plain http":            {simulator.SOAP, []string{"token_url=http://127.0.0.1:1/api.einvoice.php"}, "", []string{"allow_http"}},
		"untrusted certificate": {simulator.JWT, []string{"ca_cert="}, "", []string{"certificate"}},
	} {
		t.Log(name)
		stdin, args := w.configCommand(t, "main", w.account(t, bad.protocol), bad.settings...)
		says(t, w.mustFail(t, stdin+bad.typed, args...).Stderr, bad.wants...)
	}
	w.upstream.wantLogins(t, 0)
}

func TestConfig_PausedReadsShowReason(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.vault(t, "write", "mastersindia/config/main", "paused=true", "pause_reason=the accountant is on holiday")
	says(t, w.refused(t, "read", "mastersindia/token/app"), "the accountant is on holiday", "Code: 400")
	w.vault(t, "write", "mastersindia/config/main", "paused=false")
	w.upstream.wantAccepted(t, simulator.JWT, w.readToken(t, "app"))
	w.upstream.wantLogins(t, 1)
}

func TestHelp_EveryPathHasHelp(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	for _, path := range []string{"", "config/x", "role/x", "token/x", "preset/x"} {
		if text := w.vault(t, "path-help", "mastersindia/"+path); len(text) < 80 {
			t.Errorf("path-help mastersindia/%s says no more than %q", path, text)
		}
	}
}
