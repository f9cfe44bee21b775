// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"vault-plugin-secrets-mastersindia/internal/command"
)

// writeReady tells scripts the address of the simulator.
func writeReady(path string, where addresses) error {
	if path == "" {
		return nil
	}
	data, err := json.Marshal(where)
	if err == nil {
		err = writeFile(path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("-ready-file: %w", err)
	}
	return nil
}

// writeFile writes a world-readable file.
func writeFile(path string, data []byte) error {
	const worldReadable = 0o644
	return command.WriteFile(path, worldReadable, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func removeFile(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
