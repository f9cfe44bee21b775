// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	drills    = "docs/incidents.md"
	firstTime = "docs/first-time.md"
)

// TestMakeDev_DrillsRun follows the drills in what "make dev" starts, and nothing else.
func TestMakeDev_DrillsRun(t *testing.T) {
	t.Parallel()
	dev := startDev(t)
	dev.reader(t).follow(t, drills, commandsOf(t, filepath.Join("..", drills)))
}

// dev is what "make dev" has started, as it says it.
type dev struct{ vault, address, token, simulator, password string }

// startDev starts what "make dev" does, and ends it by Ctrl-C.
func startDev(t *testing.T) *dev {
	t.Helper()
	dir := t.TempDir()
	program, output := filepath.Join(dir, "demo"), filepath.Join(dir, "output")
	check.NoError(t, harness.BuildProgram(t.Context(), os.Stderr, "./scripts/demo", program))
	found := findBinaries(t)
	file := check.Value(os.Create(output))(t)
	defer func() { _ = file.Close() }()
	// It is ended by a signal, as a person does, and by no context.
	run := exec.Command(program, "-stay")
	run.Dir, run.Stdout, run.Stderr = "..", file, file
	run.Env = append(os.Environ(), "VAULT_BIN="+found.Vault, "NO_COLOR=1")
	check.NoError(t, run.Start())
	t.Cleanup(func() {
		err := errors.Join(run.Process.Signal(syscall.SIGINT), run.Wait())
		check.True(t, err == nil, "make dev: %v", err)
		if t.Failed() {
			t.Logf("make dev said:\n%s", harness.Tail(output, 40))
		}
	})
	var said string
	check.Eventually(t, time.Minute, "make dev is not ready", func() bool {
		said = string(readFile(t, output))
		return strings.Contains(said, "Ctrl-C stops everything")
	})
	part := func(pattern string) string {
		match := regexp.MustCompile(pattern).FindStringSubmatch(said)
		check.Require(t, match != nil, "make dev does not say %s:\n%s", pattern, said)
		return match[1]
	}
	return &dev{
		vault: found.Vault, address: part(`VAULT_ADDR=(\S+)`), token: part(`VAULT_TOKEN=(\S+)`), simulator: part(`simulator +(http\S+)`),
		password: part(`password .*: (\S+)`),
	}
}

