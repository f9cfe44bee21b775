// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestUpstreamFault_StatusCodeWithoutSecret(t *testing.T) {
	t.Parallel()
	for kind, code := range map[simulator.FaultKind]string{
		simulator.FaultDown:        "Code: 502",
		simulator.FaultUnavailable: "Code: 502",
		simulator.FaultThrottled:   "Code: 429",
		simulator.FaultHTML:        "Code: 502",
		simulator.FaultCut:         "Code: 502",
		simulator.FaultGarbage:     "Code: 502",
		simulator.FaultEmpty:       "Code: 502",
		simulator.FaultRefuse:      "Code: 400",
		simulator.FaultStall:       "Code: 504",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			for _, protocol := range simulator.Protocols() {
				name := string(protocol)
				timeout := "request_timeout=15s"
				if kind == simulator.FaultStall {
					timeout = "request_timeout=1s"
				}
				w.writeConfig(t, name, w.account(t, protocol), "verify_connection=false", timeout)
				w.writeRole(t, name, name)
				w.upstream.SetFault(protocol, simulator.Fault{Kind: kind})
				must.Say(t, w.readOnce(t, name), code, name)
			}
			w.upstream.wantLogins(t, len(simulator.Protocols()))
		})
	}
}

// readOnce reads a token that cannot be had, and returns what Vault said. It asks once: the vault command would ask again
// after a 5xx.
func (w *testVault) readOnce(t *testing.T, role string) string {
	t.Helper()
	client := w.rootClient(t)
	_, err := client.Logical().ReadWithContext(t.Context(), "mastersindia/token/"+role)
	if err == nil {
		t.Fatalf("a read of token/%s succeeded, and should have failed", role)
	}
	said := err.Error()
	for _, leaks := range []*harness.Leaks{w.secrets, w.tokens} {
		for _, finding := range leaks.SearchText("a response", []byte(said)) {
			t.Errorf("leaked: %s", finding)
		}
	}
	return said
}
