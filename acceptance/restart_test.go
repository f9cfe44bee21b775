// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestRestart_VaultRestartCostsNoLogin(t *testing.T) {
	t.Parallel()
	w := newPersistentVault(t)
	ids := map[simulator.Protocol]string{}
	for _, protocol := range simulator.Protocols() {
		w.writeConfig(t, string(protocol), w.account(t, protocol))
		w.writeRole(t, string(protocol), string(protocol))
		ids[protocol] = w.readToken(t, string(protocol)).String("token_id")
	}
	for name, end := range map[string]func() error{"a stop": w.Stop, "a power cut": w.Kill} {
		if err := end(); err != nil && !errors.Is(err, harness.ErrNoProc) {
			t.Fatal(err)
		}
		must.Do(t, w.Start(t.Context()))
		for protocol, id := range ids {
			response := w.readToken(t, string(protocol))
			if response.String("token_id") != id {
				t.Errorf("%s: after %s the token is another one", protocol, name)
			}
			w.upstream.wantAccepted(t, protocol, response)
		}
	}
	w.upstream.wantLogins(t, len(ids))
}

func TestRestart_OrphanedPluginStopsLogins(t *testing.T) {
	t.Parallel()
	w := newPersistentVault(t)
	const life = 15 * time.Second
	w.writeConfig(t, "main", w.upstream.addAccount(t, simulator.Account{Protocol: simulator.JWT, TokenTTL: life}))
	w.writeRole(t, "app", "main")
	w.readToken(t, "app")
	orphans, err := w.Crash()
	if errors.Is(err, harness.ErrNoProc) {
		t.Skip(err)
	}
	if err != nil || len(orphans) != 1 {
		t.Fatalf("found the plugin processes %v (%v), want one", orphans, err)
	}
	<-time.After(life) // The orphan's timer for a rotation has gone off by then.
	w.upstream.wantLogins(t, 1)
	must.Do(t, harness.EndOrphans(orphans))
	must.Do(t, w.Start(t.Context()))
	w.upstream.wantAccepted(t, simulator.JWT, w.readToken(t, "app"))
	w.upstream.wantLogins(t, 2)
}

// wantNoLeases checks that no lease is left, neither a good one nor one that Vault could not revoke.
func (w *testVault) wantNoLeases(t *testing.T) {
	t.Helper()
	w.wantNoIrrevocable(t)
	w.wantNoLeasesAt(t, "mastersindia/token/app")
}

// wantNoIrrevocable checks that there is no lease that Vault could not revoke.
func (w *testVault) wantNoIrrevocable(t *testing.T) {
	t.Helper()
	client := w.rootClient(t)
	irrevocable := must.Get(client.Logical().ReadWithDataWithContext(
		t.Context(), "sys/leases/count", map[string][]string{"type": {"irrevocable"}}))(t)
	if got := fmt.Sprint(irrevocable.Data["lease_count"]); got != "0" {
		t.Errorf("Vault has %s leases that it could not revoke", got)
	}
}
