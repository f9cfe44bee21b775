// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestColours_OnlyOnTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if newScreen(file).colours {
		t.Error("a file would be written with colours")
	}
}

func TestCommands_PasteIntoShell(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &screen{out: &out}
	s.command("PASSWORD", []string{"write", "mastersindia/config/cards", "scope=accounts cards", "note=it's", "password=-"})
	want := "\n   $ printf %s \"$PASSWORD\" | vault write mastersindia/config/cards 'scope=accounts cards' 'note=it'\\''s' \\\n" +
		"       password=-\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
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
	if strings.Contains(hidden, token) || strings.Count(hidden, "eyJhbGciOiey…") != 2 {
		t.Errorf("the token is not shortened:\n%s", hidden)
	}
}
