// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"strings"

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
		b.WriteString("  trusted with ca_cert=@" + quote(o.tlsCAOut) + " (curl --cacert)\n")
	}
	b.WriteString("\nAccounts, and what to type (the plugin being mounted at mastersindia/)\n")
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
	b.WriteString("\nOne line a request follows on standard error. End with Ctrl-C.\n")
	return b.String()
}

// commands are the vault commands for one account. Secrets are shown only where we invented them ourselves.
func commands(name string, o options, where addresses, a simulator.Account, demo bool) []string {
	base, trust := where.HTTP, "allow_http=true"
	if base == "" {
		base, trust = where.HTTPS, "ca_cert=@"+quote(caFile(o))
	}
	password, clientSecret := `"$PASSWORD"`, `"$CLIENT_SECRET"`
	if demo {
		password, clientSecret = quote(a.Password), quote(a.ClientSecret)
	}
	user := "username=" + quote(a.Username) + " password=-"
	client := "client_id=" + quote(a.ClientID) + " client_secret=" + clientSecret
	write := func(secret, name, preset, url, rest string) string {
		return fmt.Sprintf("printf %%s %s | vault write mastersindia/config/%s \\\n"+
			"      preset=%s %s token_url=%s \\\n      %s", secret, name, preset, trust, base+url, rest)
	}
	switch a.Protocol {
	case simulator.JWT:
		return []string{
			write(password, name, "einvoice-sandbox", "/api/v1/token-auth/", user),
			write(password, name+"-ksa", "ksa-qa", "/api/v2/token-auth/",
				"refresh_url="+base+"/api/v2/api-token-refresh/ "+user),
		}
	case simulator.OAuth:
		return []string{write(password, name, "oauth-sandbox", "/oauth/access_token", client+" "+user)}
	case simulator.SOAP:
		return []string{write(password, name, "einvoice-soap-staging", "/api.einvoice.php", client+" "+user)}
	default:
		scope, _, _ := strings.Cut(a.Scope, " ")
		if scope == "" {
			scope = "all"
		}
		return []string{write(clientSecret, name, "firstvision-sandbox", "/sandbox/v1/api/oauth/token",
			"client_id="+quote(a.ClientID)+" client_secret=- scope="+quote(scope))}
	}
}

func caFile(o options) string {
	if o.tlsCAOut == "" {
		return "FILE" // -tls-ca-out was not given: there is nothing to name
	}
	return o.tlsCAOut
}

// quote quotes a word for a POSIX shell where it needs it.
func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
