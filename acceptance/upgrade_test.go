// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	upgradeReaders = 3
	upgradeLeases  = 6
	// briefLease outlives the exchange of the plugin, also on a machine that is busy, and ends within the test.
	briefLease = 25 * time.Second
	// exchangeWithin bounds how long readers may wait while the plugin is exchanged, on a machine that is busy.
	exchangeWithin = 15 * time.Second
)

// upgrade is an upgrade under way: the commands of the guide install one version after the other on a cluster, while readers
// read and leases are out.
type upgrade struct {
	*testCluster

	guide    map[string][]shown
	shell    *openedShell
	old, new string
	leaders  *watch
	app      source
	// plain readers see each failure, patient ones have the usual retries of Vault's Go client.
	plain, patient *readers
	exchanges      []exchange
}

// exchange is one reload of the plugin.
type exchange struct {
	what       string
	began, end time.Time
}

// TestUpgrade_InPlaceUnderReaders follows docs/upgrade.md from end to end, command by command: forward, a failover to a node on
// which nothing was exchanged, back, a pin, forward again.
func TestUpgrade_InPlaceUnderReaders(t *testing.T) {
	t.Parallel()
	u := newUpgrade(t)
	u.wantVersion(t, u.old)
	before := u.takeLeases(t, "kept", upgradeLeases)

	for _, node := range u.cluster.Nodes {
		u.shell.run(t, shown{command: "PLUGIN_DIR=" + filepath.Join(node.Dir, "plugins")})
		u.follow(t, "1. Put the new file on every node")
	}
	u.follow(t, "2. Register it, once")
	u.wantVersion(t, u.old)
	ending := u.takeLeases(t, "brief", upgradeLeases)
	u.exchange(t, "3. Reload it", u.new)
	u.wantSamePluginOnAllNodes(t)
	u.wantLeases(t, ending) // else they would have been ended by the old version
	u.endLeases(t, before[:upgradeLeases/2])

	u.failOver(t)
	u.wantVersion(t, u.new)
	u.wantExpired(t, ending)

	newer := u.takeLeases(t, "kept", upgradeLeases)
	u.exchange(t, "Go back", u.old)
	u.endLeases(t, before[upgradeLeases/2:])
	u.endLeases(t, newer[:upgradeLeases/2])

	u.follow(t, "2. Register it, once") // registering twice changes nothing
	u.exchange(t, "3. Reload it", u.new)
	u.endLeases(t, newer[upgradeLeases/2:])
	if !u.OpenBao() { // which has no pins
		held, freed := u.halves("Hold back all mounts at once")
		u.exchangeBy(t, "a pin of the old version", held, u.old)
		check.Contains(t, u.refused(t, "secrets", "tune", "-plugin-version="+u.new, "mastersindia"), "pinned version")
		u.exchangeBy(t, "the end of the pin", freed, u.new)
	}
	u.follow(t, "Clean up")
	u.wantVersion(t, u.new)
	u.wantServed(t)
}

// newUpgrade starts a cluster with the old version, readers, and a shell in which the guide's commands are typed.
func newUpgrade(t *testing.T) *upgrade {
	t.Helper()
	u := &upgrade{testCluster: newTestCluster(t, harness.Patient)}
	found := findBinaries(t)
	u.old = found.Version
	u.new = check.Value(harness.NextMinor(u.old))(t)
	download := t.TempDir()
	check.NoError(t, harness.BuildPlugin(t.Context(), os.Stderr, u.new, filepath.Join(download, filepath.Base(found.Plugin))))
	u.app = source{path: "mastersindia/token/app", config: "main", account: u.account(t, simulator.JWT)}
	u.writeConfig(t, "main", u.app.account)
	u.writeRole(t, "app", "main", "max_ttl=10s")
	u.writeRole(t, "kept", "main")
	u.writeRole(t, "brief", "main", fmt.Sprintf("max_ttl=%s", briefLease))

	u.guide = sectionsOf(t, filepath.Join("..", upgradeGuide))
	u.shell = u.openShell(t, u.cluster.Nodes[0], upgradeGuide, download)
	u.leaders = u.watchLeader(t.Context(), t)
	u.leaders.waitForLeaderTerm(t, 1)
	group := readerGroup{name: "plain", readers: upgradeReaders, sources: []source{u.app}, oneNode: true}
	u.plain = u.startClusterReaders(t, group)
	// On OpenBao a node is away while it is restarted, so that retries are not enough.
	group.name, group.retries, group.oneNode = "patient", 2, !u.OpenBao()
	u.patient = u.startClusterReaders(t, group)
	u.plain.waitForReads(t, upgradeReaders)
	u.patient.waitForReads(t, upgradeReaders)
	return u
}

func (u *upgrade) failOver(t *testing.T) {
	t.Helper()
	leaderTerms := u.leaders.all()
	check.NoError(t, u.root[leaderTerms[len(leaderTerms)-1].node].Sys().StepDownWithContext(t.Context()))
	u.leaders.waitForLeaderTerm(t, len(leaderTerms)+1)
	check.NoError(t, u.cluster.WaitForwarding(t.Context()))
}

