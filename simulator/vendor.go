// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"
)

// vendor is what the file of a protocol declares. Everything else in the simulator, in its program and in the demo follows from
// it.
type vendor struct {
	protocol Protocol
	// demo is the invented account that is served when none is given. Its credentials are the ones that every account needs.
	demo Account
	// tokenTTL is the life of an access token, unless the account says otherwise.
	tokenTTL time.Duration
	// prepare does what would make the first login slow; nil where there is nothing.
	prepare func()
	// logins are the ways to log in, and what the documents of the engine call a config and a role for each.
	logins []Login
	// endpoints are what is served, in words, for people.
	endpoints []endpoint
	// routes are the endpoints by path.
	routes func(*Simulator) map[string]opener
	// business makes the business call that a token is tried on; call is what it is named.
	business func(ctx context.Context, base, token, clientID string) (*http.Request, error)
	call     string
	// accepted reads the response to it, of status 200: some vendors refuse a token with that status.
	accepted func(body []byte) bool
}

// endpoint is a line of the index.
type endpoint struct {
	business bool
	what     string // method and path
	words    string
}

// vendors lists what is simulated, in the order in which the pages are cited. A new protocol is entered here.
func vendors() []vendor {
	return []vendor{jwtVendor(), oauthVendor(), soapVendor(), firstVisionVendor()}
}

// vendorOf returns the zero vendor, which has no protocol, for one that is not simulated.
func vendorOf(p Protocol) vendor {
	for _, v := range vendors() {
		if v.protocol == p {
			return v
		}
	}
	return vendor{}
}

// needs names the credentials of an account.
func (v vendor) needs() []string {
	var names []string
	for _, field := range v.demo.credentials() {
		if field.value != "" {
			names = append(names, field.name)
		}
	}
	return names
}

// Needs names the credentials that an account of the protocol must have, as its JSON has them.
func Needs(p Protocol) []string { return vendorOf(p).needs() }

// Login is a way to log in.
type Login struct {
	// Config and Role name the config and the role that use it in the demo.
	Config, Role string
	// Preset is the engine's preset for the real endpoint; empty where it has none.
	Preset string
	// Path is where the simulator has it. RefreshPath is where its refresh tokens are exchanged; empty where there are none.
	Path, RefreshPath string
	// TokenTTL is the life of an access token by the vendor's page, unless the account says otherwise. A vendor declares it where
	// it is not that of its other logins.
	TokenTTL time.Duration
	// Settings are what a config needs besides that, the protocol and the credentials, as name=value; nil where that is nothing.
	Settings func(Account) []string
}

// SettingsFor returns what a config for the account needs besides the preset, the URLs and the credentials, as name=value: the
// protocol at least, where there is no preset.
func (l Login) SettingsFor(a Account) []string {
	var settings []string
	if l.Preset == "" {
		settings = append(settings, "protocol="+string(a.Protocol))
	}
	if l.Settings != nil {
		settings = append(settings, l.Settings(a)...)
	}
	return settings
}

// Logins returns the ways in which an account of the protocol can log in, the usual one first.
func Logins(p Protocol) []Login {
	v := vendorOf(p)
	for n := range v.logins {
		v.logins[n].TokenTTL = cmp.Or(v.logins[n].TokenTTL, v.tokenTTL)
	}
	return v.logins
}

// FullLogin returns the way to log in that gives the most: a refresh token as well, where there is one.
func FullLogin(p Protocol) Login {
	logins := Logins(p)
	if n := slices.IndexFunc(logins, func(l Login) bool { return l.RefreshPath != "" }); n >= 0 {
		return logins[n]
	}
	return logins[0]
}

// BusinessCall names the business call that [CallBusiness] makes.
func BusinessCall(p Protocol) string { return vendorOf(p).call }
