// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Agent is a Vault Agent that renders one template to one file.
type Agent struct {
	*Process

	// Rendered is the file that the agent writes.
	Rendered string
}

// StartAgent starts a Vault Agent in dir, which it makes, with the token of a file, as one would with a token from
// elsewhere. The template is written in the language of consul-template.
func (v *Vault) StartAgent(dir, token, template string) (*Agent, error) {
	join := func(name string) string { return filepath.Join(dir, name) }
	if err := makeDirs(join("tmp")); err != nil {
		return nil, err
	}
	a := &Agent{Rendered: join("rendered")}
	files := map[string]string{
		"token":        token,
		"template.tpl": template,
		"agent.hcl":    v.agentConfig(join("token"), join("template.tpl"), a.Rendered),
	}
	for name, text := range files {
		if err := os.WriteFile(join(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return a, a.start(v, dir)
}

// StartAgentWith starts a Vault Agent in dir, which it makes, with a configuration that renders to the given file.
func (v *Vault) StartAgentWith(dir, config, rendered string) (*Agent, error) {
	if err := makeDirs(filepath.Join(dir, "tmp")); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "agent.hcl"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	a := &Agent{Rendered: rendered}
	return a, a.start(v, dir)
}

func (a *Agent) start(v *Vault, dir string) error {
	var err error
	a.Process, err = startProcess(processSpec{
		name: "vault agent",
		path: v.binaries.Vault,
		args: []string{"agent", "-config=" + filepath.Join(dir, "agent.hcl"), "-log-level=debug"},
		env:  childEnv(dir),
		log:  filepath.Join(dir, "agent.log"),
	})
	return err
}

// agentConfig is the agent's configuration. It fails on a missing key and gives up after the usual retries, so that a
// mistake shows as an agent that has ended and not as a file that never comes.
func (v *Vault) agentConfig(token, template, rendered string) string {
	return strings.Join([]string{
		fmt.Sprintf("vault {\n  address = %q\n}", v.Addr),
		fmt.Sprintf("auto_auth {\n  method \"token_file\" {\n    config = {\n      token_file_path = %q\n    }\n  }\n}", token),
		"template_config {\n  exit_on_retry_failure = true\n}",
		fmt.Sprintf("template {\n  source = %q\n  destination = %q\n  perms = \"0600\"\n  error_on_missing_key = true\n}",
			template, rendered),
		"",
	}, "\n\n")
}

// WaitRendered waits until the rendered text is accepted, and returns it.
func (a *Agent) WaitRendered(ctx context.Context, timeout time.Duration, accept func(text string) error) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var text string
	err := a.WaitFor(ctx, func(context.Context) error {
		data, err := os.ReadFile(a.Rendered)
		if err != nil {
			return err
		}
		text = string(data)
		return accept(text)
	})
	return text, err
}
