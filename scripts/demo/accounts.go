// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import "vault-plugin-secrets-mastersindia/simulator"

// account is an upstream account, the config that stores it and the role that reads it.
type account struct {
	simulator.Account

	config string
	role   string
	api    string
	// how names the way to log in: the protocol, with the request format where that is not the usual one.
	how string
	// settings are the parameters of the config that are no credentials.
	settings []string
}

// demoAccounts returns an account for each way to log in of each protocol.
// The first logs in over TLS, as one does; the others show allow_http.
func demoAccounts(plain, secure string, accounts []simulator.Account) []account {
	base, trust := secure, "ca_cert=@"+caFile
	var list []account
	for _, a := range accounts {
		for _, login := range simulator.Logins(a.Protocol) {
			list = append(list, demoAccount(a, login, base, trust))
			base, trust = plain, "allow_http=true"
		}
	}
	return list
}

func demoAccount(a simulator.Account, login simulator.Login, base, trust string) account {
	settings := []string{"token_url=" + base + login.Path, trust}
	how := "no preset"
	if login.Preset != "" {
		settings = append([]string{"preset=" + login.Preset}, settings...)
		how = login.Preset
	}
	if login.RefreshPath != "" {
		settings = append(settings, "refresh_url="+base+login.RefreshPath)
	}
	return account{
		Account: a, config: login.Config, role: login.Role, api: simulator.BusinessCall(a.Protocol),
		how: string(a.Protocol) + ", " + how, settings: append(settings, login.SettingsFor(a)...),
	}
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
