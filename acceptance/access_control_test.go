// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

func (w *testVault) policy(t *testing.T, name, rules string) string {
	t.Helper()
	must.Get(w.CLI.Must(t.Context(), rules, "policy", "write", name, "-"))(t)
	return name
}

func (w *testVault) tokenFor(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"token", "create", "-field=token"}, args...)
	return strings.TrimSpace(w.vault(t, args...))
}

func TestPolicy_DeniedRoleInAnySpelling(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "other", "main")
	name := w.policy(t, "all-but-app", `
path "mastersindia/token/*"   { capabilities = ["read"] }
path "mastersindia/token/app" { capabilities = ["deny"] }`)
	reader := w.CLI.As(w.tokenFor(t, "-policy="+name))
	if _, err := reader.Must(t.Context(), "", "read", "mastersindia/token/other"); err != nil {
		t.Errorf("a role that is not denied: %v", err)
	}
	for _, path := range []string{
		"token/app", "token/APP", "token/App", "token/app/", "token//app",
		"token/./app", "token/x/../app", "token/app%20", "token/app.",
	} {
		result := must.Get(reader.Run(t.Context(), "", "read", "mastersindia/"+path))(t)
		if result.Code == 0 {
			t.Errorf("vault read mastersindia/%s gave a token to a reader who is denied token/app", path)
		}
	}
}

func TestToken_WrappedReadUnwrapsOnce(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	wrapped := w.readJSON(t, "read", "-wrap-ttl=60s", "-format=json", "mastersindia/token/app")
	if wrapped.WrapInfo == nil || wrapped.Data != nil {
		t.Fatalf("the response is not wrapped: %v", wrapped.WrapInfo)
	}
	response := w.readJSON(t, "unwrap", "-format=json", wrapped.WrapInfo.Token)
	w.upstream.wantAccepted(t, simulator.JWT, response)
	if response.LeaseID == "" || response.LeaseDuration <= 0 {
		t.Errorf("the wrapped response has the lease %q of %d s", response.LeaseID, response.LeaseDuration)
	}
	w.refused(t, "unwrap", wrapped.WrapInfo.Token)
}

func TestToken_ReadWithBatchToken(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	name := w.policy(t, "app", `path "mastersindia/token/app" { capabilities = ["read"] }`)
	reader := w.CLI.As(w.tokenFor(t, "-type=batch", "-ttl=10m", "-policy="+name))
	out := must.Get(reader.Must(t.Context(), "", "read", "-format=json", "mastersindia/token/app"))(t)
	response := must.Get(harness.ParseSecret(out))(t)
	w.upstream.wantAccepted(t, simulator.JWT, response)
	if response.LeaseDuration <= 0 || response.LeaseDuration > 600 {
		t.Errorf("a batch token of 10 minutes got a lease of %d s", response.LeaseDuration)
	}
}
