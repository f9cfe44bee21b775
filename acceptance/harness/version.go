// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// BuildPlugin builds the plugin of this checkout as another version, which must be vX.Y.Z, into the given file.
func BuildPlugin(ctx context.Context, progress io.Writer, version, file string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	// -trimpath as in the Makefile: what was compiled there is not compiled again.
	_, err = runIn(ctx, root, progress, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+version, "-o", file, "./cmd/vault-plugin-secrets-mastersindia")
	if err != nil {
		return fmt.Errorf("building the plugin as %s: %w", version, err)
	}
	return os.Chmod(file, 0o700) //nolint:gosec // G302: a program must be executable
}

// NextMinor returns the version after vX.Y.Z in which Y is one more.
func NextMinor(version string) (string, error) {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		return "", fmt.Errorf("the version %q is not vX.Y.Z: %w", version, err)
	}
	return fmt.Sprintf("v%d.%d.0", major, minor+1), nil
}

// RegisterVersion puts another build of the plugin in the catalog, beside the one that Install registers.
func (v *Vault) RegisterVersion(ctx context.Context, file, version string) error {
	command := filepath.Base(v.binaries.Plugin) + "-" + version
	if err := copyFile(file, filepath.Join(v.Dir, "plugins", command), 0o700); err != nil {
		return fmt.Errorf("copying the plugin: %w", err)
	}
	sum, err := fileSHA256(file)
	if err != nil {
		return fmt.Errorf("hashing the plugin: %w", err)
	}
	_, err = v.CLI.Must(ctx, "", "plugin", "register", "-sha256="+sum, "-command="+command, "-version="+version,
		"secret", PluginName)
	return err
}

// Version is the version of the plugin that Install registers.
func (v *Vault) Version() string { return v.binaries.Version }
