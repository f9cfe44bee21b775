// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// openBaoAsVault runs an OpenBao. Its plugin reload has no -type, which the documents' commands give and docs/install.md says to
// leave out.
const openBaoAsVault = `#!/usr/bin/env bash
if [ "$1 $2 $3" = "plugin reload -type=secret" ]; then
  shift 3
  set -- plugin reload "$@"
fi
exec %q "$@"
`

func isOpenBao(ctx context.Context, path string) (bool, error) {
	product, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		return false, fmt.Errorf("asking %s for its version: %w", path, err)
	}
	return strings.HasPrefix(string(product), "OpenBao "), nil
}

// asVault writes a program into dir that runs the OpenBao by Vault's commands, and returns its path. It may be written by several
// tests at once, so it gets its name when it is whole.
func asVault(dir, openBao string) (string, error) {
	path := filepath.Join(dir, "openbao-as-vault")
	file, err := os.CreateTemp(dir, "openbao-as-vault-*")
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(file, openBaoAsVault, openBao)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", err
	}
	if err := os.Chmod(file.Name(), 0o700); err != nil { //nolint:gosec // G302: a program must be executable
		return "", err
	}
	return path, os.Rename(file.Name(), path)
}

// In returns a CLI whose commands go to a namespace of OpenBao, and that adds to the same transcript.
func (c *CLI) In(namespace string) *CLI {
	return &CLI{Dir: c.Dir, path: c.path, env: c.Env("VAULT_NAMESPACE=" + namespace), ran: c.ran}
}
