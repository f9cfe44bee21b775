// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// searchLeaks looks for every secret of the test in everything that was written: the server's log at the level trace (with
// the plugin's lines in it), the audit log, Vault's storage, all other files, the command lines and environments of Vault
// and the plugin, and all that the vault command printed.
func (w *testVault) searchLeaks(t *testing.T) {
	t.Helper()
	w.proveSearch(t)
	var findings []string
	inFiles := func(leaks *harness.Leaks, skip func(string) bool) {
		found, err := leaks.SearchTree(w.Dir, skip)
		if err != nil {
			t.Error(err)
		}
		findings = append(findings, found...)
		found, err = leaks.SearchProcess(w.PID())
		if err != nil && !errors.Is(err, harness.ErrNoProc) {
			t.Error(err)
		}
		findings = append(findings, found...)
	}
	inFiles(w.secrets, isProgram)
	inFiles(w.tokens, func(path string) bool {
		return isProgram(path) || filepath.Base(path) == "rendered" // by Vault Agent, for the application that reads the token
	})
	for _, result := range w.CLI.Ran() {
		command := "vault " + strings.Join(result.Args, " ")
		all := []byte(command + "\n" + result.Stdout + result.Stderr)
		findings = append(findings, w.secrets.SearchText(command, all)...)
		if !returnsToken(result.Args) {
			findings = append(findings, w.tokens.SearchText(command, all)...)
		}
	}
	slices.Sort(findings)
	for _, finding := range slices.Compact(findings) {
		t.Errorf("leaked: %s", finding)
	}
}

// proveSearch makes sure that the search would find something: it plants a secret, and checks that the logs hold what they
// should.
func (w *testVault) proveSearch(t *testing.T) {
	t.Helper()
	for file, mark := range map[string]string{w.ServerLog(): "[TRACE]", w.AuditLog(): "hmac-sha256:"} {
		text, err := os.ReadFile(file)
		check.True(t, err == nil && strings.Contains(string(text), mark),
			"%s holds no %q (%v): searching it would prove nothing", file, mark, err)
	}
	const planted = "planted-secret-0123456789"
	probe := harness.NewLeaks()
	check.NoError(t, probe.Add("planted", planted))
	name := filepath.Join(w.Dir, "planted")
	check.NoError(t, os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString([]byte("a "+planted+" z"))), 0o600))
	defer func() { _ = os.Remove(name) }()
	found, err := probe.SearchTree(w.Dir, isProgram)
	check.True(t, err == nil && len(found) == 1, "the search found %q (%v) instead of the one secret that was planted", found, err)
}

// isProgram reports whether the path is the folder of the plugin's binary, which was made before any secret.
func isProgram(path string) bool { return filepath.Base(path) == "plugins" }

// returnsToken reports whether the response to a command is meant to hold a token.
func returnsToken(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "/token/") || arg == "unwrap" })
}
