// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

type play struct {
	*environment

	out     *screen
	summary [][]string
}

func (p *play) demo(ctx context.Context) error {
	p.out.printf("%s\n", p.out.style(bold, "vault-plugin-secrets-mastersindia: tokens of Masters India and FirstVision, from Vault"))
	p.out.step("A Vault server and a simulator of the vendors' endpoints")
	p.out.good("Vault      %s  (dev mode: all in memory)", p.vault.Addr)
	p.out.good("simulator  %s  %s  (it plays all the vendors' hosts)", p.plain.URL, p.secure.URL)
	for _, scene := range []func(context.Context) error{
		p.install, p.storeAccounts, p.readTokens, p.renderTemplate, p.findTheToken, p.refuseWrongPassword, p.readHealth, p.sumUp,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) install(ctx context.Context) error {
	p.out.step("The plugin goes into Vault's catalog and is enabled")
	args, err := p.vault.RegisterArgs()
	if err != nil {
		return err
	}
	if _, err := p.vaultCommand(ctx, "", "", args...); err != nil {
		return err
	}
	_, err = p.vaultCommand(ctx, "", "", "secrets", "enable", harness.PluginName)
	return err
}

// storeAccounts writes a config and a role for each way to log in.
func (p *play) storeAccounts(ctx context.Context) error {
	p.out.step("The operator stores an account for each way to log in, and a role that applications read")
	p.out.note("Each write logs in once to check the credentials, and keeps the token that this gives.")
	for _, a := range p.accounts {
		stdin, args := a.writeArgs()
		variable := "PASSWORD"
		if a.Password == "" {
			variable = "CLIENT_SECRET"
		}
		if _, err := p.vaultCommand(ctx, variable, stdin, args...); err != nil {
			return err
		}
		if _, err := p.vaultCommand(ctx, "", "", "write", "mastersindia/role/"+a.role, "config="+a.config); err != nil {
			return err
		}
	}
	return nil
}

// readTokens reads a token of each account and uses it.
func (p *play) readTokens(ctx context.Context) error {
	p.out.step("Applications read tokens and use them")
	p.summary = [][]string{{"protocol, and how", "config", "token_id", "lease", "token's life", "accepted by"}}
	for n, a := range p.accounts {
		args := []string{"read", "mastersindia/token/" + a.role}
		p.out.command("", args)
		response, err := p.vault.CLI.Must(ctx, "", args...)
		if err != nil {
			return err
		}
		if n == 0 { // the others look the same
			p.out.response(hideToken(response))
		}
		if err := p.checkToken(ctx, a, parseTable(response)); err != nil {
			return err
		}
	}
	p.out.printf("\n")
	logins := p.simulator.Counters().Logins
	if logins != len(p.accounts) {
		return fmt.Errorf("the vendors saw %d logins for %d accounts", logins, len(p.accounts))
	}
	p.out.good("the vendors saw %d logins so far, one for each config: readers share the token", logins)
	return nil
}

// checkToken checks that the lease ends before the token does, and that the vendor's API accepts the token.
func (p *play) checkToken(ctx context.Context, a account, response map[string]string) error {
	lease, err := time.ParseDuration(response["lease_duration"])
	if err != nil {
		return fmt.Errorf("the response of token/%s has no lease_duration: %w", a.role, err)
	}
	seconds, err := strconv.Atoi(response["expires_in"])
	if err != nil {
		return fmt.Errorf("the response of token/%s has no expires_in: %w", a.role, err)
	}
	life := time.Duration(seconds) * time.Second
	if lease <= 0 || lease > life {
		return fmt.Errorf("the lease of token/%s lives %s, and the token %s", a.role, lease, life)
	}
	p.out.good("the lease (%s) ends before the token does (%s)", lease, life)
	if err := p.use(ctx, a, response["access_token"], response["client_id"]); err != nil {
		return err
	}
	p.out.good("%s accepted the token", a.api)
	p.summary = append(p.summary, []string{
		a.how, a.config, response["token_id"], lease.String(), life.String(), "✓ " + a.api,
	})
	return nil
}

// renderTemplate has a real Vault Agent write a file for an application that knows nothing of Vault.
func (p *play) renderTemplate(ctx context.Context) error {
	p.out.step("Vault Agent writes a token into a file, for an application that knows nothing of Vault")
	const template = "{{ with secret \"mastersindia/token/billing\" -}}\nAuthorization: {{ .Data.authorization }}\n{{ end }}"
	agent, err := p.vault.StartAgent(filepath.Join(p.dir, "agent"), p.vault.Token, template)
	if err != nil {
		return err
	}
	rendered, err := agent.WaitRendered(ctx, 30*time.Second, func(text string) error {
		if !strings.Contains(text, "Authorization: JWT ") {
			return errors.New("the file has no token yet")
		}
		return nil
	})
	if err := errors.Join(err, agent.Stop()); err != nil {
		return err
	}
	p.out.note("the template:")
	p.out.response(template)
	p.out.note("the file:")
	head, token, _ := strings.Cut(strings.TrimSpace(rendered), " JWT ")
	p.out.response(head + " JWT " + shorten(token))
	if err := p.use(ctx, p.accounts[0], token, ""); err != nil {
		return err
	}
	p.out.good("the token in the file was accepted, and no login was needed for it")
	return nil
}

// findTheToken shows what the engine knows of a token that was found.
func (p *play) findTheToken(ctx context.Context) error {
	p.out.step("A token turned up in a log: whose is it, and what to do?")
	token, err := p.vault.CLI.Must(ctx, "", "read", "-field=access_token", "mastersindia/token/billing")
	if err != nil {
		return err
	}
	response, err := p.vaultCommand(ctx, "TOKEN", token, "write", "mastersindia/lookup", "token=-")
	if err != nil {
		return err
	}
	if config := parseTable(response)["config"]; config != "gst" {
		return fmt.Errorf("the token is said to come from config %q", config)
	}
	p.out.good("the engine knew it by its token_id, the beginning of its SHA-256")
	return nil
}

// readHealth shows the command for three in the morning.
func (p *play) readHealth(ctx context.Context) error {
	p.out.step("How are the accounts, and what is to be done?")
	response, err := p.vaultCommand(ctx, "", "", "read", "mastersindia/status/gst")
	if err != nil {
		return err
	}
	if state := parseTable(response)["state"]; state != "ready" {
		return fmt.Errorf("the account is %q", state)
	}
	p.out.note("Of all accounts at once: vault list -detailed mastersindia/status")
	return nil
}

// refuseWrongPassword shows that credentials which do not work are not stored.
func (p *play) refuseWrongPassword(ctx context.Context) error {
	p.out.step("A wrong password is refused, and nothing is stored")
	wrong := p.accounts[0]
	wrong.config, wrong.Password = "typo", "not-the-password"
	stdin, args := wrong.writeArgs()
	for _, refused := range []struct {
		variable, stdin string
		args            []string
	}{
		{"WRONG_PASSWORD", stdin, args},
		{"", "", []string{"read", "mastersindia/config/typo"}},
	} {
		p.out.command(refused.variable, refused.args)
		result, err := p.vault.CLI.Run(ctx, refused.stdin, refused.args...)
		if err != nil {
			return err
		}
		p.out.response(result.Stderr)
		if result.Code == 0 {
			return fmt.Errorf("vault %s should have failed", strings.Join(refused.args, " "))
		}
	}
	p.out.good("the login failed, so there is no config %q", wrong.config)
	return nil
}

// sumUp shows all tokens side by side.
func (p *play) sumUp(context.Context) error {
	p.out.step("In short")
	p.out.table(p.summary)
	p.out.printf("\n")
	if line := onPath(p.vault.VaultBinary()); line != "" {
		p.out.note("The vault command is not on your PATH yet: " + line)
	}
	p.out.note("Try it yourself: make dev")
	return nil
}

// vaultCommand shows a vault command that must succeed, runs it, and shows and returns its response.
func (p *play) vaultCommand(ctx context.Context, variable, stdin string, args ...string) (string, error) {
	p.out.command(variable, args)
	result, err := p.vault.CLI.Run(ctx, stdin, args...)
	if err := errors.Join(err, result.Err()); err != nil {
		return "", err
	}
	p.out.response(result.Stderr) // warnings
	p.out.response(hideToken(result.Stdout))
	return result.Stdout, nil
}
