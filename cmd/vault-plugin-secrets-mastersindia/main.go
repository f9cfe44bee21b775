// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command vault-plugin-secrets-mastersindia is the plugin. Vault starts it; it is not run directly.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/command"
)

// Set by the linker: see the Makefile. The version must be vX.Y.Z, as Vault compares it with the registered one.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

const usage = `Usage: vault-plugin-secrets-mastersindia [options]

  The Masters India secrets engine for HashiCorp Vault. Vault starts this
  program once it is registered in the plugin catalog:

      $ sha256sum vault-plugin-secrets-mastersindia
      $ vault plugin register -sha256=<sum> -version=%[1]s \
            -command=vault-plugin-secrets-mastersindia secret mastersindia
      $ vault secrets enable mastersindia

Options:

  -version    Print the version and exit.
  -help       Print this text and exit.

  The options that Vault passes to its plugins (-ca-cert, -client-cert and so
  on) are accepted as well.

Exit codes: 0 stopped by Vault, 1 could not serve, 2 invalid options.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. Errors before the plugin serves are plain text if a user started it, and otherwise in the form that
// Vault adds to its log.
func run(args []string, stdout, stderr io.Writer) int {
	for _, arg := range args {
		switch arg {
		case "-version", "--version":
			return printed(fmt.Fprintf(stdout, "vault-plugin-secrets-mastersindia %s (%s)\n", version, commit))
		case "-help", "--help", "-h", "--h":
			return printed(fmt.Fprintf(stdout, usage, version))
		}
	}
	// net/http logs what a server sends after the end of its response to the standard logger, which may be part of a token. A
	// transport has no option to stop it, and this program does not use that logger.
	log.SetOutput(io.Discard)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: stderr, JSONFormat: true})
	meta := &api.PluginAPIClientMeta{}
	if err := parse(meta.FlagSet(), args); err != nil {
		if startedByVault() {
			logger.Error("invalid arguments: check -args in the plugin catalog", "error", err)
		} else {
			command.Misused("vault-plugin-secrets-mastersindia", err, stderr)
		}
		return command.ExitUsage
	}
	if !startedByVault() {
		fmt.Fprint(stderr, "Error: This is a Vault plugin. Register it with Vault; do not run it directly.\n\n")
		fmt.Fprintf(stderr, usage, version)
		return command.ExitUsage
	}
	err := plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: mastersindia.Factory(mastersindia.Options{Version: version, Commit: commit}),
		// Vault before 1.12 has no mutual TLS of go-plugin's own.
		TLSProviderFunc: api.VaultPluginTLSProvider(meta.GetTLSConfig()),
		Logger:          logger,
	})
	if err != nil {
		logger.Error("the plugin ended", "error", err)
		return command.ExitFailed
	}
	return command.ExitOK
}

func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard) // run prints the error
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: only options are accepted", flags.Arg(0))
	}
	return nil
}

// startedByVault reports whether the variable that Vault sets for its plugins is there.
func startedByVault() bool {
	return os.Getenv(plugin.HandshakeConfig.MagicCookieKey) != ""
}

// printed is the exit code after printing.
func printed(_ int, err error) int {
	if err != nil {
		return command.ExitFailed
	}
	return command.ExitOK
}
