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

	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// readEvery is how often each steady reader reads.
	readEvery = 200 * time.Millisecond
	// attemptTimeout bounds one request to one node, which may be stuck: Vault waits long for a majority that does not come.
	attemptTimeout = 5 * time.Second
	// patientTimeout is for whoever has one node only.
	patientTimeout = 15 * time.Second
)

// steadyRead is one read of a steady reader, on as many nodes as it took.
type steadyRead struct {
	role       string
	begin, end time.Time
	tokenID    string
	issuedAt   string
	attempts   int
	err        error
}

// readerGroup says what steady readers do.
type readerGroup struct {
	name    string
	readers int
	roles   []string
	// retries are the Go client's own.
	retries int
	// oneNode has each reader know one node only. Otherwise it asks the next one where one has failed, as behind a load balancer.
	oneNode bool
}

// steadyReaders read tokens all the time and use each one at once for a business call.
type steadyReaders struct {
	readerGroup

	world    *clusterWorld
	business *http.Client
	stop     chan struct{}
	done     errgroup.Group

	mu    sync.Mutex
	reads []steadyRead
	// refused are the business calls whose token upstream did not take.
	refused []string
}

// readSteadily starts readers, which read until they are ended.
func (w *clusterWorld) readSteadily(t *testing.T, group readerGroup) *steadyReaders {
	t.Helper()
	transport := w.upstream.client.Transport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = group.readers
	s := &steadyReaders{
		readerGroup: group, world: w, stop: make(chan struct{}),
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

// end lets the readers finish what they are at. Ending them twice is fine.
func (s *steadyReaders) end() {
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

// run is one reader: it stays with a node until that fails.
func (s *steadyReaders) run(ctx context.Context, clients []*api.Client, number int) {
	ticker := time.NewTicker(readEvery)
	defer ticker.Stop()
	node := number
	for round := 0; ; round++ {
		read, answer := s.read(ctx, clients, &node, s.roles[(number+round)%len(s.roles)])
		refusal := ""
		if answer != nil {
			refusal = s.use(ctx, read, answer)
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

// read reads once, on each node at most.
func (s *steadyReaders) read(ctx context.Context, clients []*api.Client, node *int, role string) (steadyRead, *api.Secret) {
	read, timeout := steadyRead{role: role, begin: time.Now()}, attemptTimeout
	if s.oneNode {
		timeout = patientTimeout
	}
	var errs []error
	for range clients {
		client := clients[*node%len(clients)]
		read.attempts++
		answer, err := readOnce(ctx, client, "mastersindia/token/"+role, timeout)
		if err == nil {
			read.end = time.Now()
			read.tokenID, _ = answer.Data["token_id"].(string)
			read.issuedAt, _ = answer.Data["issued_at"].(string)
			return read, answer
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
	answer, err := client.Logical().ReadWithContext(ctx, path)
	if err == nil && answer == nil {
		err = errors.New("404 without a message")
	}
	return answer, err
}

// use makes the business call with the token of an answer, and returns what upstream said when it did not take the token.
func (s *steadyReaders) use(ctx context.Context, read steadyRead, answer *api.Secret) string {
	token, _ := answer.Data["access_token"].(string)
	status, body, accepted, err := simulator.CallBusiness(ctx, s.world.upstream.url, s.business, simulator.JWT, token, "")
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
func (s *steadyReaders) all() []steadyRead {
	s.mu.Lock()
	defer s.mu.Unlock()
	reads := slices.Clone(s.reads)
	slices.SortFunc(reads, func(a, b steadyRead) int { return a.end.Compare(b.end) })
	return reads
}

// wantNoneRefused checks that upstream took every token that a reader got.
func (s *steadyReaders) wantNoneRefused(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, refusal := range s.refused {
		t.Errorf("%s readers: %s", s.name, refusal)
	}
}

// waitForReads waits until so many more reads have succeeded.
func (s *steadyReaders) waitForReads(t *testing.T, more int) {
	t.Helper()
	want := len(good(s.all())) + more
	deadline := time.After(time.Minute)
	for len(good(s.all())) < want {
		select {
		case <-deadline:
			t.Fatalf("the %s readers made fewer than %d good reads in a minute", s.name, more)
		case <-time.After(readEvery):
		}
	}
}

// good returns the reads that succeeded.
func good(reads []steadyRead) []steadyRead {
	return slices.DeleteFunc(slices.Clone(reads), func(r steadyRead) bool { return r.err != nil })
}

// failed returns the reads that did not.
func failed(reads []steadyRead) []steadyRead {
	return slices.DeleteFunc(slices.Clone(reads), func(r steadyRead) bool { return r.err == nil })
}

// longestGap returns the longest time without a good read that fell, at least in part, between from and to.
func longestGap(reads []steadyRead, from, to time.Time) interregnum {
	var longest interregnum
	last := time.Time{}
	for _, read := range good(reads) {
		gap := interregnum{last, read.end}
		if !last.IsZero() && gap.to.After(from) && gap.from.Before(to) && length(gap) > length(longest) {
			longest = gap
		}
		last = read.end
	}
	return longest
}

// tokensOf returns the token_id of each token that readers of a role got, in the order in which they came up.
func tokensOf(reads []steadyRead, role string) []steadyRead {
	seen := map[string]bool{}
	var tokens []steadyRead
	for _, read := range good(reads) {
		if read.role == role && !seen[read.tokenID] {
			seen[read.tokenID] = true
			tokens = append(tokens, read)
		}
	}
	return tokens
}
