// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

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
