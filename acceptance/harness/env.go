// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"os"
	"path/filepath"
)

// childEnv returns the whole environment of a child process. It is built from nothing, not filtered: a proxy, a VAULT_TOKEN
// or a VAULT_NAMESPACE of the person at the keyboard must change no result, and HOME must not be theirs, or the vault
// command would read and write their ~/.vault-token.
func childEnv(dir string, extra ...string) []string {
	env := []string{
		"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + filepath.Join(dir, "tmp"),
		"LANG=C.UTF-8",
	}
	return append(env, extra...)
}

// makeDirs creates directories that only this user can read.
func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}
