// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/command"
	"vault-plugin-secrets-mastersindia/simulator"
)

// help has the format of the help of Vault's own tools.
func help() string { return strings.Replace(helpText, "PROTOCOLS", protocolNames(), 1) }

// protocolNames are all protocols, for a sentence.
func protocolNames() string {
	var names []string
	for _, p := range simulator.Protocols() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

const helpText = `Usage: mastersindia-simulator [options]

  Serves the login endpoints of Masters India and Fiserv FirstVision as documented, including their quirks, for tests and
  for trying the engine without an account. Everything is simulated: no request leaves this machine, and no token works
  elsewhere.

  Serve a demo account for each protocol, and print the commands to use them:

      $ mastersindia-simulator

  Serve TLS as well, with a certificate authority generated for this run:

      $ mastersindia-simulator -tls-listen=127.0.0.1:8271 -tls-ca-out=simulator-ca.pem

  Serve your own invented accounts on a free port, and write the address to a file for scripts:

      $ cat accounts.json
      [{"protocol": "jwt", "username": "erp", "password": "secret", "token_ttl": "10m", "single_session": true}]
      $ mastersindia-simulator -accounts=accounts.json -listen=127.0.0.1:0 -ready-file=ready.json

  Inject a fault while it runs (GET /_simulator/ lists all control requests):

      $ curl -d '{"protocol": "jwt", "kind": "throttled", "retry_after": "30s"}' http://127.0.0.1:8270/_simulator/fault

Options:

  -accounts=<file>
      JSON list of the accounts to serve. An account has protocol (one of PROTOCOLS), username, password,
      client_id, client_secret, scope, and, all optional, assertion_audience, token_ttl, refresh_ttl, single_session,
      absolute_expiry, expires_in_as_string, omit_expiry, repeat_tokens, same_token (repeated or renewed), business_envelope,
      latin1, corrupt_header. The default is one demo account for each protocol.

  -help
      Print this help.

  -http2
      Offer HTTP/2 over TLS. HTTP/2 connections cannot be dropped: with the fault "down" they get a 503 instead.

  -listen=<address>
      Loopback address to serve plain HTTP on. Port 0 picks a free port, and an empty address disables plain HTTP. The
      default is 127.0.0.1:8270.

  -ready-file=<file>
      Write {"http": "http://...", "https": "https://..."} to this file once the simulator serves. The file is removed when
      it stops.

  -tls-ca-out=<file>
      Write the CA certificate generated for this run to this file, for the field ca_cert of a config. Requires -tls-listen.

  -tls-listen=<address>
      Loopback address to serve HTTPS on. Port 0 picks a free port. By default HTTPS is disabled.

  -version
      Print the version.

Exit codes: 0 stopped by a signal, 1 failed, 2 invalid options.
`

type options struct {
	listen    string
	tlsListen string
	tlsCAOut  string
	accounts  string
	readyFile string
	http2     bool
}

// newFlags binds the flags to options with their defaults. The help is written by hand: see help.
func newFlags() (*options, *command.Flags) {
	o := new(options)
	flags := command.NewFlags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8270", "")
	flags.StringVar(&o.tlsListen, "tls-listen", "", "")
	flags.StringVar(&o.tlsCAOut, "tls-ca-out", "", "")
	flags.StringVar(&o.accounts, "accounts", "", "")
	flags.StringVar(&o.readyFile, "ready-file", "", "")
	flags.BoolVar(&o.http2, "http2", false, "")
	return o, flags
}

func parseOptions(args []string) (options, error) {
	o, flags := newFlags()
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: only options are accepted", flags.Arg(0))
	}
	return *o, o.check()
}

func (o options) check() error {
	switch {
	case o.listen == "" && o.tlsListen == "":
		return errors.New("nothing to listen on: set -listen or -tls-listen")
	case o.tlsCAOut != "" && o.tlsListen == "":
		return errors.New("-tls-ca-out needs -tls-listen")
	case o.tlsCAOut != "" && filepath.Clean(o.tlsCAOut) == filepath.Clean(o.readyFile):
		return errors.New("-tls-ca-out and -ready-file name the same file")
	case o.http2 && o.tlsListen == "":
		return errors.New("-http2 needs -tls-listen")
	}
	if err := checkLoopback("-listen", o.listen); err != nil {
		return err
	}
	return checkLoopback("-tls-listen", o.tlsListen)
}

// checkLoopback refuses addresses that other machines could reach. This cannot be disabled: a client that reaches the simulator
// can control it, and might take its tokens for real ones.
func checkLoopback(flagName, address string) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %q is not an address such as 127.0.0.1:8270", flagName, address)
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s: %q can be reached from other machines; the simulator serves loopback addresses only, "+
			"such as 127.0.0.1:8270 or [::1]:8270", flagName, address)
	}
	return nil
}
