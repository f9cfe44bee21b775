// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// previousVersion is older than any version of the checkout.
	previousVersion = "v0.0.1"
	// shortLease is the longest lease of a reader whose lease expires by itself.
	shortLease = 2 * time.Second
	// leaseDeadline is for what Vault does in the background: on a machine at rest it takes milliseconds.
	leaseDeadline = 20 * time.Second
)

// leaseRow is one way in which a lease ends.
type leaseRow struct {
	name string
	// version of the plugin that makes the lease; "" is the checkout's.
	version string
	// maxTTL limits the leases of the role app.
	maxTTL time.Duration
	// happens before the lease ends, and costs so many logins; nil is nothing.
	happens func(t *testing.T, c *leaseCase)
	logins  int
	// end ends the lease; nil has Vault revoke it.
	end func(t *testing.T, c *leaseCase)
	// takes are the roles all of whose leases end with it.
	takes []string
	// unreadable are the roles that give no token afterwards.
	unreadable []string
}

func leaseRows() []leaseRow {
	app, both := []string{"app"}, []string{"app", "other"}
	return []leaseRow{
		{name: "nothing happened"},
		{name: "config deleted", happens: deleted("config/main"), unreadable: both},
		{name: "role deleted", happens: deleted("role/app"), unreadable: app},
		{name: "upstream down", happens: upstreamFails(simulator.FaultDown, http.StatusBadGateway, "backing_off"), logins: 1},
		{name: "breaker open", happens: upstreamFails(simulator.FaultRefuse, http.StatusBadRequest, "rejected"), logins: 1},
		{name: "made by an older version", version: previousVersion, happens: upgraded},
		{name: "Vault token revoked", end: revokeVaultToken},
		{name: "lease revoke -prefix", end: revokePrefix, takes: app},
		{name: "secrets disable", end: disable, takes: both, unreadable: both},
		{name: "expires by itself", maxTTL: shortLease, end: waitOut, takes: app},
		{
			name: "all at once", version: previousVersion, logins: 1,
			happens: func(t *testing.T, c *leaseCase) {
				upgraded(t, c)
				upstreamFails(simulator.FaultRefuse, http.StatusBadRequest, "rejected")(t, c)
				deleted("role/app")(t, c)
				deleted("config/main")(t, c)
			},
			end: disable, takes: both, unreadable: both,
		},
	}
}

// TestLease_EndsWithoutLoggingOthersOut ends a lease in every way that there is, alone on its upstream token and not, each on
// a mount of its own in one Vault.
//
//nolint:tparallel // a fault upstream is for all, so one row after the other
func TestLease_EndsWithoutLoggingOthersOut(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	older := filepath.Join(t.TempDir(), "plugin")
	check.NoError(t, harness.BuildPlugin(t.Context(), os.Stderr, previousVersion, older))
	check.NoError(t, w.RegisterVersion(t.Context(), older, previousVersion))
	root := w.Caller(w.Token)
	stranger := newLeaseCase(t, w, root, "stranger", leaseRow{}, false)
	for n, row := range leaseRows() {
		for _, shared := range []bool{false, true} {
			name := row.name + ", alone"
			if shared {
				name = row.name + ", shared"
			}
			t.Run(name, func(t *testing.T) {
				c := newLeaseCase(t, w, root, fmt.Sprintf("case-%d-%t", n, shared), row, shared)
				c.play(t, row)
				stranger.wantUndisturbed(t, stranger.mine)
			})
		}
	}
	counters := w.upstream.Counters()
	check.Equal(t, counters.Refreshes, 0, "upstream got N exchanges of a refresh token, which log all readers out")
	stranger.wantKillable(t)
	t.Logf("%d cases on %d mounts: %d logins, 0 irrevocable leases, %d business calls granted and %d refused",
		2*len(leaseRows()), 2*len(leaseRows())+1, counters.Logins, counters.BusinessOK, counters.BusinessRefused)
}

