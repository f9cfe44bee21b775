// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

//nolint:gochecknoglobals // a list that does not change
var failoverKinds = []string{kill, stepDown}

const (
	failovers       = 20
	failoverReaders = 8
	keptLeases      = 20

	// shortLife makes several rotations fall between and into the failovers.
	shortLife = 30 * time.Second
	// shortRotation is after how much of it a token is replaced: the default rotation_percent.
	shortRotation = shortLife * 66 / 100

	// cutOffPause is how long the backoff after an interrupted login may last, from when there is a leader again.
	cutOffPause = 5 * time.Second

	// backWithin is how soon reads must succeed once a new leader is active.
	backWithin = 10 * time.Second
)

// What takes the leader away.
const (
	kill     = "SIGKILL"
	stepDown = "step-down"
)

// failover is one change of leader and what the readers felt of it.
type failover struct {
	kind    string
	ordered time.Time
	// settled is when the cluster was whole again.
	settled time.Time
	leader  leaderTerm
}

// TestFailover_TwentyUnderReaders takes the leader away twenty times, in order and by SIGKILL, while readers of two accounts
// read all the time: one whose token outlives the test, and one whose token is rotated again and again.
func TestFailover_TwentyUnderReaders(t *testing.T) {
	t.Parallel()
	w := newTestCluster(t, harness.Brisk)
	main := w.account(t, simulator.OAuth)
	short := w.upstream.addAccount(t, simulator.Account{Protocol: simulator.JWT, TokenTTL: shortLife})
	w.writeConfig(t, "main", main)
	w.writeConfig(t, "short", short)
	// The steady readers' leases end by themselves all through the test; those of "kept" do not.
	w.writeRole(t, "app", "main", "max_ttl=10s")
	w.writeRole(t, "short", "short", "max_ttl=10s")
	w.writeRole(t, "kept", "main")
	w.wantSamePluginOnAllNodes(t)
	kept := w.takeLeases(t, "kept", keptLeases)

	leaders := w.watchLeader(t.Context(), t)
	long := source{path: "mastersindia/token/app", config: "main", account: main}
	rotated := source{path: "mastersindia/token/short", config: "short", account: short}
	began := time.Now()
	readers := w.startClusterReaders(t, readerGroup{name: "steady", readers: failoverReaders, sources: []source{long, rotated}})
	readers.waitForReads(t, 2*failoverReaders)
	var happened []failover
	for n := range failovers {
		happened = append(happened, w.failOver(t, n, leaders, readers))
	}
	readers.end()
	elapsed := time.Since(began)
	reads, between := readers.all(), leaderGaps(leaders.all())

	readers.wantNothingWrong(t)
	paused := 0
	for _, read := range failed(reads) {
		// A login that was cut off by the kill, of an account whose token ended while there was no leader, is followed by a backoff.
		if strings.Contains(read.err.Error(), cutOff) && overlaps(between, read.begin, read.end, cutOffPause) {
			paused++
			continue
		}
		if !overlaps(between, read.begin, read.end, 0) {
			t.Errorf("a read of %s failed at %s after %s although there was a leader all the time: %v",
				read.source.path, clock(read.end), read.end.Sub(read.begin).Round(time.Millisecond), read.err)
		}
	}
	t.Logf("%d reads got the error that a login had been cut off", paused)
	reportFailovers(t, happened, reads, leaders.all())
	w.wantAllNodesHaveServed(t, leaders.all(), reads)

	counters := w.upstream.Counters()
	if got := counters.Of(main.Protocol, main.Name()).Logins; got != 1 {
		t.Errorf("an account whose token outlives the test was logged in to %d times over %d failovers, want once", got, failovers)
	}
	check.Equal(t, len(tokensOf(reads, long)), 1, "readers of a token that outlives the test got N tokens")
	wantPlannedRotations(t, tokensOf(reads, rotated), w.upstream.loginTimes(w.upstream.began, short.Protocol), between, elapsed)
	check.NoError(t, w.cluster.WaitForwarding(t.Context()))
	w.wantKeptLeases(t, kept)
}

