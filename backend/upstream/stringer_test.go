// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestString_ShowsNoSecrets(t *testing.T) {
	t.Parallel()
	a := accountFor(upstream.OAuth, "https://host.example")
	token := upstream.Token{AccessToken: testOpaqueToken, RefreshToken: "refresh-token-0042", IssuedAt: noon(), ExpiresAt: noon()}
	c := newClient(t, a)
	secrets := []string{testPassword, testClientSecret, testOpaqueToken, "refresh-token-0042"}
	show := func(how, text string) {
		for _, secret := range secrets {
			check.True(t, !strings.Contains(text, secret) && !strings.Contains(text, hex.EncodeToString([]byte(secret))),
				"%s shows a secret: %s", how, text)
		}
		check.True(t, strings.Contains(text, "secrets hidden") || strings.Contains(text, hex.EncodeToString([]byte("secrets hidden"))),
			"%s does not say that it hides something: %s", how, text)
	}
	values := map[string]any{
		"an account": a, "a pointer to an account": &a, "a token": token, "a pointer to a token": &token, "a client": c,
		"accounts": []upstream.Account{a}, "tokens": map[string]*upstream.Token{"x": &token},
		"a struct with both": struct {
			A upstream.Account
			T upstream.Token
		}{a, token},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if strings.HasPrefix(name, "tokens") && verb == "%#v" {
				continue // Prints the pointer's address.
			}
			show(name+" with "+verb, fmt.Sprintf(verb, value))
		}
	}
	for _, verb := range []string{"%d", "%t", "%e", "%U"} {
		show("a token with "+verb, fmt.Sprintf(verb, token))
		show("a client with "+verb, fmt.Sprintf(verb, c))
	}
	handlers := map[string]func(io.Writer) slog.Handler{
		"slog's text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"slog's JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	}
	for how, handler := range handlers {
		for _, name := range []string{"an account", "a pointer to an account", "a token", "a pointer to a token", "a client"} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("x", "value", values[name])
			show(how+" of "+name, b.String())
			nested, err := json.Marshal(map[string]any{"settings": []any{values[name]}})
			check.NoError(t, err)
			show("JSON with "+name+" in it", string(nested))
		}
	}
	for name, text := range map[string]string{
		"an account": a.String() + a.GoString(), "a token": token.String() + token.GoString(),
	} {
		show(name+" in words", text)
	}
}
