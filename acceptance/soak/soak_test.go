// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package soak

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// What the processes may keep when all is over, on top of what they had at rest before. An upstream connection that is idle, and
// a thread that Go does not give back, are no leaks; memory that was once needed is given back late.
const (
	moreFiles   = 12
	moreThreads = 24
	moreMemory  = 64 << 20
	moreOfVault = 256 << 20
)

// length is how long the load lasts.
//
//nolint:gochecknoglobals // as flags are
var length = flag.Duration("soak", 0, "how long the load lasts; 0 skips the test")

func TestSoak(t *testing.T) {
	t.Parallel()
	if *length == 0 {
		t.Skip("no length was given: make soak SOAK=10m")
	}
	l := newLoad(t)
	began := time.Now()

	// In the first half the plugin is reloaded and killed again and again; in the second half one process lives on, so that what
	// it keeps adds up.
	l.run(t, *length/2, l.restarts)
	l.rest(t)
	before := l.settle(t, usage{})
	t.Logf("at rest before the second half: %s", before)
	l.run(t, *length-*length/2, nil)
	l.rest(t)
	after := l.settle(t, before)

	l.end(t)
	logins := l.logins()
	t.Logf("%s of load, what came of it:\n%s\n  %-44s %8d\n  %-44s %8d\n  %-44s %8d\nat rest before: %s\nat rest after:  %s",
		time.Since(began).Round(time.Second), l.table(), "logins that the upstream saw", logins.Logins,
		"of these good", logins.LoginsOK, "of these refused", logins.LoginsRefused, before, after)
	l.judge(t, before, after)
}

// newLoad starts a Vault with the engine in it, and an upstream, and writes the configs and roles.
func newLoad(t *testing.T) *load {
	t.Helper()
	binaries := check.Value(harness.FindBinaries(t.Context(), os.Stderr))(t)
	vault := check.Value(harness.StartVault(t.Context(), binaries, t.TempDir()))(t)
	harness.EndWith(t, vault)
	check.NoError(t, vault.Install(t.Context(), harness.PluginName))
	l := &load{counts: &counts{n: map[string]int{}}, vault: vault, up: newUpstream(t)}
	l.client = check.Value(vault.Client(vault.Token))(t)
	for _, a := range l.up.accounts {
		l.must(t, "config/"+a.name, a.config(l.up))
		l.must(t, "role/"+a.name+"-leased", map[string]any{"config": a.name, "max_ttl": "20s"})
		l.must(t, "role/"+a.name+"-unleased", map[string]any{"config": a.name, "lease": false})
	}
	return l
}

func (l *load) must(t *testing.T, path string, data map[string]any) {
	t.Helper()
	check.Value(l.client.Logical().WriteWithContext(t.Context(), "mastersindia/"+path, data))(t)
}

// run lasts for a span, with something besides the steady load, and logs the progress every few seconds.
func (l *load) run(t *testing.T, span time.Duration, besides func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { l.steady(ctx) })
	if besides != nil {
		group.Go(func() { besides(ctx) })
	}
	for began := time.Now(); pause(ctx, 5*time.Second); {
		u, err := l.usage()
		if err != nil {
			u = usage{} // between two processes
		}
		t.Logf("%5s of %s: %d reads, %d logins, %d tokens refused, %d wrong; %s", time.Since(began).Round(time.Second), span,
			l.of("reads, leased")+l.of("reads, unleased"), l.logins().Logins, l.of("tokens refused"), l.of("wrong"), u)
	}
	group.Wait()
}

// rest lets all leases end, and gives every account a good token.
func (l *load) rest(t *testing.T) {
	t.Helper()
	l.up.SetFault("", simulator.Fault{})
	err := l.client.Sys().RevokePrefixWithContext(t.Context(), "mastersindia/")
	check.True(t, err == nil, "revoking all leases: %v", err)
	for _, a := range l.up.accounts {
		l.changeSecret(t.Context(), a) // whatever pause there is ends with it
		check.True(t, l.read(t.Context(), a, "unleased", "") != "", "%s serves no token, and nothing is in the way", a.name)
	}
}

// settle waits until the processes use no more than they may, though not for ever, and gives the last reading.
func (l *load) settle(t *testing.T, before usage) (u usage) {
	t.Helper()
	first := before == usage{}
	for end := time.Now().Add(time.Minute); ; pause(t.Context(), time.Second) {
		u = check.Value(l.usage())(t)
		if time.Now().After(end) || !first && len(u.excess(before)) == 0 {
			return u
		}
		if first && time.Until(end) < 20*time.Second {
			return u // connections that were idle are closed by now
		}
	}
}

// excess is what is used beyond what may be.
func (u usage) excess(before usage) (found []string) {
	over := func(what string, now, then, more int64) {
		if now > then+more {
			found = append(found, fmt.Sprintf("%s: %d, and %d before: %d more may be", what, now, then, more))
		}
	}
	over("open files of the plugin", int64(u.plugin.Files), int64(before.plugin.Files), moreFiles)
	over("threads of the plugin", int64(u.plugin.Threads), int64(before.plugin.Threads), moreThreads)
	over("memory of the plugin", u.plugin.Resident, before.plugin.Resident, moreMemory)
	over("open files of Vault", int64(u.vault.Files), int64(before.vault.Files), moreFiles)
	over("threads of Vault", int64(u.vault.Threads), int64(before.vault.Threads), moreThreads)
	over("memory of Vault", u.vault.Resident, before.vault.Resident, moreOfVault)
	return found
}

// end checks that the engine can be taken away: no lease is in the way.
func (l *load) end(t *testing.T) {
	t.Helper()
	irrevocable, err := l.client.Logical().ReadWithDataWithContext(
		t.Context(), "sys/leases/count", map[string][]string{"type": {"irrevocable"}})
	if err != nil {
		t.Error(err)
	} else if got := fmt.Sprint(irrevocable.Data["lease_count"]); got != "0" {
		t.Errorf("Vault has %s leases that it could not revoke", got)
	}
	if err := l.client.Sys().UnmountWithContext(t.Context(), harness.PluginName); err != nil {
		t.Errorf("the engine cannot be disabled: %v", err)
	}
}

func (l *load) judge(t *testing.T, before, after usage) {
	t.Helper()
	for _, wrong := range l.wrong {
		t.Error(wrong)
	}
	for _, excess := range after.excess(before) {
		t.Errorf("%s (the log of Vault is %s)", excess, l.vault.ServerLog())
	}
	for _, least := range []string{"tokens that the upstream takes", "rotations", "revocations", "reloads", "changes of secrets"} {
		check.True(t, l.of(least) != 0, "no %s: this test proves nothing", least)
	}
	check.True(t, l.logins().LoginsOK != 0 && l.up.Counters().Faulted != 0,
		"the upstream saw no good login, or failed none: this test proves nothing")
}
