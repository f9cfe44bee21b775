// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// RegisterArgs returns the vault command that puts the plugin in the catalog.
func (v *Vault) RegisterArgs() ([]string, error) {
	sum, err := fileSHA256(v.binaries.Plugin)
	if err != nil {
		return nil, fmt.Errorf("hashing the plugin: %w", err)
	}
	return []string{
		"plugin", "register",
		"-sha256=" + sum,
		"-command=" + filepath.Base(v.binaries.Plugin),
		"-version=" + v.binaries.Version,
		"secret", PluginName,
	}, nil
}

// Install registers the plugin and enables it at each path.
func (v *Vault) Install(ctx context.Context, paths ...string) error {
	args, err := v.RegisterArgs()
	if err != nil {
		return err
	}
	if _, err := v.CLI.Must(ctx, "", args...); err != nil {
		return err
	}
	for _, path := range paths {
		if _, err := v.CLI.Must(ctx, "", "secrets", "enable", "-path="+path, PluginName); err != nil {
			return err
		}
	}
	return nil
}

func fileSHA256(name string) (string, error) {
	data, err := os.ReadFile(name)
	return fmt.Sprintf("%x", sha256.Sum256(data)), err
}

// copyFile copies a file. A link would not do: Vault runs what lies in the plugin directory, not what a link there points to.
func copyFile(from, to string, mode os.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, mode)
}

// PluginPIDs returns the process ids of the plugin's running processes. It needs Linux.
func (v *Vault) PluginPIDs() ([]int, error) {
	parents, err := processParents()
	if err != nil {
		return nil, err
	}
	var pids []int
	for child := range parents {
		if child != v.PID() && descends(parents, child, v.PID()) {
			pids = append(pids, child)
		}
	}
	return pids, nil
}
