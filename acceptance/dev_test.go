// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/must"
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
	must.Do(t, harness.BuildProgram(t.Context(), os.Stderr, "./scripts/demo", program))
	found := findBinaries(t)
	file := must.Get(os.Create(output))(t)
	defer func() { _ = file.Close() }()
	// It is ended by a signal, as a person does, and by no context.
	run := exec.Command(program, "-stay")
	run.Dir, run.Stdout, run.Stderr = "..", file, file
	run.Env = append(os.Environ(), "VAULT_BIN="+found.Vault, "NO_COLOR=1")
	must.Do(t, run.Start())
	t.Cleanup(func() {
		if err := errors.Join(run.Process.Signal(syscall.SIGINT), run.Wait()); err != nil {
			t.Errorf("make dev: %v", err)
		}
		if t.Failed() {
			t.Logf("make dev said:\n%s", harness.Tail(output, 40))
		}
	})
	said := waitForText(t, output, "Ctrl-C stops everything")
	part := func(pattern string) string {
		match := regexp.MustCompile(pattern).FindStringSubmatch(said)
		if match == nil {
			t.Fatalf("make dev does not say %s:\n%s", pattern, said)
		}
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
	must.Do(t, os.Symlink(d.vault, filepath.Join(bin, "vault")))
	env := append(os.Environ(), "VAULT_ADDR="+d.address, "VAULT_TOKEN="+d.token, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	return reader{env: append(env, more...), dir: folder(t), password: d.password}
}

func waitForText(t *testing.T, name, text string) string {
	t.Helper()
	must.Happen(t, time.Minute, "no "+text+" in "+name, func() bool { return strings.Contains(string(readFile(t, name)), text) })
	return string(readFile(t, name))
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
	must.Do(t, os.WriteFile(file, []byte(dev.token), 0o600))
	dev.reader(t, "VAULT_TOKEN=", "VAULT_TOKEN_FILE="+file, "VAULT_ADDR="+address, "VAULT_CACERT="+ca, "PATH="+os.Getenv("PATH")).
		follow(t, firstTime, withoutMissing(t, commandsOf(t, filepath.Join("..", firstTime))))
	text := must.Get(os.ReadFile(filepath.Join("..", firstTime)))(t)
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
		if err != nil || !found {
			t.Fatalf("%s has no %s, or there is no client: %v", firstTime, language.name, err)
		}
		file := filepath.Join(r.dir, "program."+language.name)
		for name, content := range map[string][]byte{filepath.Join(r.dir, filepath.Base(language.client)): client, file: []byte(source)} {
			must.Do(t, os.WriteFile(name, content, 0o600))
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
	target := must.Get(url.Parse(address))(t)
	ca := must.Get(simulator.NewCA())(t)
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	server.TLS = must.Get(ca.ServerTLS())(t)
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	must.Do(t, os.WriteFile(caFile, ca.CertPEM(), 0o600))
	return server.URL, caFile
}