// reader is a user who types the commands that "make dev" prints.
func (d *dev) reader(t *testing.T, more ...string) reader {
	t.Helper()
	bin := t.TempDir()
	check.NoError(t, os.Symlink(d.vault, filepath.Join(bin, "vault")))
	env := append(os.Environ(), "VAULT_ADDR="+d.address, "VAULT_TOKEN="+d.token, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	return reader{env: append(env, more...), dir: folder(t), password: d.password}
}

// TestMakeDev_FirstTime follows the page for developers without a vault command, to an e-invoice that the simulator accepts.
//
//nolint:tparallel // its only subtests say that a language is left out
func TestMakeDev_FirstTime(t *testing.T) {
	t.Parallel()
	dev := startDev(t)
	r := dev.reader(t, "API_URL="+dev.simulator, "PATH="+os.Getenv("PATH"))
	r.follow(t, firstTime, withoutMissing(t, commandsOf(t, filepath.Join("..", firstTime))))
	address, ca := tlsProxy(t, dev.address)
	file := filepath.Join(t.TempDir(), "vault-token")
	check.NoError(t, os.WriteFile(file, []byte(dev.token), 0o600))
	dev.reader(t, "VAULT_TOKEN=", "VAULT_TOKEN_FILE="+file, "VAULT_ADDR="+address, "VAULT_CACERT="+ca, "PATH="+os.Getenv("PATH")).
		follow(t, firstTime, withoutMissing(t, commandsOf(t, filepath.Join("..", firstTime))))
	text := check.Value(os.ReadFile(filepath.Join("..", firstTime)))(t)
	for _, language := range []struct{ name, program, client string }{
		{"php", "php", "../examples/clients/php/mastersindia_client.php"},
		{"python", "python3", "../examples/clients/python/mastersindia_client.py"},
	} {
		if !runtimeOf(t, language.name, language.program) {
			continue
		}
		_, source, found := strings.Cut(string(text), "```"+language.name+"\n")
		source, _, _ = strings.Cut(source, "```")
		client, err := os.ReadFile(language.client)
		check.Require(t, err == nil && found, "%s has no %s, or there is no client: %v", firstTime, language.name, err)
		file := filepath.Join(r.dir, "program."+language.name)
		for name, content := range map[string][]byte{filepath.Join(r.dir, filepath.Base(language.client)): client, file: []byte(source)} {
			check.NoError(t, os.WriteFile(name, content, 0o600))
		}
		run := exec.CommandContext(t.Context(), language.program, file)
		run.Dir, run.Env = r.dir, r.env
		if out, err := run.CombinedOutput(); err != nil || !strings.Contains(string(out), `"status":"Success"`) {
			t.Errorf("%s: %v\n%s", language.name, err, out)
		}
	}
}

// tlsProxy serves what is at the address over TLS, and returns its own address and the file of its CA.
func tlsProxy(t *testing.T, address string) (proxied, caFile string) {
	t.Helper()
	target := check.Value(url.Parse(address))(t)
	ca := check.Value(simulator.NewCA())(t)
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	server.TLS = check.Value(ca.ServerTLS())(t)
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	check.NoError(t, os.WriteFile(caFile, ca.CertPEM(), 0o600))
	return server.URL, caFile
}

// TestDevServer_InstalledAndUpgradedByTheGuides makes a dev server as install.md has it, and follows upgrade.md there and back.
func TestDevServer_InstalledAndUpgradedByTheGuides(t *testing.T) {
	t.Parallel()
	found := findBinaries(t)
	next := check.Value(harness.NextMinor(found.Version))(t)
	dir, download, bin := folder(t), folder(t), t.TempDir()
	for link, target := range map[string]string{
		filepath.Join(dir, "bin"): filepath.Dir(found.Plugin), filepath.Join(bin, "vault"): found.Vault,
	} {
		check.NoError(t, os.Symlink(target, link))
	}
	check.NoError(t, harness.BuildPlugin(t.Context(), os.Stderr, next, filepath.Join(download, filepath.Base(found.Plugin))))
	env := append(os.Environ(), "HOME="+dir, "PATH="+bin+":"+os.Getenv("PATH"))
	blocks := devServerBlocks(t)
	vaultAddress := serve(t, dir, env, func(address string) string { return "export VAULT_DEV_LISTEN_ADDRESS=" + address + "\n" + blocks[0] })
	simulatorAddress := serve(t, dir, env, func(address string) string {
		return strings.Replace(blocks[1], "bin/mastersindia-simulator", "bin/mastersindia-simulator -listen="+address, 1)
	})

	script := strings.NewReplacer("127.0.0.1:8200", vaultAddress, "127.0.0.1:8270", simulatorAddress).Replace(blocks[2]) +
		"\ncd '" + download + "'\n"
	guide := sectionsOf(t, filepath.Join("..", upgradeGuide))
	for _, section := range []string{"1. Put the new file on every node", "2. Register it, once", "3. Reload it", "Go back"} {
		check.Require(t, len(guide[section]) != 0, "%s has no commands under %q", upgradeGuide, section)
		for _, c := range guide[section] {
			script += c.command + "\n"
		}
		script += "vault write -f mastersindia/rotate/gst\n" // a repair or an upgrade is proved by a write
		script += "sleep 10.5\n"                             // one forced login in ten seconds
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	shell.Env, shell.Dir = env, dir
	out, err := shell.CombinedOutput()
	check.Require(t, err == nil, "%v\n%s", err, lastOf(out))
	if ran := regexp.MustCompile(`(?m)^v\d+\.\d+\.\d+`).FindAllString(string(out), -1); !slices.Equal(ran, []string{next, found.Version}) {
		t.Errorf("the mount has run %v, want %s and then %s:\n%s", ran, next, found.Version, out)
	}
}

// devServerBlocks are what is typed in three terminals.
func devServerBlocks(t *testing.T) []string {
	t.Helper()
	section := installSection(t, "## On a dev server")
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	check.Require(t, len(blocks) == 3, "%s has %d terminals for a dev server, want 3", installGuide, len(blocks))
	return blocks
}

// serve runs in a terminal what makes a server listen at an address, and ends it with the test as Ctrl-C does. Where another
// process else has taken the port meanwhile it tries another one.
func serve(t *testing.T, dir string, env []string, script func(address string) string) string {
	t.Helper()
	var said []byte
	for range 3 {
		address := check.Value(harness.FreeAddress(t.Context()))(t)
		log := filepath.Join(t.TempDir(), "log")
		ended := begin(t, dir, env, script(address), log)
		if listens(t, address, ended) {
			return address
		}
		said = check.Value(os.ReadFile(log))(t)
	}
	t.Fatalf("nobody listens:\n%s", lastOf(said))
	return ""
}

// begin runs a script in the background, with its output in a file, and returns a channel that is closed when it has ended.
func begin(t *testing.T, dir string, env []string, script, log string) <-chan struct{} {
	t.Helper()
	file := check.Value(os.Create(log))(t)
	defer func() { _ = file.Close() }()
	// It is ended by a signal, as a person does, and by no context.
	terminal := exec.Command("bash", "-euo", "pipefail", "-c", script)
	terminal.Dir, terminal.Env, terminal.Stdout, terminal.Stderr = dir, env, file, file
	terminal.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check.NoError(t, terminal.Start())
	ended := make(chan struct{})
	go func() {
		_ = terminal.Wait() // it says that it was interrupted
		close(ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-terminal.Process.Pid, syscall.SIGINT) // it may have ended
		<-ended
	})
	return ended
}

// listens waits until a server listens at the address and has not ended a second later, as a server does that finds its second
// port taken.
func listens(t *testing.T, address string, ended <-chan struct{}) bool {
	t.Helper()
	seen := 0
	for range 300 {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			seen++
		}
		select {
		case <-ended:
			return false
		case <-time.After(100 * time.Millisecond):
		}
		if seen > 10 {
			return true
		}
	}
	return false
}
