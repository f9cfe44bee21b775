// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/command"
)

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"-help"}, {"--help"}, {"-h"}, {"-tls-skip-verify", "-help"}} {
		var stdout, stderr strings.Builder
		check.Equal(t, run(args, &stdout, &stderr), command.ExitOK, "%q: exit code", args)
		for n, line := range strings.Split(stdout.String(), "\n") {
			check.True(t, len(line) <= 80, "%q: line %d has %d columns", args, n+1, len(line))
		}
		check.True(t, strings.HasPrefix(stdout.String(), "Usage: vault-plugin-secrets-mastersindia [options]\n") && stderr.Len() == 0,
			"%q: said %q and %q", args, stdout.String(), stderr.String())
	}
	for _, arg := range []string{"-version", "--version"} {
		var stdout, stderr strings.Builder
		code := run([]string{arg}, &stdout, &stderr)
		if want := "vault-plugin-secrets-mastersindia v0.0.0-dev (unknown)\n"; code != command.ExitOK || stdout.String() != want {
			t.Errorf("%s: exit code %d, said %q, want %q", arg, code, stdout.String(), want)
		}
	}
}

func TestOptions_InvalidPointToHelp(t *testing.T) {
	for arg, want := range map[string]string{
		"-nonsense": "flag provided but not defined: -nonsense",
		"server":    `unexpected argument "server"`,
	} {
		var stdout, stderr strings.Builder
		check.Equal(t, run([]string{arg}, &stdout, &stderr), command.ExitUsage, "%s: exit code", arg)
		said := stderr.String()
		check.True(t,
			strings.HasPrefix(said, "Error: "+want) && strings.Contains(said, "\nRun vault-plugin-secrets-mastersindia -help"),
			"%s: said %q", arg, said)
		check.True(t, stdout.Len() == 0, "%s: wrote %q to standard output", arg, stdout.String())
	}
}

// TestOptions_InvalidInCatalogLogged: Vault takes lines of JSON from its plugins and keeps their level.
func TestOptions_InvalidInCatalogLogged(t *testing.T) {
	t.Setenv("VAULT_BACKEND_PLUGIN", "set by Vault")
	var stderr strings.Builder
	check.Equal(t, run([]string{"-nonsense"}, io.Discard, &stderr), command.ExitUsage, "exit code")
	var line map[string]any
	if err := json.Unmarshal([]byte(stderr.String()), &line); err != nil {
		t.Fatalf("%q is not JSON: %v", stderr.String(), err)
	}
	check.True(t, line["@level"] == "error" && strings.Contains(line["@message"].(string), "-args"), "the line is %v", line)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutput_WriteErrorFails(t *testing.T) {
	check.Equal(t, run([]string{"-help"}, full{}, io.Discard), command.ExitFailed, "exit code")
}
