// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// readEvery is the interval between the reads of a reader.
	readEvery = 150 * time.Millisecond
	// attemptTimeout bounds one request to one node, which may hang: Vault waits long for a quorum.
	attemptTimeout = 5 * time.Second
	// patientTimeout is for readers with only one node of a cluster.
	patientTimeout = 15 * time.Second
)

// source is a role, and what its responses must contain.
type source struct {
	// path is that of the read, such as mastersindia/token/app.
	path string
	// config and account are where its tokens come from.
	config  string
	account simulator.Account
}

// owner is the account as the simulator names it.
func (s source) owner() string { return string(s.account.Protocol) + "/" + s.account.Name() }

func (w *testVault) countsOf(s source) simulator.Counts {
	return w.upstream.Counters().Of(s.account.Protocol, s.account.Name())
}

// checkResponse checks that a response comes from the source: from this role and config, with a token that was issued to this
// account and that the upstream's business call accepts.
func (w *testVault) checkResponse(ctx context.Context, s source, response *api.Secret) error {
	if response.LeaseID != "" && !strings.HasPrefix(response.LeaseID, s.path+"/") {
		return fmt.Errorf("the lease is one of another role: %s", response.LeaseID)
	}
	if got := response.Data["config"]; got != s.config {
		return fmt.Errorf("the response is one of config %v, want %s", got, s.config)
	}
	token, _ := response.Data["access_token"].(string)
	if got := w.upstream.TokenOwner(token); got != s.owner() {
		return fmt.Errorf("the token was issued to the account %q, want %q", got, s.owner())
	}
	clientID, _ := response.Data["client_id"].(string)
	status, body, accepted, err := simulator.CallBusiness(ctx, w.upstream.url, w.upstream.client, s.account.Protocol, token, clientID)
	if err != nil {
		return fmt.Errorf("the business call: %w", err)
	}
	if !accepted {
		return fmt.Errorf("upstream refused token %v, issued at %v: %d %s", response.Data["token_id"], response.Data["issued_at"], status, body)
	}
	return nil
}

// readerGroup is the behaviour of readers.
type readerGroup struct {
	name    string
	readers int
	// sources are shared among the readers; each keeps to one.
	sources []source
	// timeout is that of one request to one node.
	timeout time.Duration
	// retries are the Go client's own.
	retries int
	// oneNode limits each reader to one node. Otherwise it tries the next node after a failure, as behind a load balancer.
	oneNode bool
}

// readers read tokens repeatedly and use each of them upstream.
type readers struct {
	readerGroup

	vault   *testVault
	clients []*api.Client // one for each node
	stop    context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex
	waiting int // reads under way
	reads   []tokenRead
	// wrong are the responses whose token was not the right one, or was refused.
	wrong []error
}

// tokenRead is one read, with retries on other nodes.
type tokenRead struct {
	source            source
	begin, end        time.Time
	tokenID, issuedAt string
	leaseID           string
	err               error
}

type window struct{ from, to time.Time }

func (r tokenRead) within(windows []window) bool {
	return slices.ContainsFunc(windows, func(w window) bool { return r.end.After(w.from) && r.begin.Before(w.to) })
}

func (w *testVault) startReaders(t *testing.T, sources ...source) *readers {
	t.Helper()
	group := readerGroup{name: "steady", readers: len(sources), sources: sources, timeout: 2 * time.Minute, oneNode: true}
	return w.startGroup(t, group, w.rootClient(t))
}

func (w *testCluster) startClusterReaders(t *testing.T, group readerGroup) *readers {
	t.Helper()
	group.timeout = attemptTimeout
	if group.oneNode {
		group.timeout = patientTimeout
	}
	return w.startGroup(t, group, w.clients(t, w.Token)...)
}

func (w *testVault) startGroup(t *testing.T, group readerGroup, clients ...*api.Client) *readers {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &readers{readerGroup: group, vault: w, clients: clients, stop: stop}
	for _, client := range clients {
		client.SetMaxRetries(group.retries)
	}
	for n := range group.readers {
		r.work.Go(func() {
			mine, node := clients, n
			if group.oneNode {
				mine = clients[n%len(clients):][:1]
			}
			for ticker := time.Tick(readEvery); ; {
				_, _ = r.readFrom(ctx, mine, &node, group.sources[n%len(group.sources)]) // what went wrong is noted
				select {
				case <-ctx.Done():
					return
				case <-ticker:
				}
			}
		})
	}
	t.Cleanup(r.end)
	return r
}

// end stops the readers after the reads in flight. It may be called twice.
func (r *readers) end() {
	r.stop()
	r.work.Wait()
}

// read reads once from the first node. The error is that of a failed read; a wrong response is recorded and not returned.
func (r *readers) read(ctx context.Context, s source) (*api.Secret, error) {
	return r.readFrom(ctx, r.clients[:1], new(int), s)
}

