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

	"vault-plugin-secrets-mastersindia/simulator"
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

// checkResponse checks that a response comes from the source: from this role and config, with a token that was issued to this
// account and that the upstream's business call accepts.
func (w *testVault) checkResponse(ctx context.Context, s source, response *api.Secret) error {
	if response.LeaseID != "" && !strings.HasPrefix(response.LeaseID, s.path+"/") {
		return fmt.Errorf("%s: the lease is one of another role: %s", s.path, response.LeaseID)
	}
	if got := response.Data["config"]; got != s.config {
		return fmt.Errorf("%s: the response is one of config %v, want %s", s.path, got, s.config)
	}
	token, _ := response.Data["access_token"].(string)
	if got := w.upstream.TokenOwner(token); got != s.owner() {
		return fmt.Errorf("%s: the token was issued to the account %q, want %q", s.path, got, s.owner())
	}
	clientID, _ := response.Data["client_id"].(string)
	status, body, accepted, err := simulator.CallBusiness(
		ctx, w.upstream.url, w.upstream.client, s.account.Protocol, token, clientID)
	if err != nil {
		return fmt.Errorf("%s: the business call: %w", s.path, err)
	}
	if !accepted {
		return fmt.Errorf("%s: upstream refused the token: %d %s", s.path, status, body)
	}
	return nil
}

// concurrentReaders read tokens repeatedly and use each of them upstream.
type concurrentReaders struct {
	testVault *testVault
	client    *api.Client
	stop      context.CancelFunc
	work      sync.WaitGroup

	mu      sync.Mutex
	waiting int // reads under way
	good    map[string]int
	leases  []string
	failed  []failedRead
	wrong   []error
}

// errNothingThere is a 404 without a message, for which Vault's client returns no error.
var errNothingThere = errors.New("there is nothing at this path")

// failedRead is a read that returned an error or nothing.
type failedRead struct {
	source   source
	from, to time.Time
	status   int // 0 where Vault did not respond
	said     string
}

// within reports whether the read was under way in one of the windows.
func (f failedRead) within(windows []window) bool {
	return slices.ContainsFunc(windows, func(w window) bool { return f.to.After(w.from) && f.from.Before(w.to) })
}

// window is a time in which something happened.
type window struct{ from, to time.Time }

// pace is the interval between the reads of a reader.
const pace = 100 * time.Millisecond

// startReaders starts one reader for each source.
func (w *testVault) startReaders(t *testing.T, sources ...source) *concurrentReaders {
	t.Helper()
	client := w.rootClient(t)
	ctx, stop := context.WithCancel(t.Context())
	c := &concurrentReaders{testVault: w, client: client, stop: stop, good: map[string]int{}}
	for _, s := range sources {
		c.work.Go(func() { c.readOn(ctx, s) })
	}
	t.Cleanup(c.end)
	return c
}

// end stops the readers after the reads in flight.
func (c *concurrentReaders) end() {
	c.stop()
	c.work.Wait()
}

func (c *concurrentReaders) readOn(ctx context.Context, s source) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = c.read(ctx, s) // What went wrong is noted.
		}
	}
}

// read reads once, even if ctx ends meanwhile, checks the response and records the result. The error is that of a failed read; a
// wrong response is recorded and not returned.
func (c *concurrentReaders) read(ctx context.Context, s source) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	c.count(1)
	from := time.Now()
	response, err := c.client.Logical().ReadWithContext(ctx, s.path)
	to := time.Now()
	c.count(-1)
	if err == nil && response == nil {
		err = errNothingThere
	}
	if err != nil {
		c.note(failedRead{source: s, from: from, to: to, status: statusOf(err), said: err.Error()})
		return nil, err
	}
	wrong := c.testVault.checkResponse(ctx, s, response)
	c.mu.Lock()
	defer c.mu.Unlock()
	if wrong != nil {
		c.wrong = append(c.wrong, wrong)
		return response, nil
	}
	c.good[s.path]++
	if response.LeaseID != "" {
		c.leases = append(c.leases, response.LeaseID)
	}
	return response, nil
}

func (c *concurrentReaders) count(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting += change
}

func (c *concurrentReaders) note(f failedRead) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = append(c.failed, f)
}

// burstSize is how many reads burst starts.
const burstSize = 10

// rush starts reads of the source and returns while some of them, at least, are under way. They are waited for by end.
func (c *concurrentReaders) burst(t *testing.T, s source) {
	t.Helper()
	for range burstSize {
		c.work.Go(func() { _, _ = c.read(t.Context(), s) })
	}
	deadline := time.Now().Add(time.Second)
	for c.underWay() < burstSize/2 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
}

// underWay returns how many reads are in flight.
func (c *concurrentReaders) underWay() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// goodReads returns how many reads of the sources went well so far.
func (c *concurrentReaders) goodReads(sources ...source) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, s := range sources {
		sum += c.good[s.path]
	}
	return sum
}

// leasesRead returns the leases of all responses so far.
func (c *concurrentReaders) leasesRead() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.leases)
}

// failures returns the reads that failed so far.
func (c *concurrentReaders) failures() []failedRead {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.failed)
}

// wantNothingWrong checks that no response so far was a wrong one.
func (c *concurrentReaders) wantNothingWrong(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, wrong := range c.wrong {
		if n == 5 {
			t.Errorf("and %d more wrong responses; the server's log is %s", len(c.wrong)-n, c.testVault.ServerLog())
			break
		}
		t.Errorf("a wrong response: %v", wrong)
	}
}

// waitForGood reads until a read succeeds, and returns the failures before it. It fails the test after the timeout.
func (c *concurrentReaders) waitForGood(t *testing.T, s source, timeout time.Duration) (response *api.Secret, failed []error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		response, err := c.read(t.Context(), s)
		if err == nil {
			return response, failed
		}
		failed = append(failed, err)
		if time.Now().After(deadline) {
			t.Fatalf("%s has not recovered within %s: %v; the server's log is %s", s.path, timeout, err, c.testVault.ServerLog())
		}
		<-time.After(pace)
	}
}

// statusOf returns the HTTP status of an error of the client's, or 0 where Vault did not respond.
func statusOf(err error) int {
	if failed, ok := errors.AsType[*api.ResponseError](err); ok {
		return failed.StatusCode
	}
	return 0
}
