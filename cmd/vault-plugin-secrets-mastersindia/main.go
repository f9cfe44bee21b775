// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command vault-plugin-secrets-mastersindia is the plugin that Vault runs. It is not started by hand.
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

Exit codes: 0 ended by Vault, 1 could not serve, 2 wrong options.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. Errors before the plugin serves are written for people where people have started it, and else as
// Vault takes them into its log.
func run(args []string, stdout, stderr io.Writer) int {
	for _, arg := range args {
		switch arg {
		case "-version", "--version":
			return printed(fmt.Fprintf(stdout, "vault-plugin-secrets-mastersindia %s (%s)\n", version, commit))
		case "-help", "--help", "-h", "--h":
			return printed(fmt.Fprintf(stdout, usage, version))
		}
	}
	// net/http writes what a server sends after the end of its answer to the standard logger, which may be part of a token. No
	// option of a transport's stops it, and nothing of ours logs there.
	log.SetOutput(io.Discard)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: stderr, JSONFormat: true})
	meta := &api.PluginAPIClientMeta{}
	if err := parse(meta.FlagSet(), args); err != nil {
		if startedByVault() {
			logger.Error("wrong arguments: check -args in the plugin catalog", "error", err)
		} else {
			command.Misused("vault-plugin-secrets-mastersindia", err, stderr)
		}
		return command.ExitUsage
	}
	if !startedByVault() {
		fmt.Fprint(stderr, "Error: this is a plugin, which Vault starts by itself: it is registered, and not run by hand.\n\n")
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
		return fmt.Errorf("unexpected argument %q: everything is an option", flags.Arg(0))
	}
	return nil
}

// startedByVault tells Vault from a person by the variable that Vault sets for its plugins.
func startedByVault() bool {
	return os.Getenv(plugin.HandshakeConfig.MagicCookieKey) != ""
}

// printed is the exit code of a program that was to print something.
func printed(_ int, err error) int {
	if err != nil {
		return command.ExitFailed
	}
	return command.ExitOK
}
