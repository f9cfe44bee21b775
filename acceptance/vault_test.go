// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// testVault is the fixture of one test: its own Vault server with the engine at mastersindia/, and its own upstream. Both start
// in a second.
type testVault struct {
	*harness.Vault

	upstream *upstream
	// secrets must not appear anywhere, and tokens only in the responses to reads.
	secrets, tokens *harness.Leaks
	// private is a directory for the files of the caller of the vault command. It is not searched for leaks.
	private string
}

// binaries are found, and built where needed, once for all tests.
//
//nolint:gochecknoglobals // the tests of a package share nothing but variables
var binaries = sync.OnceValues(func() (harness.Binaries, error) { return harness.FindBinaries(context.Background(), os.Stderr) })

// newTestVault starts a testVault whose Vault keeps everything in memory.
func newTestVault(t *testing.T) *testVault {
	t.Helper()
	return startTestVault(t, harness.StartDevVault)
}

// newPersistentVault starts a testVault whose Vault can be stopped and started.
func newPersistentVault(t *testing.T) *testVault {
	t.Helper()
	return startTestVault(t, harness.StartVault)
}

func findBinaries(t *testing.T) harness.Binaries {
	t.Helper()
	return check.Value(binaries())(t)
}

type starter func(ctx context.Context, binaries harness.Binaries, dir string, env ...string) (*harness.Vault, error)

func startTestVault(t *testing.T, start starter) *testVault {
	t.Helper()
	w := prepareTestVault(t)
	w.launch(t, start)
	check.NoError(t, w.Install(t.Context(), harness.PluginName))
	return w
}

// prepareTestVault makes a testVault with an upstream and no Vault yet.
func prepareTestVault(t *testing.T) *testVault {
	t.Helper()
	w := &testVault{secrets: harness.NewLeaks(), tokens: harness.NewLeaks(), private: t.TempDir()}
	w.upstream = newUpstream(t, w)
	return w
}

// launch starts the Vault, without the plugin.
func (w *testVault) launch(t *testing.T, start starter, env ...string) {
	t.Helper()
	w.Vault = check.Value(start(t.Context(), findBinaries(t), t.TempDir(), env...))(t)
	harness.EndWith(t, w.Vault)
	t.Cleanup(func() { w.searchLeaks(t) })
}

func (w *testVault) rootClient(t *testing.T) *api.Client {
	t.Helper()
	return check.Value(w.Client(w.Token))(t)
}

// vault runs a vault command that must succeed, and returns its standard output.
func (w *testVault) vault(t *testing.T, args ...string) string {
	t.Helper()
	return check.Value(w.CLI.Must(t.Context(), "", args...))(t)
}

// refused runs a vault command that must fail, and returns what it said.
func (w *testVault) refused(t *testing.T, args ...string) string {
	t.Helper()
	result := check.Value(w.CLI.Run(t.Context(), "", args...))(t)
	check.Require(t, result.Code != 0,
		"vault %s succeeded, and should have been refused; it printed:\n%s", strings.Join(args, " "), result.Stdout)
	return result.Stderr
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	return check.Value(os.ReadFile(name))(t)
}

// writeConfig stores an account as a person would: the password on standard input, the client secret from a file, so that
// neither stands on a command line. Extra parameters come last and win.
func (w *testVault) writeConfig(t *testing.T, name string, account simulator.Account, extra ...string) {
	t.Helper()
	stdin, args := w.configCommand(t, name, account, extra...)
	check.Value(w.CLI.Must(t.Context(), stdin, args...))(t)
}

func (w *testVault) configCommand(
	t *testing.T, name string, account simulator.Account, extra ...string,
) (stdin string, args []string) {
	t.Helper()
	given := map[string]bool{}
	for _, pair := range extra {
		key, _, _ := strings.Cut(pair, "=")
		given[key] = true
	}
	args = []string{"write", "mastersindia/config/" + name}
	add := func(key, value string) {
		if value != "" && !given[key] {
			args = append(args, key+"="+value)
			given[key] = true
		}
	}
	add("protocol", string(account.Protocol))
	add("token_url", w.upstream.loginURL(account.Protocol))
	add("ca_cert", "@"+w.upstream.caFile)
	add("username", account.Username)
	add("client_id", account.ClientID)
	for _, setting := range simulator.FullLogin(account.Protocol).SettingsFor(account) {
		key, value, _ := strings.Cut(setting, "=")
		add(key, value)
	}
	if account.ClientSecret != "" {
		add("client_secret", "@"+w.keep(t, account.ClientSecret))
	}
	if account.Password != "" {
		add("password", "-")
	}
	return account.Password, append(args, extra...)
}

// keep puts a secret into a file that only its owner can read, and returns the file's name.
func (w *testVault) keep(t *testing.T, secret string) string {
	t.Helper()
	file := check.Value(os.CreateTemp(w.private, "secret-*"))(t)
	defer func() { _ = file.Close() }()
	check.Value(io.WriteString(file, secret))(t)
	return file.Name()
}

func (w *testVault) writeRole(t *testing.T, name, config string, extra ...string) {
	t.Helper()
	w.vault(t, append([]string{"write", "mastersindia/role/" + name, "config=" + config}, extra...)...)
}

func (w *testVault) account(t *testing.T, protocol simulator.Protocol) simulator.Account {
	t.Helper()
	return w.upstream.addAccount(t, simulator.Account{Protocol: protocol})
}

// app stores an account of the protocol as the config "main", with a role "app" that reads it.
func (w *testVault) app(t *testing.T, protocol simulator.Protocol) simulator.Account {
	t.Helper()
	account := w.account(t, protocol)
	w.writeConfig(t, "main", account)
	w.writeRole(t, "app", "main")
	return account
}

func (w *testVault) readToken(t *testing.T, role string) harness.Secret {
	t.Helper()
	return w.readJSON(t, "read", "-format=json", "mastersindia/token/"+role)
}

func (w *testVault) readJSON(t *testing.T, args ...string) harness.Secret {
	t.Helper()
	return check.Value(harness.ParseSecret(w.vault(t, args...)))(t)
}

// file returns the name of a file that belongs to the caller, not to Vault.
func (w *testVault) file(name string) string { return filepath.Join(w.private, name) }
