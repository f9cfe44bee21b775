// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestPHPFPM_TokenSharedInAPCu has requests to a real php-fpm issue invoices: its workers share one read of Vault.
func TestPHPFPM_TokenSharedInAPCu(t *testing.T) {
	t.Parallel()
	fpm := phpFPM(t)
	w := newTestVault(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	c := w.exampleClient(t, "fpm", nil)
	dir := t.TempDir()
	socket := c.startFPM(t, fpm, dir)
	api := httptest.NewServer(c.api)
	defer api.Close()
	client := check.Value(filepath.Abs("../examples/clients/php/mastersindia_client.php"))(t)
	page := filepath.Join(dir, "page.php")
	source := fmt.Sprintf(`<?php
require '%s';
$reply = (new MastersIndiaClient('fpm'))->call('%s/accepted', 'POST', '%s');
echo getmypid(), ' ', json_decode($reply)->results->status, "\n";
`, client, api.URL, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(invoice))
	check.NoError(t, os.WriteFile(page, []byte(source), 0o600))
	workers := map[string]bool{}
	for n := range 6 {
		request := exec.CommandContext(t.Context(), "cgi-fcgi", "-bind", "-connect", socket)
		request.Env = append(os.Environ(), "SCRIPT_FILENAME="+page, "REQUEST_METHOD=GET")
		out, err := request.CombinedOutput()
		check.Require(t, err == nil && strings.Contains(string(out), " Success\n"), "request %d: %v\n%s", n, err, out)
		_, body, _ := strings.Cut(string(out), "\r\n\r\n")
		workers[strings.Fields(body)[0]] = true
	}
	itself := exec.CommandContext(t.Context(), "cgi-fcgi", "-bind", "-connect", socket)
	itself.Env = append(os.Environ(), "SCRIPT_FILENAME="+client, "REQUEST_METHOD=GET")
	out, err := itself.CombinedOutput()
	check.True(t, err == nil && strings.Contains(string(out), "Status: 500"), "a request of the client itself is silent: %v\n%s", err, out)
	check.Equal(t, c.readsByName(t)["token-fpm"], 1, "N reads of Vault by 6 requests")
	check.True(t, len(workers) >= 2, "all requests came to one worker: nothing is proved of several")
}

// phpFPM is the program, which has the version of PHP in its name.
func phpFPM(t *testing.T) string {
	t.Helper()
	found := check.Value(filepath.Glob("/usr/sbin/php-fpm*"))(t)
	check.Require(t, len(found) != 0 || os.Getenv("CI") != "true", "there is no php-fpm; scripts/get-runtimes installs it")
	if len(found) == 0 || !runtimeOf(t, "cgi-fcgi", "cgi-fcgi") {
		t.Skip("there is no php-fpm, or no cgi-fcgi; scripts/get-runtimes installs them")
	}
	return found[0]
}

// startFPM starts a php-fpm with two workers that have the environment of a client, and returns its socket.
func (c *exampleClient) startFPM(t *testing.T, fpm, dir string) string {
	t.Helper()
	socket, conf := filepath.Join(dir, "fpm.sock"), filepath.Join(dir, "fpm.conf")
	pool := fmt.Sprintf("[global]\nerror_log = %s/fpm.log\n[www]\nlisten = %s\npm = static\npm.max_children = 2\n"+
		"env[VAULT_ADDR] = %s\nenv[VAULT_TOKEN_FILE] = %s/vault-token\n", dir, socket, c.Addr, dir)
	for name, text := range map[string]string{conf: pool, filepath.Join(dir, "vault-token"): c.token + "\n"} {
		check.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	server := exec.CommandContext(t.Context(), fpm, "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", conf)
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	server.WaitDelay = 10 * time.Second
	check.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Cancel() // it may have ended with the test's context
		_ = server.Wait()
	})
	for range 100 {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		<-time.After(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "fpm.log")) // for the message only
	t.Fatalf("php-fpm does not listen:\n%s", log)
	return ""
}
