// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Program is a user's own program, which finds Vault by VAULT_ADDR, VAULT_TOKEN and the vault command.
type Program struct {
	*Process
}

// ProgramSpec says what to start.
type ProgramSpec struct {
	// Name is for messages. Token is the Vault token of the program.
	Name, Token string
	// Dir is its working directory, which is made. Log is the file that takes its output.
	Dir, Log string
	Path     string
	Args     []string
}

// BuildProgram builds a program of this module, such as ./examples/clients/go, and writes it to the file out.
func BuildProgram(ctx context.Context, progress io.Writer, pkg, out string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if _, err := runIn(ctx, root, progress, "go", "build", "-C", pkg, "-o", out, "."); err != nil {
		return fmt.Errorf("building %s: %w", pkg, err)
	}
	return nil
}

// StartDaemon starts a program that knows nothing of Vault. The environment is added to its usual one.
func StartDaemon(spec ProgramSpec, env ...string) (*Program, error) {
	if err := makeDirs(filepath.Join(spec.Dir, "tmp")); err != nil {
		return nil, err
	}
	process, err := startProcess(processSpec{
		name: spec.Name, path: spec.Path, args: spec.Args, dir: spec.Dir, env: childEnv(spec.Dir, env...), log: spec.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Program{process}, nil
}

// StartProgram starts a program.
func (v *Vault) StartProgram(spec ProgramSpec) (*Program, error) {
	bin := filepath.Join(spec.Dir, "bin")
	if err := makeDirs(bin); err != nil {
		return nil, err
	}
	if err := os.Symlink(v.binaries.Vault, filepath.Join(bin, "vault")); err != nil {
		return nil, err
	}
	return StartDaemon(spec, "VAULT_ADDR="+v.Addr, "VAULT_TOKEN="+spec.Token, "VAULT_CLI_NO_COLOR=1",
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Stop ends the program and whatever it has started: a shell would leave the command that it waits for behind.
func (p *Program) Stop() error {
	err := syscall.Kill(-p.PID(), syscall.SIGTERM)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending %s: %w", p.name, err)
	}
	return p.Process.Stop()
}