// failOver takes the leader away and waits until the cluster is whole again.
func (w *testCluster) failOver(t *testing.T, number int, leaders *watch, readers *readers) failover {
	t.Helper()
	f := failover{kind: failoverKinds[number%len(failoverKinds)]}
	other, directed := otherThanNew(leaders.all(), len(w.cluster.Nodes))
	if directed = directed && f.kind == stepDown; directed {
		// The leader hands over to the node that has most of what was written, and mostly that is the same one every time. Were
		// one never to lead its plugin would not be tried, so the other one is taken away first.
		w.kill(t, other)
		readers.waitForReads(t, failoverReaders)
	}
	leaders.waitForLeaderTerm(t, 1)
	leaderTerms := leaders.all()
	old := leaderTerms[len(leaderTerms)-1].node
	f.ordered = time.Now()
	if f.kind == kill {
		w.kill(t, old)
	} else {
		check.NoError(t, w.root[old].Sys().StepDownWithContext(t.Context()))
	}
	f.leader = leaders.waitForLeaderTerm(t, len(leaderTerms)+1)
	readers.waitForReads(t, failoverReaders)
	if directed {
		w.start(t, other)
	}
	if f.kind == stepDown {
		// As in a rolling upgrade. Vault lets a node that was stepped down sleep for ten seconds, in which it can lead no more,
		// nor stop in order.
		w.kill(t, old)
	}
	w.start(t, old)
	check.NoError(t, w.cluster.WaitCaughtUp(t.Context()))
	readers.waitForReads(t, 2*failoverReaders)
	f.settled = time.Now()
	return f
}

// kill ends a node and its plugin like a power cut.
func (w *testCluster) kill(t *testing.T, node int) {
	t.Helper()
	if err := w.cluster.Nodes[node].Kill(); err != nil && !errors.Is(err, harness.ErrNoProc) {
		t.Fatal(err)
	}
}

func (w *testCluster) start(t *testing.T, node int) {
	t.Helper()
	check.NoError(t, w.cluster.Nodes[node].Start(t.Context()))
}

// otherThanNew returns the standby to take away so that a node leads that never has; ok is false where all have.
func otherThanNew(leaderTerms []leaderTerm, nodes int) (other int, ok bool) {
	led := map[int]bool{}
	for _, r := range leaderTerms {
		led[r.node] = true
	}
	leader := leaderTerms[len(leaderTerms)-1].node
	for node := range nodes {
		if node != leader && led[node] {
			other = node
		}
	}
	return other, len(led) == nodes-1
}

// reportFailovers prints what the readers felt, and checks that they were served soon after each new leader was active.
func reportFailovers(t *testing.T, happened []failover, reads []tokenRead, leaderTerms []leaderTerm) {
	t.Helper()
	total := longestGap(reads, happened[0].ordered, happened[len(happened)-1].settled)
	t.Logf("%d failovers (and %d changes of leader that nobody ordered), %d reads, %d failed, longest time without a good read %s",
		len(happened), len(leaderTerms)-1-len(happened), len(reads), len(failed(reads)), length(total))
	for _, kind := range failoverKinds {
		var leader, first []time.Duration
		lost := 0
		for _, f := range happened {
			if f.kind != kind {
				continue
			}
			back := firstGood(reads, f.leader.since)
			leader = append(leader, f.leader.since.Sub(f.ordered))
			first = append(first, back.Sub(f.ordered))
			for _, read := range failed(reads) {
				if read.end.After(f.ordered) && read.end.Before(f.settled) {
					lost++
				}
			}
			// On a busy machine the new leader may be lost again before the first read.
			if late := back.Sub(leaderAt(leaderTerms, back).since); late > backWithin {
				t.Errorf("after the %s at %s the first good read came %s after the new leader was active",
					kind, clock(f.ordered), late.Round(time.Millisecond))
			}
		}
		if len(first) == 0 {
			continue
		}
		t.Logf("%s, %d times: new leader after %s; first good read after %s; %d failed reads",
			kind, len(first), medianAndMax(leader), medianAndMax(first), lost)
	}
}

