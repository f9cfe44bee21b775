// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

// ErrNoProc says that this system has no /proc, without which one process cannot look at others.
var ErrNoProc = errors.New("no /proc to look at processes with: this needs Linux")

// Leaks knows every secret of a test run and finds them where they do not belong.
type Leaks struct {
	mu      sync.Mutex
	needles map[string]needle
}

// NewLeaks returns a search that knows no secret yet.
func NewLeaks() *Leaks { return &Leaks{needles: map[string]needle{}} }

// Add makes a secret known. The label names it in findings, which never show it.
func (l *Leaks) Add(label, secret string) error {
	n, err := newNeedle(label, secret)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needles[secret] = n
	return nil
}

// Count returns how many secrets are known.
func (l *Leaks) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.needles)
}

// SearchText returns a finding for each secret in the text.
func (l *Leaks) SearchText(where string, text []byte) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var findings []string
	for _, n := range l.needles {
		if form := n.find(text); form != "" {
			findings = append(findings, fmt.Sprintf("%s (%s) in %s", n.label, form, where))
		}
	}
	sort.Strings(findings)
	return findings
}

// SearchTree searches the contents and names of all files below root. Paths for which skip returns true are left out.
func (l *Leaks) SearchTree(root string, skip func(path string) bool) ([]string, error) {
	var findings []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // Vault deletes temporary files while we look.
		}
		if err != nil {
			return err
		}
		if skip(path) {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		findings = append(findings, l.SearchText("the name "+path, []byte(path))...)
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // G122: the tree is our own, and no process swaps links in it
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		findings = append(findings, l.SearchText(path, text)...)
		return err
	})
	return findings, err
}

// SearchProcess searches the command lines and environments of a process and of all its descendants, which other
// processes on the machine can read.
func (l *Leaks) SearchProcess(pid int) ([]string, error) {
	parents, err := processParents()
	if err != nil {
		return nil, err
	}
	var findings []string
	for child := range parents {
		if !descends(parents, child, pid) {
			continue
		}
		for _, name := range []string{"cmdline", "environ"} {
			file := fmt.Sprintf("/proc/%d/%s", child, name)
			text, err := os.ReadFile(file)
			if err != nil {
				continue // It has ended meanwhile.
			}
			findings = append(findings, l.SearchText(file, text)...)
		}
	}
	return findings, nil
}

func processParents() (map[int]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // It has ended meanwhile.
		}
		// The second field is the program's name in parentheses, and may hold blanks and parentheses of its own.
		rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
		var pid, parent int
		var state string
		if _, err := fmt.Sscan(string(text), &pid); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		if _, err := fmt.Sscan(rest, &state, &parent); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		parents[pid] = parent
	}
	if len(parents) == 0 {
		return nil, ErrNoProc
	}
	return parents, nil
}

func descends(parents map[int]int, child, ancestor int) bool {
	for ; child > 1; child = parents[child] {
		if child == ancestor {
			return true
		}
	}
	return false
}
