// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
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
		"40 MB, half of it the mount's, 5,000 callers": func(l *Log) { l.Long(40<<20, 2, 5000, 200) },
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
		if got := peak(t, command); got == 0 || got > most {
			t.Errorf("%s: %d MB of log took %d MB of memory", name, l.Bytes>>20, got>>20)
		} else {
			t.Logf("%s: %d MB of log, %d MB of memory", name, l.Bytes>>20, got>>20)
		}
	}
}

// peak runs a command, and returns the most memory that it had, in bytes. What the kernel says after its end counts the test, too.
func peak(t *testing.T, command *exec.Cmd) (bytes int64) {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			return bytes
		case <-again.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", command.Process.Pid))
			if found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); found != nil {
				kilobytes, _ := strconv.ParseInt(string(found[1]), 10, 64)
				bytes = max(bytes, kilobytes<<10)
			}
		}
	}
}

// TestMemory_ManySmallValues: a request that needs no Vault token (sys/wrapping/unwrap, refused) may have 100,000 empty lists in 300 KB, and
// machines have many processors.
func TestMemory_ManySmallValues(t *testing.T) {
	const most = 100 << 20
	program := filepath.Join(t.TempDir(), "mastersindia-audit")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	log := logFile(t, func(l *Log) {
		refused := unwrap(Caller{Remote: "198.51.100.7"}, "w", nil)
		refused.Data["x"] = make([][0]int, 108_000)
		refused.Error, refused.NoResponse = "wrapping token is not valid or does not exist", true
		for range 40 {
			l.Do(refused)
		}
		l.Read(People()[0], "billing", Token(1), "gst")
	})
	command := exec.CommandContext(t.Context(), program, log)
	command.Env = append(os.Environ(), "GOMAXPROCS=16")
	if got := peak(t, command); got == 0 || got > most {
		t.Errorf("40 lines of 300 KB took %d MB of memory", got>>20)
	}
}
