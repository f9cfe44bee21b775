// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// machine describes what is measured on and what is measured, as far as the system tells.
func machine(ctx context.Context, binaries harness.Binaries) (results.Machine, error) {
	vault, err := output(ctx, binaries.Vault, "version")
	if err != nil {
		return results.Machine{}, err
	}
	plugin, err := output(ctx, binaries.Plugin, "-version")
	if err != nil {
		return results.Machine{}, err
	}
	vault, _, _ = strings.Cut(vault, ",")
	m := results.Machine{
		CPU: runtime.GOARCH, Cores: runtime.NumCPU(), System: runtime.GOOS, Go: runtime.Version(), Vault: vault, Plugin: plugin,
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.LoadAvg = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	return m, nil
}

func output(ctx context.Context, program string, args ...string) (string, error) {
	text, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line, nil
}

// plugin is the id of the process that runs a plugin of that program, or 0 where there is none or the system does not tell.
func (s *stage) plugin(program string) int {
	pids, err := s.PluginPIDs()
	if err != nil {
		return 0
	}
	for _, pid := range pids {
		if file, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Base(file) == filepath.Base(program) {
			return pid
		}
	}
	return 0
}

// pluginOf is the id of the plugin's process that answers a row; 0 where Vault itself does.
func (b *bench) pluginOf(s *stage, row string) int {
	switch mount, _, _ := strings.Cut(pathOf(row), "/"); mount {
	case harness.PluginName:
		return s.plugin(b.binaries.Plugin)
	case probeMount:
		return s.plugin(b.probe)
	default:
		return 0
	}
}

// memoryOf is the resident memory of a process in bytes, or 0 where the system does not tell.
func memoryOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

// processorTime is what a process has used of the processors so far, in steps of 10 ms, or 0 where the system does not tell.
func processorTime(pid int) time.Duration {
	const (
		tick = 10 * time.Millisecond // Linux tells all programs so, whatever its own clock is
		// Places after the name of the program, which may have blanks in it: see proc(5).
		user, system = 11, 12
	)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) <= system {
		return 0
	}
	ticks := 0
	for _, place := range []int{user, system} {
		n, err := strconv.Atoi(string(fields[place]))
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}
