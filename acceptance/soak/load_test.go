// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package soak

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// restartGrace is for how long after a reload or a crash Vault may respond that it cannot reach the plugin.
const restartGrace = 20 * time.Second

// counts are the results of all clients.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what] += n
}

func (c *counts) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[what]
}

func (c *counts) table() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(c.n)) {
		lines = append(lines, fmt.Sprintf("  %-44s %8d", what, c.n[what]))
	}
	return strings.Join(lines, "\n")
}

type load struct {
	*counts

	vault  *harness.Vault
	client *api.Client
	up     *upstream
	// restarted is when the plugin was last reloaded or killed, in Unix nanoseconds.
	restarted atomic.Int64

	mu    sync.Mutex
	wrong []string
}

func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 50
	if l.add("wrong", 1); len(l.wrong) < most {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// spread is a duration between the two, by chance.
func spread(least, most time.Duration) time.Duration {
	return least + rand.N(most-least+1) //nolint:gosec // chance that spreads load, not a secret
}

func (l *load) any() *account {
	return l.up.accounts[rand.IntN(len(l.up.accounts))] //nolint:gosec // see spread
}

// steady does everything that goes on all the time, until ctx ends.
func (l *load) steady(ctx context.Context) {
	var group sync.WaitGroup
	every := func(least, most time.Duration, do func(context.Context, *account)) {
		group.Go(func() {
			for pause(ctx, spread(least, most)) {
				do(context.WithoutCancel(ctx), l.any())
			}
		})
	}
	for range 4 {
		every(20*time.Millisecond, 100*time.Millisecond, func(ctx context.Context, a *account) { l.read(ctx, a, "leased", "") })
		every(20*time.Millisecond, 100*time.Millisecond, func(ctx context.Context, a *account) { l.read(ctx, a, "unleased", "") })
	}
	every(time.Second, 3*time.Second, l.reject)
	every(time.Second, 3*time.Second, l.rotate)
	every(8*time.Second, 16*time.Second, l.revoke)
	every(500*time.Millisecond, 2*time.Second, l.look)
	every(2*time.Second, 6*time.Second, l.change)
	every(10*time.Second, 20*time.Second, l.changeSecret)
	group.Go(func() { l.up.fail(ctx, l.counts) })
	group.Wait()
}

// read reads a token and has the upstream look at it.
func (l *load) read(ctx context.Context, a *account, kind, rejected string) (id string) {
	began := time.Now()
	a.mu.Lock()
	revoked := maps.Clone(a.revoked)
	a.mu.Unlock()
	path := "mastersindia/token/" + a.name + "-" + kind
	var secret *api.Secret
	var err error
	if rejected == "" {
		secret, err = l.client.Logical().ReadWithContext(ctx, path)
	} else {
		secret, err = l.client.Logical().WriteWithContext(ctx, path, map[string]any{"rejected_token_id": rejected})
	}
	l.add("reads, "+kind, 1)
	if err != nil {
		l.failed("reads", err)
		return ""
	}
	id, _ = secret.Data["token_id"].(string)
	token, _ := secret.Data["access_token"].(string)
	expires, err := time.Parse(time.RFC3339, fmt.Sprint(secret.Data["expires_at"]))
	if err != nil || token == "" || (secret.LeaseID != "") != (kind == "leased") {
		l.fault("a response to %s is not whole", path)
		return ""
	}
	if revoked[id] {
		l.fault("%s serves the token %s, which was revoked before the read began", path, id)
	}
	if secret.LeaseDuration > 0 && began.Add(time.Duration(secret.LeaseDuration)*time.Second).After(expires) {
		l.fault("a lease of %s outlives its token", path)
	}
	l.use(a, id, token, began, expires)
	return id
}

// use has the upstream look at a token that was just read. A revocation that came in between, or this machine being slow, may
// have ended it.
func (l *load) use(a *account, id, token string, began, expires time.Time) {
	alive := l.up.TokenAlive(token)
	a.mu.Lock()
	revoking := a.revoking
	a.mu.Unlock()
	switch {
	case alive:
		l.add("tokens that the upstream takes", 1)
	case revoking.After(began):
		l.add("tokens refused, revoked meanwhile", 1)
	case time.Now().After(expires):
		l.add("tokens refused, read too late", 1)
	default:
		l.add("tokens refused", 1)
		l.fault("upstream refuses the token %s of %s, which expires in %s", id, a.name, time.Until(expires))
	}
}

// failed counts a failed request by its status. What a failing upstream cannot cause is a fault, but for a moment
// after a restart of the plugin.
func (l *load) failed(what string, err error) {
	code := 0
	if response, ok := errors.AsType[*api.ResponseError](err); ok {
		code = response.StatusCode
	}
	l.add(fmt.Sprintf("%s returned %d", what, code), 1)
	switch code {
	case http.StatusBadRequest, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout:
		return
	}
	if time.Since(time.Unix(0, l.restarted.Load())) > restartGrace {
		l.fault("%s returned %d: %v", what, code, err)
	}
}

func (l *load) reject(ctx context.Context, a *account) {
	if id := l.read(ctx, a, "unleased", ""); id != "" {
		l.read(ctx, a, "unleased", id)
	}
}

func (l *load) rotate(ctx context.Context, a *account) {
	l.write(ctx, "rotations", "rotate/"+a.name, nil)
}

func (l *load) revoke(ctx context.Context, a *account) {
	a.changing.Lock()
	defer a.changing.Unlock()
	mark := func(when time.Time) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.revoking = when
	}
	mark(time.Now().Add(time.Hour)) // until it is over
	defer func() { mark(time.Now()) }()
	secret := l.write(ctx, "revocations", "revoke/"+a.name, nil)
	if secret == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	tokens, _ := secret.Data["tokens"].(map[string]any)
	for id := range tokens {
		a.revoked[id] = true
	}
	l.add("tokens revoked", len(tokens))
}