// readFrom reads once, with at most one attempt on each node and even if ctx ends meanwhile, checks the response and records it.
func (r *readers) readFrom(ctx context.Context, clients []*api.Client, node *int, s source) (*api.Secret, error) {
	ctx = context.WithoutCancel(ctx)
	r.count(1)
	read := tokenRead{source: s, begin: time.Now()}
	var response *api.Secret
	var errs []error
	for range clients {
		var err error
		if response, err = readOnce(ctx, clients[*node%len(clients)], s.path, r.timeout); err == nil {
			errs = nil
			break
		}
		errs = append(errs, fmt.Errorf("node %d: %w", *node%len(clients)+1, err))
		*node++
	}
	read.end, read.err = time.Now(), errors.Join(errs...)
	r.count(-1)
	var wrong error
	if read.err == nil {
		read.tokenID, _ = response.Data["token_id"].(string)
		read.issuedAt, _ = response.Data["issued_at"].(string)
		read.leaseID = response.LeaseID
		wrong = r.vault.checkResponse(ctx, s, response)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if wrong != nil {
		r.wrong = append(r.wrong, fmt.Errorf("%s, read in %s: %w", s.path, read.end.Sub(read.begin).Round(time.Millisecond), wrong))
		return response, nil
	}
	r.reads = append(r.reads, read)
	return response, read.err
}

func (r *readers) count(change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting += change
}

func readOnce(ctx context.Context, client *api.Client, path string, timeout time.Duration) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := client.Logical().ReadWithContext(ctx, path)
	if err == nil && response == nil {
		err = errors.New("404 without a message")
	}
	return response, err
}

// burst starts ten reads of the source and returns while half of them, at least, are under way. They are waited for by end.
func (r *readers) burst(t *testing.T, s source) {
	t.Helper()
	const size = 10
	for range size {
		r.work.Go(func() { _, _ = r.read(t.Context(), s) })
	}
	for deadline := time.Now().Add(time.Second); r.underWay() < size/2 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
}

func (r *readers) underWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// all returns the reads so far, in the order in which they ended.
func (r *readers) all() []tokenRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	reads := slices.Clone(r.reads)
	slices.SortFunc(reads, func(a, b tokenRead) int { return a.end.Compare(b.end) })
	return reads
}

// goodReads returns how many reads of the sources, or of all, went well so far.
func (r *readers) goodReads(sources ...source) int {
	reads := good(r.all())
	return len(slices.DeleteFunc(reads, func(r tokenRead) bool { return len(sources) > 0 && !slices.Contains(sources, r.source) }))
}

// wantNothingWrong checks that each response so far was the right one, and its token accepted.
func (r *readers) wantNothingWrong(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, wrong := range r.wrong {
		if n == 5 {
			t.Errorf("and %d more wrong responses; the server's log is %s", len(r.wrong)-n, r.vault.ServerLog())
			break
		}
		t.Errorf("%s readers got a wrong response: %v", r.name, wrong)
	}
}

func (r *readers) waitForReads(t *testing.T, more int) {
	t.Helper()
	want := r.goodReads() + more
	check.Eventually(t, time.Minute, fmt.Sprintf("the %s readers made fewer than %d good reads", r.name, more), func() bool {
		return r.goodReads() >= want
	})
}

// waitForGood reads until a read succeeds, and returns the failures before it. It fails the test after the timeout.
func (r *readers) waitForGood(t *testing.T, s source, timeout time.Duration) (failed []error) {
	t.Helper()
	for deadline := time.Now().Add(timeout); ; <-time.After(readEvery) {
		_, err := r.read(t.Context(), s)
		if err == nil {
			return failed
		}
		failed = append(failed, err)
		check.Require(t, !time.Now().After(deadline),
			"%s has not recovered within %s: %v; the server's log is %s", s.path, timeout, err, r.vault.ServerLog())
	}
}

// statusOf returns the HTTP status of an error of the client's, or 0 where Vault did not respond.
func statusOf(err error) int {
	if failed, ok := errors.AsType[*api.ResponseError](err); ok {
		return failed.StatusCode
	}
	return 0
}

func good(reads []tokenRead) []tokenRead {
	return slices.DeleteFunc(slices.Clone(reads), func(r tokenRead) bool { return r.err != nil })
}

func failed(reads []tokenRead) []tokenRead {
	return slices.DeleteFunc(slices.Clone(reads), func(r tokenRead) bool { return r.err == nil })
}

// longestGap returns the longest time without a successful read that overlaps the time between from and to.
func longestGap(reads []tokenRead, from, to time.Time) leaderGap {
	var longest leaderGap
	last := time.Time{}
	for _, read := range good(reads) {
		gap := leaderGap{last, read.end}
		if !last.IsZero() && gap.to.After(from) && gap.from.Before(to) && length(gap) > length(longest) {
			longest = gap
		}
		last = read.end
	}
	return longest
}

// tokensOf returns the first read of each token of a source, in order.
func tokensOf(reads []tokenRead, s source) []tokenRead {
	seen := map[string]bool{}
	return slices.DeleteFunc(good(reads), func(read tokenRead) bool {
		again := read.source != s || seen[read.tokenID]
		seen[read.tokenID] = seen[read.tokenID] || !again
		return again
	})
}
