// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"crypto/rand"
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

// upstream is a simulator that knows one jwt account.
type upstream struct {
	*simulator.Simulator

	account simulator.Account
	url     string
	ca      string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{account: simulator.Account{
		Protocol: simulator.JWT, Username: "user@example.com", Password: `pass "<&>%2B \ü ` + rand.Text(),
	}}
	u.Simulator = must.Get(simulator.New(simulator.Options{Accounts: []simulator.Account{u.account}}))(t)
	server := httptest.NewTLSServer(u)
	t.Cleanup(server.Close)
	u.url = server.URL + "/api/v2/token-auth/"
	u.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return u
}

// configure stores the account as the config "main" with the role "app".
func (u *upstream) configure(t *testing.T, m *mount, extra map[string]any) {
	t.Helper()
	data := map[string]any{
		"protocol": "jwt", "token_url": u.url, "ca_cert": u.ca, "username": u.account.Username, "password": u.account.Password,
	}
	maps.Copy(data, extra)
	m.must(t, logical.UpdateOperation, "config/main", data)
	m.must(t, logical.UpdateOperation, "role/app", map[string]any{"config": "main"})
}

func (u *upstream) wantLogins(t *testing.T, want int) {
	t.Helper()
	if got := u.Counters().Logins; got != want {
		t.Errorf("upstream saw %d logins, want %d", got, want)
	}
}
