// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"vault-plugin-secrets-mastersindia/internal/command"
)

// writeFile writes a file that only its owner can read, and takes the place of nothing but a file.
func writeFile(path string, content func(io.Writer) error) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s %w", path, errNoFile)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	const owner = 0o600
	return command.WriteFile(path, owner, content)
}
