// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMemory_BelowHundredMegabytes runs the program as it is shipped, and asks the kernel for the most memory that it had.
func TestMemory_BelowHundredMegabytes(t *testing.T) {
	const most = 100 << 20
	program := filepath.Join(t.TempDir(), "mastersindia-audit")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	long := strings.Repeat("shown text ", 30)
	for name, fill := range map[string]func(*Log){
		"8,500 writes with shown fields": func(l *Log) {
			data := map[string]any{}
			for _, field := range []string{"username", "scope", "soap_action", "pause_reason", "client_id", "ca_cert", "token_url", "preset"} {
				data[field] = long
				l.Shown = append(l.Shown, field)
			}
			for n := range 8500 {
				data["username"] = fmt.Sprint(n, long)
				l.Do(Request{By: People()[n%5], Operation: "update", Mount: mountPath, Path: fmt.Sprint("config/", n%3000), Data: data})
			}
		},
		"40 MB, half of it the mount's, 5,000 callers": func(l *Log) { l.Long(40<<20, 2, 5000) },
	} {
		in, out := io.Pipe()
		command := exec.CommandContext(t.Context(), program, "-format=json", "-")
		command.Stdin, command.Stderr = in, os.Stderr
		l := New(out, 1)
		l.Shown = tuned()
		go func() {
			fill(l)
			_ = out.CloseWithError(l.Close())
		}()
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
		usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok || usage.Maxrss == 0 || usage.Maxrss<<10 > most {
			t.Errorf("%s: %d MB of log took %d MB of memory", name, l.Bytes>>20, usage.Maxrss>>10)
		}
		t.Logf("%s: %d MB of log, %d MB of memory", name, l.Bytes>>20, usage.Maxrss>>10)
	}
}
