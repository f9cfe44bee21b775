// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"fmt"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/shell"
	"vault-plugin-secrets-mastersindia/simulator"
)

// banner says what this is, what it serves, and what to type.
func banner(o options, where addresses, accounts []simulator.Account, demo bool) string {
	var b strings.Builder
	b.WriteString(simulator.Index())
	b.WriteString("\nServing\n")
	for _, url := range []string{where.HTTP, where.HTTPS} {
		if url != "" {
			b.WriteString("  " + url + "\n")
		}
	}
	if o.tlsCAOut != "" {
		b.WriteString("  trusted with ca_cert=@" + shell.Quote(o.tlsCAOut) + " (curl --cacert)\n")
	}
	b.WriteString("\nAccounts, and the commands to use them (with the plugin mounted at mastersindia/)\n")
	for i, a := range accounts {
		name := fmt.Sprintf("account-%d", i+1)
		if demo {
			name = "demo-" + string(a.Protocol)
		}
		fmt.Fprintf(&b, "\n  %s, %s\n", a.Protocol, a.Name())
		for _, command := range commands(name, o, where, a, demo) {
			b.WriteString("    " + command + "\n")
		}
	}
	b.WriteString("\nOne line per request follows on standard error. Stop with Ctrl-C.\n")
	return b.String()
}

// commands are the vault commands for one account, one for each way in which it can log in. Secrets are shown only where we
// invented them ourselves.
func commands(name string, o options, where addresses, a simulator.Account, demo bool) []string {
	base, trust := where.HTTP, "allow_http=true"
	if base == "" {
		base, trust = where.HTTPS, "ca_cert=@"+shell.Quote(cmp.Or(o.tlsCAOut, "FILE")) // without -tls-ca-out there is nothing to name
	}
	stdin, credentials := credentialArgs(a, demo)
	var list []string
	for n, login := range simulator.Logins(a.Protocol) {
		config := name
		if n > 0 {
			config = name + "-" + login.Config
		}
		where, rest := trust+" token_url="+base+login.Path, credentials
		if login.Preset != "" {
			where = "preset=" + login.Preset + " " + where
		}
		if login.RefreshPath != "" {
			rest = "refresh_url=" + base + login.RefreshPath + " " + rest
		}
		for _, setting := range login.SettingsFor(a) {
			key, value, _ := strings.Cut(setting, "=")
			rest += " " + key + "=" + shell.Quote(value)
		}
		list = append(list, fmt.Sprintf("printf %%s %s | vault write mastersindia/config/%s \\\n      %s \\\n      %s",
			stdin, config, where, rest))
	}
	return list
}

// credentialArgs are the credentials as one types them in bash, and what goes to standard input. No secret stands on the command
// line of vault: of two the other comes from a file.
func credentialArgs(a simulator.Account, demo bool) (stdin, args string) {
	secret := func(variable, value string) string {
		if demo {
			return shell.Quote(value)
		}
		return `"$` + variable + `"`
	}
	var words []string
	if a.ClientID != "" {
		words = append(words, "client_id="+shell.Quote(a.ClientID))
	}
	switch {
	case a.Password == "":
		stdin = secret("CLIENT_SECRET", a.ClientSecret)
		words = append(words, "client_secret=-")
	case a.ClientSecret != "":
		words = append(words, "client_secret=@<(printf %s "+secret("CLIENT_SECRET", a.ClientSecret)+")")
	}
	if a.Password != "" {
		stdin = secret("PASSWORD", a.Password)
		words = append(words, "username="+shell.Quote(a.Username), "password=-")
	}
	return stdin, strings.Join(words, " ")
}
