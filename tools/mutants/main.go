// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Program mutants checks the model checker of backend/account: it drops or inverts one rule of the state machine at a time, and
// reports which rule of the model was broken by that. It fails where a mutation goes unnoticed. Nothing in the working tree is
// changed.
//
//	go run ./tools/mutants [part of a name]
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const folder = "backend/account"

// mutant is one change of the state machine.
type mutant struct{ name, file, from, to string }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := ""
	if len(os.Args) > 1 {
		only = os.Args[1]
	}
	chosen := slices.DeleteFunc(mutants(), func(m mutant) bool { return !strings.Contains(m.name, only) })
	if len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "no mutation has %q in its name: see tools/mutants/list.go\n", only)
		os.Exit(1)
	}
	if broken, err := (mutant{}).try(ctx); err != nil || broken != "" {
		fmt.Fprintf(os.Stderr, "without a mutation: %s%v\n", broken, err)
		os.Exit(1)
	}
	missed := 0
	for _, m := range chosen {
		caught, err := m.try(ctx)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "%s: %v\n", m.name, err)
			os.Exit(1)
		case caught == "":
			missed++
			caught = "NOT CAUGHT"
		}
		fmt.Printf("%-60s %s\n", m.name, caught)
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "%d mutations went unnoticed\n", missed)
		os.Exit(1)
	}
}

// try runs the model checker with the change, first a quick run and then the full one. It returns the rule that was broken; ""
// for none.
func (m mutant) try(ctx context.Context) (caught string, err error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	runs := []struct{ short, depth string }{{"-short", ""}, {"-short=false", ""}, {"-short=false", "full"}}
	if m.file == "" {
		runs = runs[2:]
	}
	for _, run := range runs {
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "0", "-failfast", "-vet=off",
			run.short, "-overlay", overlay,
			"-run", "^TestModel$", "./"+folder)
		cmd.Env = append(os.Environ(), "MODEL="+run.depth)
		out, err := cmd.CombinedOutput()
		broken := regexp.MustCompile(`broken: ([^\n]*)\n\s*after (\d+) steps`).FindAllStringSubmatch(string(out), -1)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case len(broken) > 0:
			return shortest(broken), nil
		case err != nil:
			return "", fmt.Errorf("the model checker did not run: %w\n%s", err, out)
		}
	}
	return "", nil
}

// shortest is the finding with the fewest steps.
func shortest(broken [][]string) string {
	best := broken[0]
	for _, b := range broken[1:] {
		if len(b[2]) < len(best[2]) || len(b[2]) == len(best[2]) && b[2] < best[2] {
			best = b
		}
	}
	return fmt.Sprintf("%s (%s steps)", best[1], best[2])
}

// overlay writes the changed file, and the list with which the Go command takes it in place of the true one.
func (m mutant) overlay(dir string) (string, error) {
	if m.file == "" { // nothing is changed
		name := filepath.Join(dir, "overlay.json")
		return name, os.WriteFile(name, []byte("{}"), 0o600)
	}
	path, err := filepath.Abs(filepath.Join(folder, m.file))
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.from); n != 1 {
		return "", fmt.Errorf("%q is in %s/%s %d times, want once: adjust tools/mutants/list.go", m.from, folder, m.file, n)
	}
	changed := filepath.Join(dir, m.file)
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.from, m.to, 1)), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}
