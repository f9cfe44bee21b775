// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

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
