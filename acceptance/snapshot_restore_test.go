// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

// TestSnapshotRestore_FromYesterday checks what docs/operate.md says is outdated then, and that nothing has to be
// repaired.
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
	w.waitUntilServing(t)

	if got := w.readToken(t, "gate").String("token_id"); got != yesterday {
		t.Errorf("the role that was deleted reads %s, want the token of the snapshot, %s", got, yesterday)
	}
	must.Say(t, w.refused(t, "write", "mastersindia/lookup", "token_id="+today), "is unknown")
	w.upstream.wantLogins(t, 2)
	w.vault(t, "write", "-f", "mastersindia/rotate/main")
	if got := w.readToken(t, "app").String("token_id"); got == yesterday {
		t.Error("the token of the snapshot is handed out after a rotation")
	}
	w.upstream.wantLogins(t, 3)
}

// waitUntilServing waits until Vault has taken over what was restored: it seals for a few seconds.
func (w *testVault) waitUntilServing(t *testing.T) {
	t.Helper()
	must.Happen(t, time.Minute, "the account is not ready", func() bool {
		result := must.Get(w.CLI.Run(t.Context(), "", "read", "-field=state", "mastersindia/status/main"))(t)
		return result.Code == 0 && result.Stdout == "ready"
	})
}
