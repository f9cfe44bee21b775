// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// clusterSize is the smallest cluster that can lose a node.
const clusterSize = 3

// testCluster is a testVault whose Vault is a cluster. Commands go to its first node, which forwards them.
type testCluster struct {
	*testVault

	cluster *harness.Cluster
	// root are clients of the nodes. They come again when a node does not know its leader yet.
	root []*api.Client
}

// newTestCluster starts a cluster with the plugin registered, once, and enabled at mastersindia/.
func newTestCluster(t *testing.T, patience harness.Patience) *testCluster {
	t.Helper()
	w := startTestCluster(t, patience)
	check.NoError(t, w.cluster.Install(t.Context(), harness.PluginName))
	return w
}

// startTestCluster starts a cluster that has no plugin yet.
func startTestCluster(t *testing.T, patience harness.Patience) *testCluster {
	t.Helper()
	found := findBinaries(t)
	w, began := &testCluster{testVault: prepareTestVault(t)}, time.Now()
	w.cluster = check.Value(harness.StartCluster(t.Context(), found, t.TempDir(), clusterSize, patience))(t)
	t.Logf("the cluster took %s to start", time.Since(began).Round(time.Millisecond))
	w.Vault = w.cluster.Nodes[0]
	t.Cleanup(func() {
		for _, node := range w.cluster.Nodes {
			view := *w.testVault
			view.Vault = node
			view.searchLeaks(t)
		}
		for _, node := range w.cluster.Nodes {
			harness.ShowEnd(t, node.ServerLog())
		}
		if err := w.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	w.root = w.clients(t, w.Token)
	for _, client := range w.root {
		client.SetMaxRetries(5)
	}
	return w
}

func (w *testCluster) leader(t *testing.T) *harness.Vault {
	t.Helper()
	leader, err := w.cluster.Active(t.Context())
	check.Require(t, err == nil && leader != nil, "nobody leads: %v", err)
	return leader
}

func (w *testCluster) clients(t *testing.T, token string) []*api.Client {
	t.Helper()
	clients := make([]*api.Client, len(w.cluster.Nodes))
	for n, node := range w.cluster.Nodes {
		client := check.Value(node.Client(token))(t)
		clients[n] = client
	}
	return clients
}

func (w *testCluster) takeLeases(t *testing.T, role string, count int) []string {
	t.Helper()
	leases := make([]string, count)
	for n := range leases {
		response := check.Value(readOnce(t.Context(), w.root[0], "mastersindia/token/"+role, patientTimeout))(t)
		leases[n] = response.LeaseID
	}
	return leases
}

func (w *testCluster) leaseExists(t *testing.T, lease string) bool {
	t.Helper()
	found, err := w.root[0].Sys().LookupWithContext(t.Context(), lease)
	if refused := (*api.ResponseError)(nil); errors.As(err, &refused) && strings.Contains(refused.Error(), "invalid lease") {
		return false
	}
	check.NoError(t, err)
	return found.Data["id"] == lease
}

func (w *testCluster) wantLeases(t *testing.T, leases []string) {
	t.Helper()
	for _, lease := range leases {
		check.True(t, w.leaseExists(t, lease), "the lease %s has gone", lease)
	}
}

// endLeases checks that leases are still there, and revokes them.
func (w *testCluster) endLeases(t *testing.T, leases []string) {
	t.Helper()
	w.wantLeases(t, leases)
	for _, lease := range leases {
		options := &api.RevokeOptions{LeaseID: lease, Sync: true}
		err := w.root[0].Sys().RevokeWithOptionsWithContext(t.Context(), options)
		check.True(t, err == nil, "revoking the lease %s: %v", lease, err)
		// A standby of OpenBao responds by itself, a moment behind its leader.
		check.Eventually(t, 5*time.Second,
			"the revoked lease "+lease+" is still there", func() bool { return !w.leaseExists(t, lease) })
	}
	w.wantNoIrrevocable(t)
}

// leaderTerm is a time in which a node was the leader, as far as was seen.
type leaderTerm struct {
	node int
	// since is when the node was first known to be unsealed and active; it was so at least until seen.
	since, seen time.Time
}

// watch asks the nodes all the time which of them leads.
type watch struct {
	clients []*api.Client

	mu          sync.Mutex
	leaderTerms []leaderTerm
	// over is true while nobody is known to lead.
	over bool
}

const (
	watchEvery = 25 * time.Millisecond
	// watchTimeout is long, since a leader on a busy machine is still a leader; one that died refuses at once.
	watchTimeout = 5 * time.Second
)

// watchLeader begins to watch. The watch ends with the context.
func (w *testCluster) watchLeader(ctx context.Context, t *testing.T) *watch {
	t.Helper()
	v := &watch{clients: w.clients(t, ""), over: true}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		v.run(ctx)
	}()
	return v
}

func (v *watch) run(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		v.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look asks the last leader first, and then the others.
func (v *watch) look(ctx context.Context) {
	last, known := v.leader()
	if known {
		asked := time.Now()
		if v.active(ctx, last) {
			v.mu.Lock()
			v.leaderTerms[len(v.leaderTerms)-1].seen = asked
			v.mu.Unlock()
			return
		}
	}
	v.mu.Lock()
	v.over = true
	v.mu.Unlock()
	for node := range v.clients {
		if v.active(ctx, node) {
			now := time.Now()
			v.mu.Lock()
			v.leaderTerms, v.over = append(v.leaderTerms, leaderTerm{node: node, since: now, seen: now}), false
			v.mu.Unlock()
			return
		}
	}
}

// active reports whether the node says that it is unsealed and no standby.
func (v *watch) active(ctx context.Context, node int) bool {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	health, err := v.clients[node].Sys().HealthWithContext(ctx)
	return err == nil && health.Initialized && !health.Sealed && !health.Standby
}

func (v *watch) leader() (node int, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over || len(v.leaderTerms) == 0 {
		return 0, false
	}
	return v.leaderTerms[len(v.leaderTerms)-1].node, true
}

func (v *watch) all() []leaderTerm {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]leaderTerm(nil), v.leaderTerms...)
}

// waitForLeaderTerm waits until there have been count leader terms, and returns the last of them.
func (v *watch) waitForLeaderTerm(t *testing.T, count int) leaderTerm {
	t.Helper()
	check.Eventually(t, time.Minute, "the cluster got no new leader", func() bool {
		_, known := v.leader()
		return known && len(v.all()) >= count
	})
	all := v.all()
	return all[len(all)-1]
}

// leaderGap is a time in which there may have been no leader.
type leaderGap struct{ from, to time.Time }

// leaderAt is the term that had begun last at the given time.
func leaderAt(leaderTerms []leaderTerm, at time.Time) leaderTerm {
	last := leaderTerms[0]
	for _, r := range leaderTerms {
		if r.since.Before(at) {
			last = r
		}
	}
	return last
}

func length(gap leaderGap) time.Duration { return gap.to.Sub(gap.from).Round(time.Millisecond) }

func leaderGaps(leaderTerms []leaderTerm) []leaderGap {
	var between []leaderGap
	for n := 1; n < len(leaderTerms); n++ {
		between = append(between, leaderGap{leaderTerms[n-1].seen, leaderTerms[n].since})
	}
	return between
}

// overlaps reports whether the time from begin to end was in part without a leader, give or take the margin.
func overlaps(between []leaderGap, begin, end time.Time, margin time.Duration) bool {
	for _, gap := range between {
		if begin.Before(gap.to.Add(margin)) && end.After(gap.from.Add(-margin)) {
			return true
		}
	}
	return false
}
