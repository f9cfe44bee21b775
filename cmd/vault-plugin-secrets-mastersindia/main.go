// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command vault-plugin-secrets-mastersindia is the plugin that Vault runs. It is not started by hand.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	mastersindia "vault-plugin-secrets-mastersindia"
)

// Set by the linker: see the Makefile. The version must be vX.Y.Z, as Vault compares it with the registered one.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

const usage = `Usage: vault-plugin-secrets-mastersindia [options]

  The Masters India secrets engine for HashiCorp Vault. Vault starts this
  program by itself, once it is registered in the plugin catalog:

      $ sha256sum vault-plugin-secrets-mastersindia
      $ vault plugin register -sha256=<sum> -version=%[1]s \
            -command=vault-plugin-secrets-mastersindia secret mastersindia
      $ vault secrets enable mastersindia

Options:

  -version    Print the version and exit.
  -help       Print this text and exit.

  Those that Vault gives to its plugins (-ca-cert, -client-cert and so on) are
  taken as well.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout))
}

func run(args []string, out io.Writer) int {
	for _, arg := range args {
		switch arg {
		case "-version", "--version":
			return printed(fmt.Fprintf(out, "vault-plugin-secrets-mastersindia %s (%s)\n", version, commit))
		case "-help", "--help", "-h":
			return printed(fmt.Fprintf(out, usage, version))
		}
	}
	// net/http writes what a server sends after the end of its answer to the standard logger, which may be part of a token. No
	// option of a transport's stops it, and nothing of ours logs there.
	log.SetOutput(io.Discard)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true})
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		logger.Error("wrong arguments: check -args in the plugin catalog", "error", err)
		return 1
	}
	err := plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: mastersindia.Factory(mastersindia.Options{Version: version, Commit: commit}),
		// Vault before 1.12 has no mutual TLS of go-plugin's own.
		TLSProviderFunc: api.VaultPluginTLSProvider(meta.GetTLSConfig()),
		Logger:          logger,
	})
	if err != nil {
		logger.Error("the plugin ended", "error", err)
		return 1
	}
	return 0
}

// printed is the exit code of a program that was to print something.
func printed(_ int, err error) int {
	if err != nil {
		return 1
	}
	return 0
}
