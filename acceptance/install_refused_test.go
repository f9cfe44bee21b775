// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestInstallGuide_VaultErrorsAsShown makes each mistake of the guide's table, and no other is in the table.
func TestInstallGuide_VaultErrorsAsShown(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	program := readFile(t, r.oldFile)
	plain := filepath.Join(filepath.Dir(r.oldFile), "plain")
	check.NoError(t, os.WriteFile(plain, program, 0o600))
	sum, command := sumOf(t, r.oldFile), filepath.Base(r.oldFile)
	register := func(name, sum, version, command string) []string {
		return []string{"plugin", "register", "-sha256=" + sum, "-version=" + version, "-command=" + command, "secret", name}
	}
	mistakes := map[string]func() string{
		"checksums did not match": func() string {
			r.vault(t, register("other-sum", strings.Repeat("0", 64), r.old, command)...)
			return r.refused(t, "secrets", "enable", "other-sum")
		},
		"error verifying checksum": func() string {
			gone := filepath.Join(filepath.Dir(r.oldFile), "gone")
			check.NoError(t, os.Link(r.oldFile, gone))
			r.vault(t, register("gone", sum, r.old, "gone")...)
			check.NoError(t, os.Remove(gone))
			return r.refused(t, "secrets", "enable", "gone")
		},
		"did not match requested version": func() string { return r.refused(t, register("other-version", sum, r.new, command)...) },
		"Unrecognized remote plugin message": func() string {
			archive := filepath.Join(filepath.Dir(r.oldFile), "archive")
			check.NoError(t, os.WriteFile(archive, []byte("\x1f\x8b\x08"), 0o700))
			r.vault(t, register("archive", sumOf(t, archive), r.old, "archive")...)
			check.Contains(t, r.refused(t, "secrets", "enable", "archive"), "exec format error")
			file := filepath.Join(filepath.Dir(r.oldFile), "other-program")
			check.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\necho mastersindia-audit v0.1.0\n"), 0o700))
			r.vault(t, register("other-program", sumOf(t, file), r.old, "other-program")...)
			return r.refused(t, "secrets", "enable", "other-program")
		},
		"permission denied": func() string {
			r.vault(t, register("plain", sum, r.old, "plain")...)
			return r.refused(t, "secrets", "enable", "plain")
		},
		"error while validating the command path": func() string { return r.refused(t, register("absent", sum, r.old, "absent")...) },
		"extracted artifact directory not found":  func() string { return r.refused(t, register("no-sum", "", r.old, command)...) },
		"plugin not found in the catalog":         func() string { return r.refused(t, "secrets", "enable", "nobody-registered-this") },
		"path is already in use": func() string {
			r.vault(t, register(harness.PluginName, sum, r.old, command)...)
			r.vault(t, "secrets", "enable", harness.PluginName)
			return r.refused(t, "secrets", "enable", harness.PluginName)
		},
		"Code: 403": func() string {
			token := strings.TrimSpace(r.vault(t, "token", "create", "-policy=default", "-field=token"))
			command := exec.CommandContext(t.Context(), r.VaultBinary(), register("unprivileged", sum, r.old, command)...)
			command.Env = r.CLI.Env("VAULT_TOKEN=" + token)
			said, err := command.CombinedOutput()
			check.True(t, err != nil, "a token without rights may register plugins")
			return string(said)
		},
		"Text file busy": func() string {
			replace := exec.CommandContext(t.Context(), "cp", r.newFile, r.oldFile) // it runs since a mount was enabled
			replace.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
			said, err := replace.CombinedOutput()
			check.True(t, err != nil, "cp wrote over a program that runs")
			return string(said)
		},
		"missing API address": func() string {
			return r.refusedStart(t, fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = \"vault-1\"\n}\n"+
				"listener \"tcp\" {\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}\n"+
				"cluster_addr = \"http://127.0.0.1:1\"\ndisable_mlock = true\n", t.TempDir()))
		},
		"plugin directory is not configured": func() string {
			return r.refusedBy(t, "disable_mlock = true\n", register("nowhere", sum, r.old, command)...)
		},
		"cannot execute files outside of configured plugin directory": func() string {
			link := filepath.Join(t.TempDir(), "plugins")
			check.NoError(t, os.Symlink(filepath.Dir(r.oldFile), link))
			return r.refusedBy(t, fmt.Sprintf("plugin_directory = %q\n", link), register("linked", sum, r.old, command)...)
		},
	}
	// Vault 1.16 and OpenBao ask for the checksum.
	otherwise := map[string]string{"extracted artifact directory not found": "SHA256 is required for all plugins"}
	for _, text := range refusalsOfTheInstallGuide(t) {
		mistake, known := mistakes[text]
		if !known {
			t.Errorf("%s has %q, and no mistake is known to bring it", installGuide, text)
			continue
		}
		said := strings.Join(strings.Fields(mistake()), " ")
		check.True(t, strings.Contains(said, text) || strings.Contains(said, cmp.Or(otherwise[text], text)),
			"%s has %q, and Vault says:\n%s", installGuide, text, said)
		delete(mistakes, text)
	}
	for text := range mistakes {
		t.Errorf("%s does not explain %q", installGuide, text)
	}
}

