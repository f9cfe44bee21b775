// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/command"
	"vault-plugin-secrets-mastersindia/simulator"
)

// help is written like that of Vault's own tools.
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

  Serves the login endpoints of Masters India and of Fiserv FirstVision as they are documented, quirks included, for tests
  and for people who have no account yet. Everything is simulated: nothing leaves this machine, and no token works elsewhere.

  Serve a demo account of each protocol, and print the commands that use them:

      $ mastersindia-simulator

  Serve over TLS as well, with a certificate authority made for this run:

      $ mastersindia-simulator -tls-listen=127.0.0.1:8271 -tls-ca-out=simulator-ca.pem

  Serve your own invented accounts on any free port, and tell a script where:

      $ cat accounts.json
      [{"protocol": "jwt", "username": "erp", "password": "secret", "token_ttl": "10m", "single_session": true}]
      $ mastersindia-simulator -accounts=accounts.json -listen=127.0.0.1:0 -ready-file=ready.json

  While it runs, order a fault (GET /_simulator/ lists all orders):

      $ curl -d '{"protocol": "jwt", "kind": "throttled", "retry_after": "30s"}' http://127.0.0.1:8270/_simulator/fault

Options:

  -accounts=<file>
      JSON list of the accounts to serve. An account has protocol (one of PROTOCOLS), username, password,
      client_id, client_secret, scope, and, all optional, assertion_audience, token_ttl, refresh_ttl, single_session,
      absolute_expiry, expires_in_as_string, omit_expiry, repeat_tokens, same_token (repeated or renewed), business_envelope,
      latin1, corrupt_header. The default is one demo account a protocol.

  -help
      Print this help.

  -http2
      Offer HTTP/2 over TLS. Its connections cannot be dropped, so that the fault down answers 503 on them.

  -listen=<address>
      Loopback address to serve plain HTTP on; port 0 picks a free one, an empty address means no plain HTTP. The default
      is 127.0.0.1:8270.

  -ready-file=<file>
      Write {"http": "http://...", "https": "https://..."} to this file once it serves. It is removed at the end.

  -tls-ca-out=<file>
      Write the certificate of the authority made for this run to this file, as ca_cert wants it. Needs -tls-listen.

  -tls-listen=<address>
      Loopback address to serve HTTPS on; port 0 picks a free one. The default is none.

  -version
      Print the version.

Exit codes: 0 ended by a signal, 1 could not start or go on, 2 wrong options.
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
		return options{}, fmt.Errorf("unexpected argument %q: everything is an option", flags.Arg(0))
	}
	return *o, o.check()
}

func (o options) check() error {
	switch {
	case o.listen == "" && o.tlsListen == "":
		return errors.New("nothing to listen on: set -listen or -tls-listen")
	case o.tlsCAOut != "" && o.tlsListen == "":
		return errors.New("-tls-ca-out needs -tls-listen")
	case o.http2 && o.tlsListen == "":
		return errors.New("-http2 needs -tls-listen")
	}
	if err := checkLoopback("-listen", o.listen); err != nil {
		return err
	}
	return checkLoopback("-tls-listen", o.tlsListen)
}

// checkLoopback refuses addresses that others could reach. There is no way around it: whoever can reach the simulator can
// control it, and could be led to take its tokens for real ones.
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
