// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// account is an upstream account, the config that stores it and the role that reads it.
type account struct {
	simulator.Account

	config string
	role   string
	api    string
	// settings are the parameters of the config that are no credentials.
	settings []string
}

// demoAccounts returns one account for each protocol.
func demoAccounts(sim *harness.Simulator, accounts []simulator.Account) ([]account, error) {
	list := make([]account, 0, len(accounts))
	for _, a := range accounts {
		known, err := demoAccount(sim, a)
		if err != nil {
			return nil, err
		}
		list = append(list, known)
	}
	return list, nil
}

// demoAccount names the config and the role of an account. The jwt one logs in over TLS, as one does; the others show allow_http.
func demoAccount(sim *harness.Simulator, a simulator.Account) (account, error) {
	switch a.Protocol {
	case simulator.JWT:
		return account{Account: a, config: "gst", role: "billing", api: "POST /api/v1/einvoice/", settings: []string{
			"preset=einvoice-sandbox", "token_url=" + sim.HTTPS + "/api/v1/token-auth/", "ca_cert=@ca.pem",
		}}, nil
	case simulator.OAuth:
		return account{Account: a, config: "verify", role: "kyc", api: "GET /commonapis/searchgstin", settings: []string{
			"preset=oauth-verification", "token_url=" + sim.HTTP + "/oauth/access_token", "allow_http=true",
		}}, nil
	case simulator.SOAP:
		return account{Account: a, config: "soap", role: "legacy", api: "eInvoiceGenerate", settings: []string{
			"preset=einvoice-soap-staging", "token_url=" + sim.HTTP + "/api.einvoice.php", "allow_http=true",
		}}, nil
	case simulator.FirstVision:
		return account{Account: a, config: "cards", role: "issuing", api: "GET /v1/cards/{id}/details", settings: []string{
			"preset=firstvision-sandbox", "token_url=" + sim.HTTP + "/v1/api/oauth/token", "allow_http=true", "scope=accounts cards",
		}}, nil
	default:
		return account{}, fmt.Errorf("the simulator has an account of the protocol %q, which this demo does not know", a.Protocol)
	}
}

// ksaAccount is the jwt account once more, behind the one endpoint whose tokens can be killed. The drills of docs/incidents.md
// want it.
func ksaAccount(sim *harness.Simulator, accounts []account) (account, error) {
	for _, a := range accounts {
		if a.Protocol == simulator.JWT {
			a.config, a.role = "ksa", "zatca"
			a.settings = []string{
				"preset=ksa-qa", "token_url=" + sim.HTTPS + "/api/v2/token-auth/", "refresh_url=" + sim.HTTPS + "/api/v2/api-token-refresh/",
				"ca_cert=@ca.pem",
			}
			return a, nil
		}
	}
	return account{}, errors.New("the simulator has no jwt account")
}

// secretFile is the file that holds the client secret for the vault command.
func (a account) secretFile() string { return a.config + ".client-secret" }

// writeArgs returns the vault command that stores the account, and its standard input: of two secrets one comes from there
// and the other from a file, so that neither stands on a command line.
func (a account) writeArgs() (stdin string, args []string) {
	args = append([]string{"write", "mastersindia/config/" + a.config}, a.settings...)
	if a.ClientID != "" {
		args = append(args, "client_id="+a.ClientID)
	}
	if a.Password == "" {
		return a.ClientSecret, append(args, "client_secret=-")
	}
	if a.ClientSecret != "" {
		args = append(args, "client_secret=@"+a.secretFile())
	}
	return a.Password, append(args, "username="+a.Username, "password=-")
}
