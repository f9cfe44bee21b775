// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// commandTimeout bounds one vault command: past the 90 seconds that Vault gives a request something hangs.
const commandTimeout = 2 * time.Minute

// CLI runs the vault command against one server.
type CLI struct {
	// Dir is the working directory of the commands, which file names such as @ca.pem start from.
	Dir string

	path string
	env  []string
	ran  *transcript
}

// Result is a vault command and what became of it.
type Result struct {
	Args   []string
	Stdout string
	Stderr string
	Code   int
}

func newCLI(path, dir, addr, token string) *CLI {
	env := childEnv(dir, "VAULT_ADDR="+addr, "VAULT_TOKEN="+token, "VAULT_CLI_NO_COLOR=1")
	return &CLI{Dir: dir, path: path, env: env, ran: &transcript{}}
}

// As returns a CLI that uses another Vault token and adds to the same transcript.
func (c *CLI) As(token string) *CLI {
	env := make([]string, 0, len(c.env))
	for _, pair := range c.env {
		if !strings.HasPrefix(pair, "VAULT_TOKEN=") {
			env = append(env, pair)
		}
	}
	return &CLI{Dir: c.Dir, path: c.path, env: append(env, "VAULT_TOKEN="+token), ran: c.ran}
}

// Env is the environment of the commands, with additions, for running them through a shell.
func (c *CLI) Env(more ...string) []string { return append(slices.Clone(c.env), more...) }

// Run runs one command with stdin as its standard input. A command that Vault refuses is a Result with its exit code; the
// error says that it could not be run at all.
func (c *CLI) Run(ctx context.Context, stdin string, args ...string) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.Dir, cmd.Env = c.Dir, c.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.SysProcAttr = childAttributes()
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()

	result := Result{Args: args, Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return result, fmt.Errorf("vault %s: %w", strings.Join(args, " "), errors.Join(err, ctx.Err()))
	}
	c.ran.add(result)
	return result, nil
}

// Must runs one command that has to succeed, and returns its standard output.
func (c *CLI) Must(ctx context.Context, stdin string, args ...string) (string, error) {
	result, err := c.Run(ctx, stdin, args...)
	if err != nil {
		return "", err
	}
	return result.Stdout, result.Err()
}

// Ran returns every command that was run, with its output.
func (c *CLI) Ran() []Result {
	c.ran.mu.Lock()
	defer c.ran.mu.Unlock()
	return append([]Result(nil), c.ran.results...)
}

// transcript remembers what was run, so that it can be searched for secrets.
type transcript struct {
	mu      sync.Mutex
	results []Result
}

func (t *transcript) add(r Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results = append(t.results, r)
}

// Err returns an error with the command's own words when it failed.
func (r Result) Err() error {
	if r.Code == 0 {
		return nil
	}
	return fmt.Errorf("vault %s: exit code %d: %s", strings.Join(r.Args, " "), r.Code, strings.TrimSpace(r.Stderr))
}

// Secret is the part of `vault read -format=json` that tests look at.
type Secret struct {
	LeaseID       string         `json:"lease_id"`
	LeaseDuration int            `json:"lease_duration"`
	Renewable     bool           `json:"renewable"`
	Data          map[string]any `json:"data"`
	Warnings      []string       `json:"warnings"`
	WrapInfo      *struct {
		Token string `json:"token"`
	} `json:"wrap_info"`
}

// ParseSecret reads the output of a command that was given -format=json.
func ParseSecret(stdout string) (Secret, error) {
	var secret Secret
	if err := json.Unmarshal([]byte(stdout), &secret); err != nil {
		return Secret{}, fmt.Errorf("reading vault's JSON: %w", err)
	}
	return secret, nil
}

// String returns a field of the data, or "" when it is missing or no string.
func (s Secret) String(field string) string {
	text, _ := s.Data[field].(string)
	return text
}

// Int returns a field of the data as a whole number, or -1 when it is missing or no number.
func (s Secret) Int(field string) int {
	number, ok := s.Data[field].(float64)
	if !ok {
		return -1
	}
	return int(number)
}
