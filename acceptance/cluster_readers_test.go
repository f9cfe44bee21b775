// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// readEvery is the interval between the reads of a reader.
	readEvery = 200 * time.Millisecond
	// attemptTimeout bounds one request to one node, which may hang: Vault waits long for a quorum.
	attemptTimeout = 5 * time.Second
	// patientTimeout is for readers with only one node.
	patientTimeout = 15 * time.Second
)

// clusterRead is one read, with retries on other nodes.
type clusterRead struct {
	role       string
	begin, end time.Time
	tokenID    string
	issuedAt   string
	attempts   int
	err        error
}

// readerGroup is the behaviour of clusterReaders.
type readerGroup struct {
	name    string
	readers int
	roles   []string
	// retries are the Go client's own.
	retries int
	// oneNode limits each reader to one node. Otherwise it tries the next node after a failure, as behind a load balancer.
	oneNode bool
}

// clusterReaders read tokens from a cluster repeatedly, and use each of them at once for a business call.
type clusterReaders struct {
	readerGroup

	cluster  *testCluster
	business *http.Client
	stop     chan struct{}
	done     errgroup.Group

	mu    sync.Mutex
	reads []clusterRead
	// refused are the business calls whose token upstream refused.
	refused []string
}

// startClusterReaders starts readers, which read until end.
func (w *testCluster) startClusterReaders(t *testing.T, group readerGroup) *clusterReaders {
	t.Helper()
	transport := w.upstream.client.Transport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = group.readers
	s := &clusterReaders{
		readerGroup: group, cluster: w, stop: make(chan struct{}),
		business: &http.Client{Transport: transport, Timeout: patientTimeout},
	}
	ctx := t.Context()
	for n := range group.readers {
		clients := w.clients(t, w.Token)
		if group.oneNode {
			clients = clients[n%len(clients):][:1]
		}
		for _, client := range clients {
			client.SetMaxRetries(group.retries)
		}
		s.done.Go(func() error {
			s.run(ctx, clients, n)
			return nil
		})
	}
	t.Cleanup(s.end)
	return s
}

// end stops the readers after the reads in flight. It may be called twice.
func (s *clusterReaders) end() {
	s.mu.Lock()
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.mu.Unlock()
	_ = s.done.Wait() // they note their errors
	s.business.CloseIdleConnections()
}

// run is one reader: it keeps using a node until that fails.
func (s *clusterReaders) run(ctx context.Context, clients []*api.Client, number int) {
	ticker := time.NewTicker(readEvery)
	defer ticker.Stop()
	node := number
	for round := 0; ; round++ {
		read, response := s.read(ctx, clients, &node, s.roles[(number+round)%len(s.roles)])
		refusal := ""
		if response != nil {
			refusal = s.use(ctx, read, response)
		}
		s.mu.Lock()
		s.reads = append(s.reads, read)
		if refusal != "" {
			s.refused = append(s.refused, refusal)
		}
		s.mu.Unlock()
		select {
		case <-s.stop:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// read reads once, with at most one attempt on each node.
func (s *clusterReaders) read(ctx context.Context, clients []*api.Client, node *int, role string) (clusterRead, *api.Secret) {
	read, timeout := clusterRead{role: role, begin: time.Now()}, attemptTimeout
	if s.oneNode {
		timeout = patientTimeout
	}
	var errs []error
	for range clients {
		client := clients[*node%len(clients)]
		read.attempts++
		response, err := readOnce(ctx, client, "mastersindia/token/"+role, timeout)
		if err == nil {
			read.end = time.Now()
			read.tokenID, _ = response.Data["token_id"].(string)
			read.issuedAt, _ = response.Data["issued_at"].(string)
			return read, response
		}
		errs = append(errs, fmt.Errorf("node %d: %w", *node%len(clients)+1, err))
		*node++
	}
	read.end, read.err = time.Now(), errors.Join(errs...)
	return read, nil
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

// use makes the business call with the token of a response, and returns the error if upstream refused the token.
func (s *clusterReaders) use(ctx context.Context, read clusterRead, response *api.Secret) string {
	token, _ := response.Data["access_token"].(string)
	status, body, accepted, err := simulator.CallBusiness(ctx, s.cluster.upstream.url, s.business, simulator.JWT, token, "")
	switch {
	case ctx.Err() != nil, accepted:
		return ""
	case err != nil:
		return fmt.Sprintf("role %s: the business call failed: %v", read.role, err)
	default:
		return fmt.Sprintf("role %s: upstream refused token %s, issued at %s, which was read in %s and used %s later: %d %s",
			read.role, read.tokenID, read.issuedAt, read.end.Sub(read.begin).Round(time.Millisecond),
			time.Since(read.end).Round(time.Millisecond), status, body)
	}
}

// all returns the reads so far, in the order in which they ended.
func (s *clusterReaders) all() []clusterRead {
	s.mu.Lock()
	defer s.mu.Unlock()
	reads := slices.Clone(s.reads)
	slices.SortFunc(reads, func(a, b clusterRead) int { return a.end.Compare(b.end) })
	return reads
}

// wantNoneRefused checks that upstream accepted every token that a reader got.
func (s *clusterReaders) wantNoneRefused(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, refusal := range s.refused {
		t.Errorf("%s readers: %s", s.name, refusal)
	}
}

// waitForReads waits until more reads have succeeded.
func (s *clusterReaders) waitForReads(t *testing.T, more int) {
	t.Helper()
	want := len(good(s.all())) + more
	must.Happen(t, time.Minute, fmt.Sprintf("the %s readers made fewer than %d good reads", s.name, more), func() bool {
		return len(good(s.all())) >= want
	})
}

// good returns the reads that succeeded.
func good(reads []clusterRead) []clusterRead {
	return slices.DeleteFunc(slices.Clone(reads), func(r clusterRead) bool { return r.err != nil })
}

// failed returns the reads that failed.
func failed(reads []clusterRead) []clusterRead {
	return slices.DeleteFunc(slices.Clone(reads), func(r clusterRead) bool { return r.err == nil })
}

// longestGap returns the longest time without a successful read that overlaps the time between from and to.
func longestGap(reads []clusterRead, from, to time.Time) leaderGap {
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

// tokensOf returns the first read of each token of a role, in order.
func tokensOf(reads []clusterRead, role string) []clusterRead {
	seen := map[string]bool{}
	var tokens []clusterRead
	for _, read := range good(reads) {
		if read.role == role && !seen[read.tokenID] {
			seen[read.tokenID] = true
			tokens = append(tokens, read)
		}
	}
	return tokens
}