func (u *upgrade) follow(t *testing.T, section string) {
	t.Helper()
	u.shell.follow(t, u.guide, section)
}

// halves are the commands of a section up to its first read of the version, and those that follow.
func (u *upgrade) halves(section string) (first, second []shown) {
	for n, c := range u.guide[section] {
		if strings.Contains(c.command, "running_plugin_version") {
			return u.guide[section][:n+1], u.guide[section][n+1:]
		}
	}
	return u.guide[section], nil
}

// exchange follows a section that reloads the plugin, and checks what came of it.
func (u *upgrade) exchange(t *testing.T, section, version string) {
	t.Helper()
	u.exchangeBy(t, section, u.guide[section], version)
}

func (u *upgrade) exchangeBy(t *testing.T, what string, commands []shown, version string) {
	t.Helper()
	reloaded := false
	for _, c := range commands {
		began := time.Now()
		response := u.shell.run(t, c)
		if strings.HasPrefix(c.command, "vault plugin reload") {
			reloaded = true
			if u.OpenBao() {
				u.restartStandbys(t, version)
			}
			u.exchanges = append(u.exchanges, exchange{what: what, began: began, end: time.Now()})
		}
		check.True(t, !strings.Contains(c.command, "running_plugin_version") || strings.TrimSpace(response) == version,
			"%s: %s returned %q, want %s", what, c.command, response, version)
	}
	check.Require(t, reloaded, "%s: %s has no command that reloads the plugin", what, upgradeGuide)
	u.wantVersion(t, version)
	u.plain.waitForReads(t, upgradeReaders)
	u.patient.waitForReads(t, upgradeReaders)
}

// restartStandbys has the standbys of an OpenBao run the new version as well: by itself only its leader does.
func (u *upgrade) restartStandbys(t *testing.T, version string) {
	t.Helper()
	leader := u.leaders.waitForLeaderTerm(t, 1).node
	for n, node := range u.cluster.Nodes {
		if n == leader {
			continue
		}
		running := check.Value(node.CLI.Must(t.Context(), "", "read", "-field=running_plugin_version", "sys/mounts/mastersindia"))(t)
		check.True(t, strings.TrimSpace(running) != version,
			"node %d, a standby, runs %s without a restart: %s need not ask for one", n+1, version, installGuide)
		check.NoError(t, errors.Join(node.Stop(), node.Start(t.Context())))
	}
	check.NoError(t, u.cluster.WaitForwarding(t.Context()))
}

// wantVersion checks which version runs, as Vault reports it in both ways.
func (u *upgrade) wantVersion(t *testing.T, version string) {
	t.Helper()
	mount := u.readJSON(t, "read", "-format=json", "sys/mounts/mastersindia")
	check.Equal(t, mount.String("running_plugin_version"), version, "the mount runs")
	for line := range strings.Lines(u.vault(t, "secrets", "list", "-detailed")) {
		check.True(t, !strings.HasPrefix(line, "mastersindia/") || strings.Contains(line, version),
			"vault secrets list -detailed does not show %s: %s", version, line)
	}
}

func (u *upgrade) wantExpired(t *testing.T, leases []string) {
	t.Helper()
	for _, lease := range leases {
		check.Eventually(t, time.Minute,
			"a lease that the old version made does not end: "+lease, func() bool { return !u.leaseExists(t, lease) })
	}
	u.wantNoIrrevocable(t)
}

func (u *upgrade) wantServed(t *testing.T) {
	t.Helper()
	u.plain.end()
	u.patient.end()
	between := leaderGaps(u.leaders.all())
	all := map[string]bool{}
	for _, group := range []*readers{u.plain, u.patient} {
		group.wantNothingWrong(t)
		reads := group.all()
		for _, token := range tokensOf(reads, u.app) {
			all[token.tokenID] = true
		}
		lost := make([]int, len(u.exchanges)+1)
		for _, read := range failed(reads) {
			n := u.exchangeAt(read)
			if n < 0 && overlaps(between, read.begin, read.end, 0) {
				continue // the failover
			}
			if n < 0 {
				t.Errorf("a read of the %s readers failed at %s, when nothing was exchanged: %v", group.name, clock(read.end), read.err)
				continue
			}
			lost[n]++
			check.True(t, group.retries == 0, "%s: a read failed in spite of its retries: %v", u.exchanges[n].what, read.err)
		}
		t.Logf("%s readers: %d reads, %d failed", group.name, len(reads), len(failed(reads)))
		for n, e := range u.exchanges {
			gap := longestGap(reads, e.began, e.end)
			check.True(t, length(gap) <= exchangeWithin, "%s: for %s no read of the %s readers succeeded", e.what, length(gap), group.name)
			t.Logf("%s readers, %s: the command took %s, longest time without a good read %s, %d failed reads",
				group.name, e.what, e.end.Sub(e.began).Round(time.Millisecond), length(gap), lost[n])
		}
	}
	check.Equal(t, len(all), 1, "readers got N tokens")
	u.upstream.wantLogins(t, 1)
}

func (u *upgrade) exchangeAt(read tokenRead) int {
	for n, e := range u.exchanges {
		if read.begin.Before(e.end) && read.end.After(e.began) {
			return n
		}
	}
	return -1
}