// leaseCase is a mount with an account of its own, and the leases on its one token.
type leaseCase struct {
	*testVault

	root  *harness.Caller
	mount string
	mine  *reading
	// others use the same upstream token: one through the same role, one through another.
	others []*reading
}

// reading is a reader with a Vault token of its own, and what it was given.
type reading struct {
	role     string
	caller   *harness.Caller
	response harness.Secret
}

func newLeaseCase(t *testing.T, w *testVault, root *harness.Caller, mount string, row leaseRow, shared bool) *leaseCase {
	t.Helper()
	c := &leaseCase{testVault: w, root: root, mount: mount}
	settings := map[string]any{"type": harness.PluginName}
	if row.version != "" {
		settings["config"] = map[string]any{"plugin_version": row.version}
	}
	c.call(t, http.MethodPost, "sys/mounts/"+mount, settings)
	account := w.account(t, simulator.JWT)
	roots := readFile(t, w.upstream.caFile)
	// The one kind of account whose tokens the engine could kill upstream.
	c.call(t, http.MethodPost, mount+"/config/main", map[string]any{
		"protocol": "jwt", "token_url": w.upstream.loginURL(simulator.JWT), "ca_cert": string(roots),
		"refresh_url": w.upstream.url + "/api/v2/api-token-refresh/", "username": account.Username, "password": account.Password,
		"headers": "Productid=einvoicing_global", "refresh_headers": "Service=online_service",
	})
	c.call(t, http.MethodPost, mount+"/role/app", map[string]any{"config": "main", "max_ttl": row.maxTTL.String()})
	c.call(t, http.MethodPost, mount+"/role/other", map[string]any{"config": "main"})
	c.call(t, http.MethodPut, "sys/policies/acl/"+mount, map[string]any{
		"policy": `path "` + mount + `/token/+" { capabilities = ["read"] }`,
	})
	if shared {
		c.others = []*reading{c.read(t, "app"), c.read(t, "other")}
	}
	c.mine = c.read(t, "app")
	return c
}

// play lets the row happen and checks all that it must not do.
func (c *leaseCase) play(t *testing.T, row leaseRow) {
	t.Helper()
	defer c.upstream.SetFault("", simulator.Fault{})
	logins, heard := c.upstream.logins(), c.upstream.heard.Load()
	if row.happens != nil {
		row.happens(t, c)
	}
	check.Equal(t, c.upstream.logins()-logins, row.logins, "what happens made N logins")
	check.True(t, row.maxTTL != 0 || c.leased(t, c.mine), "the lease has ended already, by what happens: this proves nothing")
	began := time.Now()
	if row.end == nil {
		c.call(t, http.MethodPut, "sys/leases/revoke", map[string]any{"lease_id": c.mine.response.LeaseID, "sync": true})
	} else {
		row.end(t, c)
	}
	c.waitGone(t, c.mine)
	took := time.Since(began)
	asked := c.upstream.heard.Load() - heard - int64(row.logins)
	check.Equal(t, asked, 0, "the end of the lease made N requests upstream")
	// The token lives on upstream, also where nobody else is known to use it.
	c.upstream.wantAccepted(t, simulator.JWT, c.mine.response)
	lost := c.checkOthers(t, row)
	for _, role := range []string{"app", "other"} {
		c.wantServed(t, role, !slices.Contains(row.unreadable, role))
	}
	more := c.upstream.logins() - logins - row.logins
	check.Equal(t, more, 0, "reading on made N logins")
	irrevocable := c.irrevocable(t)
	c.endAll(t, row)
	t.Logf("gone after %4d ms; %d other readers, %d of whom lost their lease with it; %d irrevocable, %d logins, %d requests upstream",
		took.Milliseconds(), len(c.others), lost, irrevocable, more, asked)
}

