// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestClients_ReadmeCommandsRun runs the commands of the README and the snippet for hvac as they stand there, but for the hosts.
func TestClients_ReadmeCommandsRun(t *testing.T) {
	t.Parallel()
	text := readFile(t, "../examples/clients/README.md")
	w := newTestVault(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read", "update"] }`)
	c := w.exampleClient(t, "billing", nil)
	built := exampleCommands(t)
	dir := t.TempDir()
	invoiceFile, snippet := filepath.Join(dir, "invoice.json"), filepath.Join(dir, "snippet.py")
	_, python, _ := strings.Cut(string(text), "```python\n")
	python, _, _ = strings.Cut(python, "```")
	python = fmt.Sprintf("import json\nurl, invoice = %q, json.loads(%q)\n%sprint(reply.text)\n", c.api.url+"/api/v1/einvoice/", invoice, python)
	netrc, tokenFile := filepath.Join(dir, "netrc"), filepath.Join(dir, "vault-token")
	for name, content := range map[string]string{
		invoiceFile: invoice, snippet: python, netrc: "default login me password invented\n", tokenFile: c.token + "\n",
	} {
		check.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	}
	var commands []string
	if hasHVAC(t) {
		commands = append(commands, fmt.Sprintf("NETRC=%s VAULT_TOKEN= VAULT_TOKEN_FILE=%s /usr/bin/python3 %s", netrc, tokenFile, snippet))
	}
	inReadme := commandsIn(t, string(text))
	for client := range built {
		n := slices.IndexFunc(inReadme, func(c shown) bool { return clientOf(c.command) == client })
		check.Require(t, n >= 0, "the README has no command for the client %s", client)
		commands = append(commands, inReadme[n].command)
	}
	for _, command := range commands {
		exe := ""
		if built["csharp"] != nil {
			exe = built["csharp"][1]
		}
		command = strings.NewReplacer("https://api.example.com/api/v1/einvoice/", c.api.url+"/accepted", "@invoice.json", "@"+invoiceFile,
			"MastersIndiaClient.exe", exe).Replace(command)
		run := exec.CommandContext(t.Context(), "sh", "-c", command)
		run.Dir, run.Env = "..", append(os.Environ(), "VAULT_ADDR="+c.Addr, "VAULT_TOKEN="+c.token)
		out, err := run.CombinedOutput()
		check.True(t, err == nil && strings.Contains(string(out), `"status":"Success"`), "%s: %v\n%s", command, err, out)
	}
}

// hasHVAC reports whether Vault's client for Python is here, which the README's snippet imports.
func hasHVAC(t *testing.T) bool {
	t.Helper()
	err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import hvac").Run()
	check.Require(t, err == nil || os.Getenv("CI") != "true", "hvac cannot be imported: %v; scripts/get-runtimes installs it", err)
	return err == nil
}

// clientOf is the client that a command runs, or "" where it runs none.
func clientOf(command string) string {
	for name, start := range map[string]string{
		"shell": "examples/clients/shell/", "python": "examples/clients/python/", "php": "php ", "node": "examples/clients/node/",
		"go": "go run ", "java": "java ", "csharp": "mono ",
	} {
		if strings.HasPrefix(command, start) {
			return name
		}
	}
	return ""
}
