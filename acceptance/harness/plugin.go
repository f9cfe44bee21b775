// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	return os.WriteFile(to, data, mode) //nolint:gosec // between folders of the tests
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
	return v.register(ctx, file, filepath.Base(v.binaries.Plugin)+"-"+version, PluginName, "-version="+version)
}

// InstallProgram registers another plugin than the one under test, and enables it at a path of its name.
func (v *Vault) InstallProgram(ctx context.Context, file, name string) error {
	if err := v.register(ctx, file, filepath.Base(file), name); err != nil {
		return err
	}
	_, err := v.CLI.Must(ctx, "", "secrets", "enable", "-path="+name, name)
	return err
}

// register copies a program into the plugin directory as command, and puts it in the catalog.
func (v *Vault) register(ctx context.Context, file, command, name string, options ...string) error {
	if err := copyFile(file, filepath.Join(v.Dir, "plugins", command), 0o700); err != nil {
		return fmt.Errorf("copying the plugin: %w", err)
	}
	sum, err := fileSHA256(file)
	if err != nil {
		return fmt.Errorf("hashing the plugin: %w", err)
	}
	args := append([]string{"plugin", "register", "-sha256=" + sum, "-command=" + command}, options...)
	_, err = v.CLI.Must(ctx, "", append(args, "secret", name)...)
	return err
}

// Version is the version of the plugin that Install registers.
func (v *Vault) Version() string { return v.binaries.Version }

// RunningPlugins returns the process ids of those children of the server that run the plugin now: one that has ended and was
// not reaped by Vault yet is not included. It needs Linux.
func (v *Vault) RunningPlugins() ([]int, error) {
	pids, err := v.PluginPIDs()
	if err != nil {
		return nil, err
	}
	var running []int
	for _, pid := range pids {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		program, _, _ := strings.Cut(string(line), "\x00") // Nothing is left of the command line of a process that has ended.
		if err == nil && filepath.Base(program) == filepath.Base(v.binaries.Plugin) {
			running = append(running, pid)
		}
	}
	return running, nil
}

// PluginPID returns the id of the one process that runs the plugin now. It is an error when there is none, or more than one. It
// needs Linux.
func (v *Vault) PluginPID() (int, error) {
	running, err := v.RunningPlugins()
	if err != nil {
		return 0, err
	}
	if len(running) != 1 {
		return 0, fmt.Errorf("found the plugin processes %v, want one", running)
	}
	return running[0], nil
}

// KillPlugin ends the one process of the plugin without a warning, as a crash does, and returns its id. It needs Linux.
func (v *Vault) KillPlugin() (int, error) {
	pid, err := v.PluginPID()
	if err != nil {
		return 0, err
	}
	return pid, KillProcess(pid)
}

// KillProcess ends a process that PluginPID has found, for a test that has no time to look for it at the moment of the kill.
func KillProcess(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing the plugin process %d: %w", pid, err)
	}
	return nil
}