// checkOthers checks that the other readers have what the row leaves them, and returns how many lost their lease.
func (c *leaseCase) checkOthers(t *testing.T, row leaseRow) (lost int) {
	t.Helper()
	for _, other := range c.others {
		c.upstream.wantAccepted(t, simulator.JWT, other.response)
		if slices.Contains(row.takes, other.role) {
			c.waitGone(t, other)
			lost++
			continue
		}
		check.True(t, c.leased(t, other), "the lease of another reader of token/%s has ended as well", other.role)
		if !slices.Contains(row.unreadable, other.role) {
			c.wantUndisturbed(t, other)
		}
	}
	return lost
}

// wantUndisturbed checks that a reader still has a lease, a Vault token that reads, and the same upstream token, which works.
func (c *leaseCase) wantUndisturbed(t *testing.T, r *reading) {
	t.Helper()
	check.True(t, c.leased(t, r), "%s: the lease of a reader of token/%s has ended", c.mount, r.role)
	again, err := r.caller.Must(t.Context(), http.MethodGet, c.mount+"/token/"+r.role, nil)
	if err != nil {
		t.Errorf("another reader: %v", err)
		return
	}
	check.True(t, again.String("token_id") == r.response.String("token_id"),
		"%s: a reader of token/%s is given another token", c.mount, r.role)
	c.upstream.wantAccepted(t, simulator.JWT, again)
}

// wantKillable checks that the token could have been killed upstream: else it would prove nothing that none was.
func (c *leaseCase) wantKillable(t *testing.T) {
	t.Helper()
	c.call(t, http.MethodPut, c.mount+"/revoke/main", nil)
	check.True(t, !c.upstream.TokenAlive(c.mine.response.String("access_token")),
		"a token that was revoked on purpose lives on upstream: this test proves nothing")
}

// wantServed checks that a role gives the shared token as before, or that it gives none.
func (c *leaseCase) wantServed(t *testing.T, role string, served bool) {
	t.Helper()
	response := check.Value(c.root.Call(t.Context(), http.MethodGet, c.mount+"/token/"+role, nil))(t)
	if !served {
		check.True(t, response.Status == http.StatusBadRequest || response.Status == http.StatusNotFound,
			"token/%s: want 400 or 404, got %d: %s", role, response.Status, response.Said())
		return
	}
	secret, err := response.Secret()
	if err != nil || !response.OK() {
		t.Errorf("token/%s: %d (%v): %s", role, response.Status, err, response.Said())
		return
	}
	check.True(t, secret.String("token_id") == c.mine.response.String("token_id"),
		"token/%s: the end of a lease threw the shared token away", role)
}

// endAll ends what leases the case still has, and checks that none is left in any form.
func (c *leaseCase) endAll(t *testing.T, row leaseRow) {
	t.Helper()
	c.call(t, http.MethodPut, "sys/leases/revoke-prefix/"+c.mount, map[string]any{"sync": true})
	for _, role := range []string{"app", "other"} {
		left, err := c.root.Call(t.Context(), "LIST", "sys/leases/lookup/"+c.mount+"/token/"+role, nil)
		check.True(t, err == nil && left.Status == http.StatusNotFound,
			"%s: leases of token/%s are left (%v): %s", row.name, role, err, left.Body)
	}
	check.Equal(t, c.irrevocable(t), 0, "%s: Vault has N leases that it could not revoke", row.name)
}

// irrevocable counts the leases that Vault could not revoke, by both ways in which Vault reports them.
func (c *leaseCase) irrevocable(t *testing.T) int {
	t.Helper()
	count := c.call(t, http.MethodGet, "sys/leases/count?type=irrevocable", nil).Int("lease_count")
	list := c.call(t, http.MethodGet, "sys/leases?type=irrevocable", nil)
	listed := list.Int("lease_count")
	check.True(t, listed == count && count == 0, "Vault counts %d leases that it could not revoke, and lists %d", count, listed)
	return count
}

func (c *leaseCase) read(t *testing.T, role string) *reading {
	t.Helper()
	made, err := c.root.Call(t.Context(), http.MethodPost, "auth/token/create", map[string]any{"policies": []string{c.mount}})
	check.NoError(t, err)
	token := check.Value(made.ClientToken())(t)
	r := &reading{role: role, caller: c.root.As(token)}
	r.response = check.Value(r.caller.Must(t.Context(), http.MethodGet, c.mount+"/token/"+role, nil))(t)
	check.Require(t, r.response.LeaseID != "", "a read of token/%s made no lease: this would prove nothing", role)
	return r
}

