// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/shell"
)

// stay sets everything up without a word, says how to use it, and stays until it is stopped.
func (p *play) stay(ctx context.Context) error {
	if err := p.vault.Install(ctx, "mastersindia"); err != nil {
		return err
	}
	for _, a := range p.accounts {
		stdin, args := a.writeArgs()
		if _, err := p.vault.CLI.Must(ctx, stdin, args...); err != nil {
			return err
		}
		if _, err := p.vault.CLI.Must(ctx, "", "write", "mastersindia/role/"+a.role, "config="+a.config); err != nil {
			return err
		}
	}
	p.out.printf("%s\n\n", p.out.style(bold, "Vault, the engine and the simulator are up. In another terminal:"))
	p.out.printf("  unset VAULT_AGENT_ADDR VAULT_NAMESPACE\n  export VAULT_ADDR=%s VAULT_TOKEN=%s\n", p.vault.Addr, p.vault.Token)
	if line := onPath(p.vault.VaultBinary()); line != "" {
		p.out.printf("  %s\n", line)
	}
	p.out.printf("\n")
	p.out.printf("%s\n\n", p.out.style(bold, "Then try:"))
	p.out.printf("  vault list -detailed mastersindia/config\n")
	for _, a := range p.accounts {
		p.out.printf("  vault read mastersindia/token/%s\n", a.role)
	}
	p.out.printf("  vault read mastersindia/config/%s\n", p.accounts[0].config)
	p.out.printf("  vault path-help mastersindia\n")
	p.out.printf("  go run ./examples/clients/go -d '{\"user_gstin\": \"29ABCDE1234F2Z5\"}' %s %s/api/v1/einvoice/\n\n",
		p.accounts[0].role, p.plain.URL)
	p.out.printf("  password     of %s, should a drill ask for it: %s\n", p.sameUser(p.accounts[0]), p.accounts[0].Password)
	p.out.printf("  simulator    %s  %s  (certificate: %s)\n", p.plain.URL, p.secure.URL, filepath.Join(p.vault.CLI.Dir, caFile))
	p.out.printf("  server log   %s\n  audit log    %s\n\n", p.vault.ServerLog(), p.vault.AuditLog())
	p.out.printf("%s\n", p.out.style(bold, "Ctrl-C stops everything and removes its files."))
	select {
	case <-ctx.Done():
		return nil
	case <-p.vault.Done():
		return p.vault.Err()
	}
}

// onPath is the command that makes a binary the vault command of a shell; empty where there is one already.
func onPath(binary string) string {
	if _, err := exec.LookPath("vault"); err == nil {
		return ""
	}
	if filepath.Base(binary) == "vault" {
		return "export PATH=" + shell.Quote(filepath.Dir(binary)) + `:"$PATH"`
	}
	return "vault() { " + shell.Quote(binary) + ` "$@"; }; export -f vault`
}

// sameUser names the configs that log in as the user of an account.
func (p *play) sameUser(as account) string {
	var names []string
	for _, a := range p.accounts {
		if a.Username == as.Username {
			names = append(names, a.config)
		}
	}
	return strings.Join(names, " and ")
}
