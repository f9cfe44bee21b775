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

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// world is what one test plays in: a Vault server of its own with the engine at mastersindia/, and an upstream of its own.
// Both start in a second, and no test can disturb another.
type world struct {
	*harness.Vault

	upstream *upstream
	// secrets must show up nowhere at all, tokens nowhere but in the answers to those who read them.
	secrets, tokens *harness.Leaks
	// private holds what the caller of the vault command keeps in files. It is not searched.
	private string
}

// binaries are found, and built where needed, once for all tests.
//
//nolint:gochecknoglobals // the tests of a package share nothing but variables
var binaries = sync.OnceValues(func() (harness.Binaries, error) {
	return harness.FindBinaries(context.Background(), os.Stderr)
})

// newWorld starts a world whose Vault keeps everything in memory.
func newWorld(t *testing.T) *world {
	t.Helper()
	return startWorld(t, harness.StartDevVault)
}

// newLastingWorld starts a world whose Vault can be stopped and started.
func newLastingWorld(t *testing.T) *world {
	t.Helper()
	return startWorld(t, harness.StartVault)
}

type starter func(ctx context.Context, binaries harness.Binaries, dir string, env ...string) (*harness.Vault, error)

func startWorld(t *testing.T, start starter) *world {
	t.Helper()
	w := prepareWorld(t)
	w.launch(t, start)
	if err := w.Install(t.Context(), harness.PluginName); err != nil {
		t.Fatal(err)
	}
	return w
}

// prepareWorld makes a world with an upstream and without a Vault.
func prepareWorld(t *testing.T) *world {
	t.Helper()
	w := &world{secrets: harness.NewLeaks(), tokens: harness.NewLeaks(), private: t.TempDir()}
	w.upstream = newUpstream(t, w)
	return w
}

// launch starts the world's Vault, which has no plugin yet.
func (w *world) launch(t *testing.T, start starter, env ...string) {
	t.Helper()
	found, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	w.Vault, err = start(t.Context(), found, t.TempDir(), env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.searchLeaks(t)
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", lastLines(w.ServerLog(), 40))
		}
	})
}

// vault runs a vault command that must succeed, and returns its standard output.
func (w *world) vault(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.CLI.Must(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused runs a vault command that must fail, and returns what it said.
func (w *world) refused(t *testing.T, args ...string) string {
	t.Helper()
	return w.mustFail(t, "", args...).Stderr
}

func (w *world) mustFail(t *testing.T, stdin string, args ...string) harness.Result {
	t.Helper()
	result, err := w.CLI.Run(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	if result.Code == 0 {
		t.Fatalf("vault %s succeeded, and should have been refused; it printed:\n%s", strings.Join(args, " "), result.Stdout)
	}
	return result
}

// writeConfig stores an account as a person would: the password on standard input, the client secret from a file, so that
// neither stands on a command line. Extra parameters come last and win.
func (w *world) writeConfig(t *testing.T, name string, account simulator.Account, extra ...string) {
	t.Helper()
	stdin, args := w.configCommand(t, name, account, extra...)
	if _, err := w.CLI.Must(t.Context(), stdin, args...); err != nil {
		t.Fatal(err)
	}
}

// configCommand returns the command that stores an account, and its standard input.
func (w *world) configCommand(
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
func (w *world) keep(t *testing.T, secret string) string {
	t.Helper()
	file, err := os.CreateTemp(w.private, "secret-*")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := io.WriteString(file, secret); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// writeRole binds a role to a config.
func (w *world) writeRole(t *testing.T, name, config string, extra ...string) {
	t.Helper()
	w.vault(t, append([]string{"write", "mastersindia/role/" + name, "config=" + config}, extra...)...)
}

// account makes an account known upstream and returns it.
func (w *world) account(t *testing.T, protocol simulator.Protocol) simulator.Account {
	t.Helper()
	return w.upstream.addAccount(t, simulator.Account{Protocol: protocol})
}

// app stores an account of the protocol as the config "main", with a role "app" that reads it.
func (w *world) app(t *testing.T, protocol simulator.Protocol) simulator.Account {
	t.Helper()
	account := w.account(t, protocol)
	w.writeConfig(t, "main", account)
	w.writeRole(t, "app", "main")
	return account
}

// readToken reads a token through a role.
func (w *world) readToken(t *testing.T, role string) harness.Secret {
	t.Helper()
	return w.readJSON(t, "read", "-format=json", "mastersindia/token/"+role)
}

// readJSON runs a vault command with -format=json and returns its answer.
func (w *world) readJSON(t *testing.T, args ...string) harness.Secret {
	t.Helper()
	secret, err := harness.ParseSecret(w.vault(t, args...))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// file returns the name of a file that belongs to the caller, not to Vault.
func (w *world) file(name string) string { return filepath.Join(w.private, name) }

func lastLines(file string, count int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