func (c *leaseCase) leased(t *testing.T, r *reading) bool {
	t.Helper()
	response, err := c.root.Call(t.Context(), http.MethodPut, "sys/leases/lookup", map[string]any{"lease_id": r.response.LeaseID})
	check.NoError(t, err)
	check.Require(t, response.OK() || response.Status == http.StatusBadRequest && strings.Contains(response.Said(), "invalid lease"),
		"looking a lease up: %d: %s", response.Status, response.Said())
	return response.OK()
}

func (c *leaseCase) waitGone(t *testing.T, r *reading) {
	t.Helper()
	what := fmt.Sprintf("%s: the lease on token/%s is still there; see %s", c.mount, r.role, c.ServerLog())
	check.Eventually(t, leaseDeadline, what, func() bool { return !c.leased(t, r) })
}

func (c *leaseCase) call(t *testing.T, method, path string, data any) harness.Secret {
	t.Helper()
	return check.Value(c.root.Must(t.Context(), method, path, data))(t)
}

// deleted is that something of the mount is deleted.
func deleted(path string) func(t *testing.T, c *leaseCase) {
	return func(t *testing.T, c *leaseCase) { c.call(t, http.MethodDelete, c.mount+"/"+path, nil) }
}

// upstreamFails is that logins fail, and that the engine has found out: by one login, which leaves it in the given state.
func upstreamFails(kind simulator.FaultKind, status int, state string) func(t *testing.T, c *leaseCase) {
	return func(t *testing.T, c *leaseCase) {
		c.upstream.SetFault("", simulator.Fault{Kind: kind})
		response := check.Value(c.root.Call(t.Context(), http.MethodPut, c.mount+"/rotate/main", nil))(t)
		check.True(t, response.Status == status,
			"a rotation while upstream fails: want %d, got %d: %s", status, response.Status, response.Said())
		check.Equal(t, c.call(t, http.MethodGet, c.mount+"/status/main", nil).String("state"), state, "the state of the account")
	}
}

// upgraded is that the mount is moved to the version of the checkout and reloaded.
func upgraded(t *testing.T, c *leaseCase) {
	c.wantVersion(t, previousVersion)
	c.call(t, http.MethodPost, "sys/mounts/"+c.mount+"/tune", map[string]any{"plugin_version": c.Version()})
	c.call(t, http.MethodPut, "sys/plugins/reload/backend", map[string]any{"mounts": []string{c.mount}})
	c.wantVersion(t, c.Version())
}

func (c *leaseCase) wantVersion(t *testing.T, want string) {
	t.Helper()
	mounts := c.call(t, http.MethodGet, "sys/mounts", nil)
	mount, _ := mounts.Data[c.mount+"/"].(map[string]any)
	if got := mount["running_plugin_version"]; got != want {
		t.Fatalf("the mount runs version %v, want %s", got, want)
	}
}

func revokeVaultToken(t *testing.T, c *leaseCase) {
	c.call(t, http.MethodPost, "auth/token/revoke", map[string]any{"token": c.mine.caller.Token()})
}

func revokePrefix(t *testing.T, c *leaseCase) {
	c.call(t, http.MethodPut, "sys/leases/revoke-prefix/"+c.mount+"/token/app", map[string]any{"sync": true})
}

func disable(t *testing.T, c *leaseCase) { c.call(t, http.MethodDelete, "sys/mounts/"+c.mount, nil) }

// waitOut does nothing: the lease is so short that it ends by itself.
func waitOut(t *testing.T, c *leaseCase) {
	got := c.mine.response.LeaseDuration
	check.True(t, got <= int(shortLease/time.Second), "the lease lasts %d s, want %s at most", got, shortLease)
}
