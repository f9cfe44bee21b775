// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance && openbao

package acceptance

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// These are the differences of OpenBao that docs/install.md names and no other test meets.

// newNamespacedVault has the engine in the namespace "team", where all its commands go.
func newNamespacedVault(t *testing.T) *testVault {
	t.Helper()
	w := prepareTestVault(t)
	w.launch(t, harness.StartDevVault)
	register := check.Value(w.RegisterArgs())(t)
	w.vault(t, register...)
	w.vault(t, "namespace", "create", "team")
	w.CLI = w.CLI.In("team")
	w.vault(t, "secrets", "enable", "-passthrough-request-headers=X-Vault-Namespace", harness.PluginName)
	return w
}

func TestOpenBao_AdviceLeavesNamespaceOut(t *testing.T) {
	t.Parallel()
	w := newNamespacedVault(t)
	check.Contains(t, w.refused(t, "read", "mastersindia/tokens/app"), "did you mean vault read mastersindia/token/app?")
	w.CLI = w.CLI.In("")
	check.Contains(t, w.refused(t, "read", "team/mastersindia/tokens/app"), "vault read team/mastersindia/token/app?")
}

func TestOpenBao_MoveAcrossNamespacesNeedsReload(t *testing.T) {
	t.Parallel()
	w := newNamespacedVault(t)
	w.app(t, simulator.JWT)
	before := w.readToken(t, "app").String("token_id")
	w.CLI = w.CLI.In("")
	w.vault(t, "namespace", "create", "other")
	w.vault(t, "secrets", "move", "team/mastersindia/", "other/mastersindia/")
	w.CLI = w.CLI.In("other")
	check.Contains(t, w.refused(t, "list", "mastersindia/role"), "No value found") // until it is reloaded
	w.vault(t, "plugin", "reload", "-mounts=mastersindia/")
	check.Equal(t, w.readToken(t, "app").String("token_id"), before, "after the reload the token is another one")
	w.upstream.wantLogins(t, 1)
}

func TestOpenBao_LockedNamespaceStillLogsIn(t *testing.T) {
	t.Parallel()
	w := newNamespacedVault(t)
	w.writeConfig(t, "main", w.upstream.addAccount(t, simulator.Account{Protocol: simulator.JWT, TokenTTL: 20 * time.Second}))
	w.writeRole(t, "app", "main")
	w.readToken(t, "app")
	w.vault(t, "namespace", "lock")
	w.refused(t, "read", "mastersindia/token/app")
	before := w.upstream.logins()
	check.Eventually(t, time.Minute, "no login", func() bool { return w.upstream.logins() != before })
}

func TestOpenBao_InlineAuthenticationGetsNoLease(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "free", "main", "lease=false")
	w.vault(t, "auth", "enable", "userpass")
	w.vault(t, "write", "sys/policies/acl/reader", `policy=path "mastersindia/token/*" { capabilities = ["read"] }`)
	w.vault(t, "write", "auth/userpass/users/clerk", "password=inline-password", "policies=reader")
	parameter := base64.RawURLEncoding.EncodeToString([]byte(`{"key":"password","value":"inline-password"}`))
	for role, want := range map[string]int{"app": http.StatusInternalServerError, "free": http.StatusOK} {
		request := check.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, w.Addr+"/v1/mastersindia/token/"+role, nil))(t)
		request.Header.Set("X-Vault-Inline-Auth-Path", "auth/userpass/login/clerk")
		request.Header.Set("X-Vault-Inline-Auth-Parameter-Password", parameter)
		response, err := (&http.Client{Timeout: time.Minute}).Do(request)
		check.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		check.NoError(t, err)
		check.Equal(t, response.StatusCode, want, "role %s: answered", role)
		check.True(t, want == http.StatusOK || strings.Contains(string(body), "cannot generate leases"),
			"role %s: refused as %s", role, body)
	}
}

func TestOpenBao_ListsAreWholeAndAuditedTimesPlain(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "later", "main")
	var names []string
	check.NoError(t,
		json.Unmarshal([]byte(w.vault(t, "list", "-format=json", "-after=app", "-limit=1", "mastersindia/role")), &names))
	check.True(t, slices.Equal(names, []string{"app", "later"}), "the list after app, of one, has %v", names)
	issued := w.readToken(t, "app").String("issued_at")
	check.Contains(t, string(readFile(t, w.AuditLog())), fmt.Sprintf(`"issued_at":%q`, issued))
}

// TestOpenBao_StandbyWithoutFileEnds: a standby of Vault does not look at the file, and one of OpenBao runs the plugin. Where it could
// not start it, the next thing that the leader stores for the mount ends the standby's process.
func TestOpenBao_StandbyWithoutFileEnds(t *testing.T) {
	t.Parallel()
	w := newTestCluster(t, harness.Patient)
	w.app(t, simulator.JWT)
	leader := w.leader(t)
	standby := w.cluster.Nodes[slices.IndexFunc(w.cluster.Nodes, func(node *harness.Vault) bool { return node != leader })]
	found := findBinaries(t)
	check.NoError(t, errors.Join(
		standby.Stop(), os.Remove(filepath.Join(standby.Dir, "plugins", filepath.Base(found.Plugin))), standby.Start(t.Context()),
		w.cluster.WaitForwarding(t.Context()),
	))
	check.Value(leader.CLI.Must(t.Context(), "", "write", "-f", "mastersindia/rotate/main"))(t)
	select {
	case <-standby.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the standby lives on: docs/install.md need not warn of this")
	}
	check.Contains(t, standby.Err().Error(), "routing.(*Router).Invalidate")
}
