// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const agentExample = "../examples/agent/"

// TestAgentExample_KeepsTokenCurrent runs the configuration of examples/agent, with other folders and another address,
// and the policy and the AppRole that its document has.
func TestAgentExample_KeepsTokenCurrent(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	account := w.upstream.addAccount(t, simulator.Account{Protocol: simulator.JWT, TokenTTL: clientLife})
	w.writeConfig(t, "gst", account)
	w.writeRole(t, "billing", "gst")
	w.vault(t, "policy", "write", "billing", check.Value(filepath.Abs("../examples/policies/application.hcl"))(t))
	w.vault(t, "auth", "enable", "approle")
	w.vault(t, "write", "auth/approle/role/billing", "token_policies=billing", "token_period=1h", "secret_id_bound_cidrs=127.0.0.1/32")

	etc, credentials, run := t.TempDir(), t.TempDir(), t.TempDir()
	for name, secret := range map[string]string{
		"role-id":   w.vault(t, "read", "-field=role_id", "auth/approle/role/billing/role-id"),
		"secret-id": w.vault(t, "write", "-f", "-field=secret_id", "auth/approle/role/billing/secret-id"),
	} {
		check.NoError(t, os.WriteFile(filepath.Join(credentials, name), []byte(secret), 0o600))
	}
	check.NoError(t, os.WriteFile(filepath.Join(etc, "header.ctmpl"), []byte(agentFile(t, "header.ctmpl")), 0o600))
	config := agentFile(t, "agent.hcl")
	for from, to := range map[string]string{
		`"https://vault.example.com:8200"`:            `"` + w.Addr + `"`,
		`/run/credentials/mastersindia-agent.service`: credentials,
		`"/etc/mastersindia-agent/`:                   `"` + etc + `/`,
		`"/run/mastersindia-agent/`:                   `"` + run + `/`,
	} {
		check.Require(t, strings.Contains(config, from), "examples/agent/agent.hcl has no %s any more", from)
		config = strings.ReplaceAll(config, from, to)
	}
	header := filepath.Join(run, "header")
	agent := check.Value(w.StartAgentWith(filepath.Join(w.Dir, "agent"), config, header))(t)
	harness.EndWith(t, agent)
	var first string
	for _, what := range []string{"the first token", "its successor"} {
		text, err := agent.WaitRendered(t.Context(), 2*clientLife, func(text string) error {
			token, ok := strings.CutPrefix(strings.TrimSpace(text), "Authorization: JWT ")
			switch {
			case !ok:
				return errors.New("the file is no Authorization header")
			case text == first:
				return errors.New("still the first token")
			case !w.upstream.TokenAlive(token):
				return errors.New("upstream does not know the rendered token")
			}
			return nil
		})
		check.Require(t, err == nil, "%s: %v", what, err)
		first = text
	}
	for _, file := range []string{header, filepath.Join(run, "vault-token")} {
		info := check.Value(os.Stat(file))(t)
		check.Equal(t, info.Mode().Perm(), 0o640, "%s has the mode", file)
	}
	vaultToken := strings.TrimSpace(string(check.Value(os.ReadFile(filepath.Join(run, "vault-token")))(t)))
	check.Value(w.CLI.As(vaultToken).Must(t.Context(), "", "token", "lookup"))(t)
	w.upstream.wantLogins(t, 2)
}

// TestAgentExample_SystemdUnitIsValid has systemd verify the unit, with the path of a Vault that is here.
func TestAgentExample_SystemdUnitIsValid(t *testing.T) {
	t.Parallel()
	const installed = "ExecStart=/usr/bin/vault "
	unit := agentFile(t, "mastersindia-agent.service")
	check.Contains(t, unit, installed, "-config=/etc/mastersindia-agent/agent.hcl",
		"LoadCredential=role-id:", "LoadCredential=secret-id:", "RuntimeDirectory=mastersindia-agent\n")
	systemd, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skipf("the rest is left out: %v", err)
	}
	found := findBinaries(t)
	file := filepath.Join(t.TempDir(), "mastersindia-agent.service")
	unit = strings.Replace(unit, installed, fmt.Sprintf("ExecStart=%s ", found.Vault), 1)
	check.NoError(t, os.WriteFile(file, []byte(unit), 0o600))
	said, err := exec.Command(systemd, "verify", "--man=no", file).CombinedOutput()
	check.True(t, err == nil && len(said) == 0, "systemd-analyze verify: %v\n%s", err, said)
}

func agentFile(t *testing.T, name string) string {
	t.Helper()
	text := readFile(t, agentExample+name)
	return string(text)
}
