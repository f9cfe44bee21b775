// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestColours_OnlyOnTerminal(t *testing.T) {
	t.Parallel()
	file := check.Value(os.Create(filepath.Join(t.TempDir(), "out")))(t)
	defer func() { _ = file.Close() }()
	check.True(t, !newScreen(file).colours, "a file would be written with colours")
}

func TestCommands_PasteIntoShell(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &screen{out: &out}
	s.command("PASSWORD", []string{"write", "mastersindia/config/cards", "scope=accounts cards", "note=it's", "password=-"})
	want := "\n   $ printf %s \"$PASSWORD\" | vault write mastersindia/config/cards 'scope=accounts cards' 'note=it'\\''s' \\\n" +
		"       password=-\n"
	check.True(t, out.String() == want, "got\n%s\nwant\n%s", out.String(), want)
}

// TestOnPath_PasteIntoShell gives a shell the line that makes vault a command, and runs it; the folder has a blank in its name.
func TestOnPath_PasteIntoShell(t *testing.T) {
	for _, name := range []string{"vault", "vault-1.19.5"} {
		program := filepath.Join(t.TempDir(), "my checkout", name)
		check.NoError(t, os.Mkdir(filepath.Dir(program), 0o700))
		check.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\"\n"), 0o700))
		t.Setenv("PATH", "/usr/bin:/bin")
		out, err := exec.CommandContext(t.Context(), "bash", "-c", onPath(program)+"\nvault status").CombinedOutput()
		check.True(t, err == nil && string(out) == "status\n", "%s: %v, %q", onPath(program), err, out)
		t.Setenv("PATH", filepath.Dir(program)+":/usr/bin:/bin")
		if line := onPath(program); name == "vault" && line != "" {
			t.Errorf("with vault on the PATH: %s", line)
		}
	}
}

func TestOutput_HidesToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("eyJhbGciOi", 12)
	response := "Key              Value\n---              -----\nlease_duration   59m55s\naccess_token     " + token +
		"\nauthorization    JWT " + token + "\n"
	if values := parseTable(response); values["authorization"] != "JWT "+token || values["lease_duration"] != "59m55s" {
		t.Errorf("the table reads as %v", values)
	}
	hidden := hideToken(response)
	check.True(t, !strings.Contains(hidden, token) && strings.Count(hidden, "eyJhbGciOiey…") == 2,
		"the token is not shortened:\n%s", hidden)
}
