// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"fmt"
	"os"
	"strings"
)

// Usage is what a process takes of the machine.
type Usage struct {
	// Files counts its open file descriptors, Threads its threads.
	Files, Threads int
	// Resident is the memory that it has now, and Peak the most that it had, in bytes.
	Resident, Peak int64
}

func (u Usage) String() string {
	return fmt.Sprintf("%d files, %d threads, %d MiB (peak %d)", u.Files, u.Threads, u.Resident>>20, u.Peak>>20)
}

// ReadUsage reads what a process uses. It needs Linux: elsewhere the error is ErrNoProc.
func ReadUsage(pid int) (Usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if os.IsNotExist(err) {
		if _, err := os.Stat("/proc/self/status"); err != nil {
			return Usage{}, ErrNoProc
		}
	}
	if err != nil {
		return Usage{}, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Files: len(files)}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "Threads":
			_, err = fmt.Sscan(value, &u.Threads)
		case "VmRSS":
			_, err = fmt.Sscan(value, &kilobytes)
			u.Resident = kilobytes << 10
		case "VmHWM":
			_, err = fmt.Sscan(value, &kilobytes)
			u.Peak = kilobytes << 10
		}
		if err != nil {
			return Usage{}, fmt.Errorf("reading the status of process %d: %w", pid, err)
		}
	}
	return u, nil
}
