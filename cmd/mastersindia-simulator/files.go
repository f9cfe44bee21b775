// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
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

// checkOutput refuses a name at which another file is, such as that of the accounts, which would be lost. own recognizes what
// this program wrote.
func checkOutput(option, path string, own func([]byte) bool) error {
	info, err := os.Stat(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %s is no file: name one", option, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	if len(content) > 0 && !own(content) {
		return fmt.Errorf("%s: %s holds something else: name another file, or remove it", option, path)
	}
	return nil
}

// isReady reports whether the text is what writeReady writes.
func isReady(text []byte) bool {
	var where addresses
	if json.Unmarshal(text, &where) != nil {
		return false
	}
	again, err := json.Marshal(where)
	return err == nil && string(again) != "{}" && bytes.Equal(again, bytes.TrimSpace(text))
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