func firstGood(reads []tokenRead, after time.Time) time.Time {
	for _, read := range good(reads) {
		if read.end.After(after) {
			return read.end
		}
	}
	return time.Now()
}

// wantPlannedRotations checks that nobody logged in for a failover's sake: each token was replaced after its time and not before.
// A login that a failover cuts off is made again, as its token is lost.
func wantPlannedRotations(t *testing.T, tokens []tokenRead, logins []time.Time, between []leaderGap, elapsed time.Duration) {
	t.Helper()
	if want := int(elapsed/shortLife) - 1; len(tokens) < max(want, 2) {
		t.Errorf("readers saw %d tokens of %s in %s: too few rotations to prove anything", len(tokens), shortLife, elapsed)
	}
	cut := 0
	for _, login := range logins {
		if overlaps(between, login, login, 10*watchEvery) {
			cut++
		}
	}
	lost := len(logins) - len(tokens)
	t.Logf("tokens of %s: %d logins in %s, %d of them during a failover, %d whose token nobody got",
		shortLife, len(logins), elapsed.Round(time.Second), cut, lost)
	check.True(t, lost <= cut, "the tokens of %d logins reached nobody, and only %d logins were during a failover", lost, cut)
	for n := 1; n < len(tokens); n++ {
		before, err1 := time.Parse(time.RFC3339, tokens[n-1].issuedAt)
		after, err2 := time.Parse(time.RFC3339, tokens[n].issuedAt)
		// Both are in whole seconds.
		if err1 != nil || err2 != nil || after.Sub(before) < shortRotation-time.Second {
			t.Errorf("the token issued at %s was replaced at %s, sooner than after %s",
				tokens[n-1].issuedAt, tokens[n].issuedAt, shortRotation)
		}
	}
}

// wantSamePluginOnAllNodes checks that each node has the file that the catalog names, with the catalog's checksum.
func (w *testCluster) wantSamePluginOnAllNodes(t *testing.T) {
	t.Helper()
	running := w.readJSON(t, "read", "-format=json", "sys/mounts/"+harness.PluginName).String("running_plugin_version")
	info := w.readJSON(t, "read", "-format=json", "sys/plugins/catalog/secret/"+harness.PluginName, "version="+running)
	for n, node := range w.cluster.Nodes {
		sum, err := node.PluginSHA256(info.String("command"))
		check.True(t, err == nil && sum != "" && sum == info.String("sha256"),
			"node %d has a plugin of SHA-256 %s (%v), and the catalog wants %s", n+1, sum, err, info.String("sha256"))
	}
}

// wantAllNodesHaveServed checks that each node has led, and that reads succeeded while it did.
func (w *testCluster) wantAllNodesHaveServed(t *testing.T, leaderTerms []leaderTerm, reads []tokenRead) {
	t.Helper()
	served := make([]int, len(w.cluster.Nodes))
	for _, read := range good(reads) {
		for _, r := range leaderTerms {
			if read.begin.After(r.since) && read.end.Before(r.seen) {
				served[r.node]++
			}
		}
	}
	t.Logf("good reads while each node led: %v", served)
	for n, count := range served {
		check.True(t, count != 0, "no read succeeded while node %d led", n+1)
	}
}

// wantKeptLeases checks that the leases of before the failovers are all there, and that all leases can be ended.
func (w *testCluster) wantKeptLeases(t *testing.T, kept []string) {
	t.Helper()
	w.endLeases(t, kept[:len(kept)/2])
	w.wantLeases(t, kept[len(kept)/2:])
	w.vault(t, "lease", "revoke", "-sync", "-prefix", "mastersindia/")
	for _, lease := range kept {
		check.True(t, !w.leaseExists(t, lease), "the lease %s was revoked and is still there", lease)
	}
	w.wantNoLeases(t)
}

func clock(at time.Time) string { return at.Format("15:04:05.000") }
