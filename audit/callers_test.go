// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestCallers_OfOneName: three entities have one display name, and are three callers.
func TestCallers_OfOneName(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		for n := range 3 {
			l.Read(Caller{Name: "approle", Entity: fmt.Sprintf("entity-000%d", n), Remote: "10.1.1.1"}, "billing", Token(1), "gst")
		}
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
	}, tuned()...))
	if got := r.all("revocations", "receivers"); got != "approle [entity-0000], approle [entity-0001], approle [entity-0002]" {
		t.Errorf("the revoked token had been given to %s", got)
	}
	if r.count("callers") != 3 || len(r["readings"]) != 3 {
		t.Errorf("want three callers, got %v", r["readings"])
	}
}

// TestCallers_WithoutEntity: batch tokens have neither an entity nor an accessor.
func TestCallers_WithoutEntity(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		for n := range 3 {
			l.Read(Caller{Name: fmt.Sprintf("batch-%d", n), Remote: "10.1.1.1", Policies: []string{fmt.Sprintf("policy-%d", n)}}, "billing", Token(1), "gst")
		}
	}, tuned()...)
	for n := range 3 {
		text = strings.ReplaceAll(text, `"display_name":"batch-`+fmt.Sprint(n)+`"`, `"display_name":"token"`)
		text = strings.ReplaceAll(text, (&Log{Key: "audit-device-key"}).HMAC("accessor batch-"+fmt.Sprint(n)), "")
	}
	r := mustJSON(t, text, "-")
	if r.count("callers") != 3 || len(r["readings"]) != 3 {
		t.Fatalf("want three callers, got %v", r["readings"])
	}
	for n, row := range r["requests"] {
		if want := fmt.Sprintf("policy-%d", n); row.text("policies") != want {
			t.Errorf("the policies of request %d are %q, want %q", n, row.text("policies"), want)
		}
	}
}

// TestCallers_TwoAliases: one person with two aliases is one caller of two names.
func TestCallers_TwoAliases(t *testing.T) {
	withoutVault(t)
	app := People()[2]
	alias := app
	alias.Name = "userpass-app"
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Read(app, "billing", Token(1), "gst")
		l.Read(alias, "billing", Token(1), "gst")
	}))
	if got := r.all("readings", "who"); got != "userpass-app; approle" || r.count("callers") != 1 {
		t.Errorf("want two names of one caller, got %s, %v", got, r["summary"])
	}
}

// TestCallers_AuthLeftOut: where an option of the device leaves out who it was (exclude=/auth), it is not said that there was no valid token.
func TestCallers_AuthLeftOut(t *testing.T) {
	withoutVault(t)
	text := regexp.MustCompile(`"auth":\{.*?"token_type":"service"\},`).ReplaceAllString(logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
	}, tuned()...), "")
	r := mustJSON(t, text, "-")
	if r.count("given") != 1 || r.all("readings", "who") == "" || strings.Contains(r.all("readings", "who"), "no valid") {
		t.Errorf("want one token given, to somebody with a valid Vault token, got %v", r["readings"])
	}
}

// TestCallers_LoginWithAVaultToken: the wrapped response to a login that gives a batch token names who logged in, beside the HMAC and the
// accessor of the Vault token that the request was sent with, as Vault 1.21 writes it. That is somebody else's.
func TestCallers_LoginWithAVaultToken(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	root := Caller{Name: "root", Remote: "10.1.0.9", Policies: []string{"root"}}
	path := logFile(t, func(l *Log) {
		l.Key = "key"
		l.Do(Request{By: root, Operation: "update", Mount: "auth/userpass/", Path: "login/asha", NoResponse: true})
		l.Raw(`{"time":"2026-03-01T08:00:01Z","type":"response","auth":{"client_token":"` + l.HMAC("internal root") + `","display_name":"userpass-asha",` +
			`"entity_id":"` + People()[0].Entity + `","policies":["default"],"token_type":"batch"},"request":{"id":"cebbcee2-1c0f-92ce-fd63-16e6caca6fa9",` +
			`"client_token":"` + l.HMAC("external root") + `","client_token_accessor":"` + l.HMAC("accessor root") + `","mount_point":"auth/userpass/",` +
			`"operation":"update","path":"auth/userpass/login/asha"},"response":{"wrap_info":{"creation_path":"auth/userpass/login/asha","token":"` + l.HMAC("w") + `"}}}`)
		l.Read(root, "billing", Token(1), "gst")
	})
	if got := mustJSON(t, Token(1), "-token-file=-", path).all("receivers", "identity"); !strings.HasPrefix(got, "hmac-sha256:") {
		t.Errorf("the root token was given the leaked token, and the report names the entity %s", got)
	}
}