func (l *load) look(ctx context.Context, a *account) {
	for _, path := range []string{"status/" + a.name, "config/" + a.name, "role/" + a.name + "-leased"} {
		if _, err := l.client.Logical().ReadWithContext(ctx, "mastersindia/"+path); err != nil {
			l.failed("looks", err)
		}
	}
	if _, err := l.client.Logical().ListWithContext(ctx, "mastersindia/status"); err != nil {
		l.failed("looks", err)
	}
	l.add("looks", 4)
}

// change writes a config in a way that causes no login.
func (l *load) change(ctx context.Context, a *account) {
	a.changing.Lock()
	defer a.changing.Unlock()
	percent := 50 + rand.IntN(30) //nolint:gosec // see spread
	l.write(ctx, "changes", "config/"+a.name, map[string]any{"rotation_percent": percent})
}

// changeSecret changes the secret upstream and then in the config, with a login or without. It tries until that is done.
func (l *load) changeSecret(ctx context.Context, a *account) {
	a.changing.Lock()
	defer a.changing.Unlock()
	data := a.changeSecret(l.up)
	if l.write(ctx, "changes of secrets", "config/"+a.name, data) != nil {
		return
	}
	data["verify_connection"] = false
	for end := time.Now().Add(2 * restartGrace); time.Now().Before(end); pause(ctx, 100*time.Millisecond) {
		if l.write(ctx, "changes of secrets", "config/"+a.name, data) != nil {
			return
		}
	}
	l.fault("the secret of %s could not be changed", a.name)
}

// write sends a write; nil means that it failed.
func (l *load) write(ctx context.Context, what, path string, data map[string]any) *api.Secret {
	secret, err := l.client.Logical().WriteWithContext(ctx, "mastersindia/"+path, data)
	l.add(what, 1)
	if err != nil {
		l.failed(what, err)
		return nil
	}
	if secret == nil {
		secret = &api.Secret{}
	}
	return secret
}

// restarts reloads the plugin and kills its process, in turn, until ctx ends.
func (l *load) restarts(ctx context.Context) {
	for round := 0; pause(ctx, spread(8*time.Second, 15*time.Second)); round++ {
		l.restarted.Store(time.Now().UnixNano())
		var err error
		if round%2 == 0 {
			l.add("reloads", 1)
			_, err = l.client.Sys().ReloadPluginWithContext(context.WithoutCancel(ctx), &api.ReloadPluginInput{Plugin: harness.PluginName})
		} else {
			l.add("crashes", 1)
			err = l.crash()
		}
		if err != nil {
			l.fault("restarting the plugin: %v", err)
		}
		l.restarted.Store(time.Now().UnixNano())
	}
}

func (l *load) crash() error {
	pids, err := l.vault.PluginPIDs()
	return errors.Join(err, harness.EndOrphans(pids))
}

// usage is what Vault and the plugin take of the machine.
type usage struct{ vault, plugin harness.Usage }

func (u usage) String() string { return fmt.Sprintf("plugin %s; vault %s", u.plugin, u.vault) }

func (l *load) usage() (u usage, err error) {
	if u.vault, err = harness.ReadUsage(l.vault.PID()); err != nil {
		return u, err
	}
	pids, err := l.vault.PluginPIDs()
	if err != nil {
		return u, err
	}
	if len(pids) != 1 {
		return u, fmt.Errorf("the plugin has %d processes, want one", len(pids))
	}
	u.plugin, err = harness.ReadUsage(pids[0])
	return u, err
}

func (l *load) logins() simulator.Counts { return l.up.Counters().Counts }
