// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
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
		check.NoError(t, w.Start(t.Context()))
		for protocol, id := range ids {
			response := w.readToken(t, string(protocol))
			check.Equal(t, response.String("token_id"), id, "%s: after %s the token is another one", protocol, name)
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
	check.Require(t, err == nil && len(orphans) == 1, "found the plugin processes %v (%v), want one", orphans, err)
	<-time.After(life) // The orphan's timer for a rotation has gone off by then.
	w.upstream.wantLogins(t, 1)
	check.NoError(t, harness.EndOrphans(orphans))
	check.NoError(t, w.Start(t.Context()))
	w.upstream.wantAccepted(t, simulator.JWT, w.readToken(t, "app"))
	w.upstream.wantLogins(t, 2)
}

// wantNoLeases checks that no lease is left, neither a good one nor one that Vault could not revoke.
func (w *testVault) wantNoLeases(t *testing.T) {
	t.Helper()
	w.wantNoIrrevocable(t)
	w.wantNoLeasesAt(t, "mastersindia/token/app")
}

func (w *testVault) wantNoIrrevocable(t *testing.T) {
	t.Helper()
	client := w.rootClient(t)
	irrevocable := check.Value(client.Logical().ReadWithDataWithContext(
		t.Context(), "sys/leases/count", map[string][]string{"type": {"irrevocable"}}))(t)
	check.Equal(t, fmt.Sprint(irrevocable.Data["lease_count"]), "0", "leases that Vault could not revoke")
}

// TestSnapshotRestore_FromYesterday checks what docs/operate.md says is outdated then, and that nothing has to be repaired.
func TestSnapshotRestore_FromYesterday(t *testing.T) {
	t.Parallel()
	w := startTestVault(t, func(ctx context.Context, binaries harness.Binaries, dir string, _ ...string) (*harness.Vault, error) {
		return harness.StartVaultWith(ctx, binaries, dir, harness.Settings{Storage: harness.StorageRaft, LogLevel: "trace", Audit: true})
	})
	w.app(t, simulator.JWT)
	w.writeRole(t, "gate", "main")
	yesterday := w.readToken(t, "app").String("token_id")
	w.vault(t, "operator", "raft", "snapshot", "save", w.file("yesterday.snap"))

	w.vault(t, "write", "-f", "mastersindia/revoke/main")
	today := w.readToken(t, "app").String("token_id")
	w.vault(t, "write", "mastersindia/config/main", "paused=true", "pause_reason=an incident")
	w.vault(t, "delete", "mastersindia/role/gate")
	w.vault(t, "operator", "raft", "snapshot", "restore", w.file("yesterday.snap"))
	check.Eventually(t, time.Minute, "the account is not ready", func() bool { // Vault seals for a few seconds
		result := check.Value(w.CLI.Run(t.Context(), "", "read", "-field=state", "mastersindia/status/main"))(t)
		return result.Code == 0 && result.Stdout == "ready"
	})

	check.Equal(t, w.readToken(t, "gate").String("token_id"), yesterday, "the role that was deleted reads")
	check.Contains(t, w.refused(t, "write", "mastersindia/lookup", "token_id="+today), "is unknown")
	w.upstream.wantLogins(t, 2)
	w.vault(t, "write", "-f", "mastersindia/rotate/main")
	got := w.readToken(t, "app").String("token_id")
	check.True(t, got != yesterday, "the token of the snapshot is handed out after a rotation")
	w.upstream.wantLogins(t, 3)
}
