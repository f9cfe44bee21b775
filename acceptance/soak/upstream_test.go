// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package soak

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// perProtocol is how many accounts there are of each protocol.
const perProtocol = 2

// account is an upstream account, and the config and the roles of that name in Vault.
type account struct {
	name string
	url  string

	// changing is held by who writes the config, so that upstream and Vault change together.
	changing sync.Mutex

	mu sync.Mutex
	at simulator.Account
	// revoking is when a revocation was last begun or under way; revoked are the token IDs of those that are done.
	revoking time.Time
	revoked  map[string]bool
}

type upstream struct {
	*simulator.Simulator

	server   *httptest.Server
	ca       string
	accounts []*account
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	sim := check.Value(simulator.New(simulator.Options{}))(t)
	u := &upstream{Simulator: sim}
	u.server = httptest.NewUnstartedServer(sim)
	u.server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that are dropped make it talk
	u.server.StartTLS()
	t.Cleanup(u.server.Close)
	u.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.server.Certificate().Raw}))
	for _, protocol := range simulator.Protocols() {
		for n := range perProtocol {
			u.accounts = append(u.accounts, u.newAccount(protocol, n))
		}
	}
	return u
}

// newAccount makes an account whose tokens are short-lived, so that there is something to rotate.
func (u *upstream) newAccount(protocol simulator.Protocol, n int) *account {
	url := u.server.URL + simulator.FullLogin(protocol).Path
	a := &account{name: fmt.Sprintf("%s-%d", protocol, n), url: url, revoked: map[string]bool{}}
	a.at = simulator.Account{Protocol: protocol, TokenTTL: time.Duration(30+20*n) * time.Second}
	if slices.Contains(simulator.Needs(protocol), "username") {
		a.at.Username, a.at.Password = "user-"+a.name, rand.Text()
	}
	if slices.Contains(simulator.Needs(protocol), "client_id") {
		a.at.ClientID, a.at.ClientSecret = "client-"+a.name, rand.Text()
	}
	u.SetAccount(a.at)
	return a
}

func (a *account) config(u *upstream) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	data := map[string]any{"protocol": string(a.at.Protocol), "token_url": a.url, "ca_cert": u.ca, "request_timeout": "3s"}
	for field, value := range map[string]string{
		"username": a.at.Username, "password": a.at.Password, "client_id": a.at.ClientID, "client_secret": a.at.ClientSecret,
	} {
		if value != "" {
			data[field] = value
		}
	}
	login := simulator.FullLogin(a.at.Protocol)
	if login.RefreshPath != "" {
		data["refresh_url"] = u.server.URL + login.RefreshPath
	}
	for _, setting := range login.SettingsFor(a.at) {
		name, value, _ := strings.Cut(setting, "=")
		data[name] = value
	}
	return data
}

// changeSecret gives the account another secret upstream, and returns it as the config wants it.
func (a *account) changeSecret(u *upstream) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	secret := rand.Text()
	if a.at.Password == "" {
		a.at.ClientSecret = secret
		u.SetAccount(a.at)
		return map[string]any{"client_secret": secret}
	}
	a.at.Password = secret
	u.SetAccount(a.at)
	return map[string]any{"password": secret}
}

// fail lets the upstream fail, now in this way and now in that, until ctx ends.
func (u *upstream) fail(ctx context.Context, c *counts) {
	kinds := append(simulator.FaultKinds(), simulator.FaultDown, simulator.FaultSlow, simulator.FaultCut, simulator.FaultUnavailable)
	for round := 0; pause(ctx, spread(time.Second, 4*time.Second)); round++ {
		kind := kinds[round%len(kinds)]
		protocol := simulator.Protocols()[round/2%len(simulator.Protocols())]
		c.add("upstream fails: "+string(kind), 1)
		u.SetFault(protocol, simulator.Fault{
			Kind: kind, Delay: spread(0, 4*time.Second), RetryAfter: 2 * time.Second, RedirectTo: u.server.URL + "/elsewhere/",
		})
		pause(ctx, spread(time.Second, 10*time.Second))
		u.SetFault(protocol, simulator.Fault{})
	}
	u.SetFault("", simulator.Fault{})
}