// refusedStart gives what a server says that must not start with this configuration.
func (r *registration) refusedStart(t *testing.T, config string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said, err := r.server(ctx, t, config).CombinedOutput()
	check.Require(t, err != nil && ctx.Err() == nil, "the server started: %s", lastOf(said))
	return string(said)
}

// refusedBy returns the output of a command that a dev server of this configuration must refuse.
func (r *registration) refusedBy(t *testing.T, config string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), r.VaultBinary(), args...)
	command.Env = r.CLI.Env(r.serve(t, config)...)
	said, err := command.CombinedOutput()
	check.Require(t, err != nil, "vault %q was not refused", args)
	return string(said)
}

// serve starts a dev server of this configuration, and returns the variables that select it.
func (r *registration) serve(t *testing.T, config string) []string {
	t.Helper()
	address := check.Value(harness.FreeAddress(t.Context()))(t)
	ctx, cancel := context.WithCancel(t.Context())
	server := r.server(ctx, t, config, "-dev", "-dev-root-token-id=root", "-dev-no-store-token", "-dev-listen-address="+address)
	check.NoError(t, server.Start())
	t.Cleanup(func() {
		cancel()
		_ = server.Wait()
	})
	env := []string{"VAULT_ADDR=http://" + address, "VAULT_TOKEN=root"}
	for range 300 {
		command := exec.CommandContext(ctx, r.VaultBinary(), "token", "lookup")
		command.Env = r.CLI.Env(env...)
		if command.Run() == nil {
			return env
		}
		<-time.After(100 * time.Millisecond) // it is still starting
	}
	t.Fatal("the server did not respond")
	return nil
}

func (r *registration) server(ctx context.Context, t *testing.T, config string, args ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "server.hcl")
	check.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.CommandContext(ctx, r.VaultBinary(), append([]string{"server", "-config=" + file}, args...)...)
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// installSection is the text of the installation guide from a heading to the end of its section.
func installSection(t *testing.T, heading string) string {
	t.Helper()
	_, section, found := strings.Cut(string(readFile(t, filepath.Join("..", installGuide))), "\n"+heading+"\n")
	check.Require(t, found, "%s has no section %q", installGuide, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// refusalsOfTheInstallGuide are the texts in the first cells of the table.
func refusalsOfTheInstallGuide(t *testing.T) []string {
	t.Helper()
	section := installSection(t, "### When Vault refuses it")
	var texts []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(.+?)`").FindAllStringSubmatch(section, -1) {
		texts = append(texts, row[1])
	}
	return texts
}
