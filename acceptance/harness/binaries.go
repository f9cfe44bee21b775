// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// PluginName is the name in Vault's catalog, and the mount path that goes with it.
const PluginName = "mastersindia"

// Binaries are the programs that the harness runs.
type Binaries struct {
	Vault string
	// OpenBao says that Vault is an OpenBao, which takes some other settings.
	OpenBao   bool
	Plugin    string
	Simulator string
	// Audit is the program that makes reports of audit logs.
	Audit string
	// Version is the plugin's version, as Vault's catalog wants it.
	Version string
}

// FindBinaries builds the plugin, the simulator and the audit report, and finds a Vault, or has it built, which takes long:
// progress is written to progress. It always builds, since tests of yesterday's binary mislead; with nothing to do that takes a
// second.
func FindBinaries(ctx context.Context, progress io.Writer) (Binaries, error) {
	root, err := moduleRoot()
	if err != nil {
		return Binaries{}, err
	}
	version, err := version(root)
	if err != nil {
		return Binaries{}, err
	}
	plugin, err := PluginBinary(ctx, progress)
	if err != nil {
		return Binaries{}, err
	}
	vault, err := runIn(ctx, root, progress, "scripts/get-vault")
	if err != nil {
		return Binaries{}, fmt.Errorf("finding a Vault: %w", err)
	}
	if !filepath.IsAbs(vault) { // as VAULT_BIN has it, from the root, which is no test's folder
		vault = filepath.Join(root, vault)
	}
	openBao, err := isOpenBao(ctx, vault)
	if err != nil {
		return Binaries{}, err
	}
	if openBao {
		if vault, err = asVault(filepath.Join(root, "bin"), vault); err != nil {
			return Binaries{}, fmt.Errorf("preparing OpenBao: %w", err)
		}
	}
	return Binaries{
		Vault:     vault,
		OpenBao:   openBao,
		Plugin:    plugin,
		Simulator: filepath.Join(root, "bin", "mastersindia-simulator"),
		Audit:     filepath.Join(root, "bin", "mastersindia-audit"),
		Version:   version,
	}, nil
}

// PluginBinary builds the plugin alone, for tests that need no Vault, and returns its path.
func PluginBinary(ctx context.Context, progress io.Writer) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if _, err := runIn(ctx, root, progress, "make", "--silent", "build"); err != nil {
		return "", fmt.Errorf("building the plugin: %w", err)
	}
	return filepath.Join(root, "bin", "vault-plugin-secrets-mastersindia"), nil
}

// moduleRoot returns the directory of the module that the working directory belongs to.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "scripts", "get-vault")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s lies in no checkout of the plugin: run this inside one", start)
		}
	}
}

// version returns the version that the Makefile builds with: VERSION of the environment (make exports its own) or of the file.
func version(root string) (string, error) {
	if v := os.Getenv("VERSION"); v != "" {
		return v, nil
	}
	text, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", err
	}
	v := strings.TrimSpace(string(text))
	if v == "" {
		return "", errors.New("the file VERSION is empty: it must hold the plugin's version, such as v0.1.0")
	}
	return v, nil
}

// runIn runs a program of the checkout and returns the last line that it printed.
func runIn(ctx context.Context, dir string, progress io.Writer, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	if strings.Contains(program, "/") {
		cmd.Path = filepath.Join(dir, program)
	}
	// Started from make we are no make of its job server.
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "MAKEFLAGS=") && !strings.HasPrefix(pair, "MAKELEVEL=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	var stdout bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, progress
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	return lines[len(lines)-1], nil
}
