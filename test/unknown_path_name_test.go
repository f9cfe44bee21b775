// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestWrongName_RoleForConfig gives the name of a role where a config is wanted, and the reverse: the message has the right
// command instead of one that creates another config or role.
func TestWrongName_RoleForConfig(t *testing.T) {
	t.Parallel()
	timed(t, "all", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/kiosk", map[string]any{"config": "gst", "lease": false})
		for _, wrong := range []struct {
			path string
			data map[string]any
			says string
		}{
			{"rotate/app", nil, "that is a role of config gst, whose token all its roles share: vault write -f mastersindia/rotate/gst"},
			{"revoke/app", nil, "that is a role of config gst, whose token all its roles share: vault write -f mastersindia/revoke/gst"},
			{"revoke/app", map[string]any{"token_id": "0123456789abcdef"}, "vault write mastersindia/revoke/gst token_id=<token_id>"},
			{"revoke/", map[string]any{"token_id": "0123456789abcdef"}, "vault write mastersindia/revoke/<name> token_id=<token_id>"},
			{"role/new", map[string]any{"config": "app"}, `"app" is a role, not a config: use config=gst, as that role does`},
			{"token/gst", nil, "that is a config; its roles are app, kiosk: vault read mastersindia/token/app"},
			{"rotate/nobody", nil, "create it with vault write mastersindia/config/nobody"},
			{"token/nobody", nil, "create it with vault write mastersindia/role/nobody"},
		} {
			if message := w.badRequest(logical.UpdateOperation, wrong.path, wrong.data); !strings.Contains(message, wrong.says) {
				t.Errorf("%s: %s\nwant: %s", wrong.path, message, wrong.says)
			}
		}
		w.remove("role/app")
		w.remove("role/kiosk")
		message := w.badRequest(logical.ReadOperation, "token/gst", nil)
		if want := "it has no role yet: vault write mastersindia/role/gst config=gst"; !strings.Contains(message, want) {
			t.Errorf("token/ of a config without a role: %s\nwant: %s", message, want)
		}
	})
}

func TestWrongName_NearestPreset(t *testing.T) {
	t.Parallel()
	timed(t, "all", func(t *testing.T) {
		w := jwtV1().mounted(t)
		for given, meant := range map[string]string{
			"einvoice-prodution": "einvoice-production", "e-invoice_production": "einvoice-production", "ksa": "ksa-qa",
			"verification": "oauth-verification", "einvoicing-production": "einvoice-production",
		} {
			message := w.badRequest(logical.UpdateOperation, "config/new", map[string]any{"preset": given})
			if !strings.HasSuffix(message, "; did you mean "+meant+"?") {
				t.Errorf("preset=%s: %s\nwant %s", given, message, meant)
			}
		}
		message := w.badRequest(logical.UpdateOperation, "config/new", map[string]any{"preset": "zzzzzz"})
		if strings.Contains(message, "did you mean") {
			t.Errorf("nothing is near: %s", message)
		}
	})
}

// TestRevoke_EmptyTokenIDRefused: token_id="$UNSET" must not revoke every token of the account.
func TestRevoke_EmptyTokenIDRefused(t *testing.T) {
	t.Parallel()
	timed(t, "all", func(t *testing.T) {
		s := ksaMount(t, time.Hour)
		first := s.token("app")
		advance(15 * time.Second)
		s.mustRotate()
		second := s.token("app")
		for _, empty := range []any{"", " ", "\n"} {
			r := s.refusal(logical.UpdateOperation, "revoke/gst", map[string]any{"token_id": empty})
			if r.status != http.StatusBadRequest || !strings.HasPrefix(r.message, "token_id: is empty") {
				t.Errorf("%q: %d %s", empty, r.status, r.message)
			}
		}
		if r := s.refusal(logical.UpdateOperation, "revoke/gst", map[string]any{"token_id": nil}); r.status != http.StatusBadRequest {
			t.Errorf("null: %d %s", r.status, r.message)
		}
		for _, a := range []string{first.access, second.access} {
			if !s.Simulator.TokenAlive(a) {
				t.Fatal("a token was killed by an empty token_id")
			}
		}
		if got := s.token("app"); got.id != second.id {
			t.Errorf("the token changed from %s to %s", second.id, got.id)
		}
		revoked, _ := s.revoke(strings.ToUpper(first.id))
		if len(revoked) != 1 || revoked[first.id].upstream != "killed" {
			t.Errorf("the ID in capitals revoked %v, want %s", revoked, first.id)
		}
		if s.Simulator.TokenAlive(first.access) || !s.Simulator.TokenAlive(second.access) {
			t.Error("not the named token alone was killed")
		}
	})
}

// TestConfig_EmptyPausedRefused: paused="$UNSET" must not resume a paused account.
func TestConfig_EmptyPausedRefused(t *testing.T) {
	t.Parallel()
	timed(t, "all", func(t *testing.T) {
		w := jwtV1().mounted(t, "paused", true)
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"paused": ""}, "paused: is empty")
		w.badRequest(logical.ReadOperation, "token/app", nil, "paused")
	})
}
