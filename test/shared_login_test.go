// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

const concurrentReaders = 1000

// outcome is the result of one reader.
type outcome struct {
	response tokenResponse
	err      error
	waited   time.Duration
}

// readConcurrently starts n reads at the same time and returns the result of each.
func (s *testMount) readConcurrently(n int, role func(n int) string, data map[string]any) []outcome {
	return s.readConcurrentlyIn(s.t.Context(), n, role, data)
}

func (s *testMount) readConcurrentlyIn(ctx context.Context, n int, role func(n int) string, data map[string]any) []outcome {
	outcomes := make([]outcome, n)
	var readers sync.WaitGroup
	for reader := range n {
		readers.Go(func() {
			began := time.Now()
			o := &outcomes[reader]
			o.response, o.err = s.ask(ctx, role(reader), data)
			o.waited = time.Since(began)
		})
	}
	readers.Wait()
	return outcomes
}

func toApp(int) string { return "app" }

// sameToken fails the test unless all readers got one and the same token.
func sameToken(t *testing.T, outcomes []outcome) string {
	t.Helper()
	ids := make(map[string]int)
	for _, o := range outcomes {
		check.Require(t, o.err == nil, "a reader got no token: %v", o.err)
		ids[o.response.id]++
	}
	check.Require(t, len(ids) == 1, "%d readers got %d different tokens: %v", len(outcomes), len(ids), ids)
	return outcomes[0].response.id
}

func TestTokenShared_ThousandReadersMakeOneLogin(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		s := f.mounted(t)
		for n := range 4 {
			s.write(fmt.Sprintf("role/app%d", n), map[string]any{"config": "gst", "lease": n%2 == 0})
		}
		s.slow(3 * time.Second)
		outcomes := s.readConcurrently(concurrentReaders, func(n int) string { return fmt.Sprintf("app%d", n%4) }, nil)
		sameToken(t, outcomes)
		for _, o := range outcomes {
			check.Require(t, o.waited == 3*time.Second, "a reader waited %s for a login of 3s", o.waited)
		}
		got := s.Simulator.Counters()
		check.True(t, got.Logins == 1 && got.LoginsOK == 1, "%d logins for %d readers, %d succeeded; want one", got.Logins, concurrentReaders, got.LoginsOK)
		check.Equal(t, s.Upstream.MostInFlight(""), 1, "logins in flight at once")
	})
}

func TestTokenShared_CanceledReaderCancelsNoOthers(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		var readers sync.WaitGroup
		readers.Go(func() {
			// The first, who causes the login, is the one who gives up.
			if _, err := s.ask(impatient, "app", nil); err == nil {
				t.Error("a reader got a token after it gave up")
			} else if !errors.Is(err, context.DeadlineExceeded) && codeOf(err) != http.StatusGatewayTimeout {
				t.Errorf("a reader who gave up got: %v", err)
			}
			check.Equal(t, time.Since(began), time.Second, "a reader who gave up after 1s was kept for")
		})
		synctest.Wait()
		sameToken(t, s.readConcurrently(20, toApp, nil))
		readers.Wait()
		s.wantLogins(1)
	})
}

func TestTokenShared_LoginOutlivesItsReaders(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
		impatient, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, hangUp)
		for _, o := range s.readConcurrentlyIn(impatient, 2, toApp, nil) {
			check.Require(t, o.err != nil, "a reader got a token after it gave up")
		}
		advance(10 * time.Second)
		check.RequireEqual(t, s.Simulator.Counters().LoginsOK, 1, "logins succeeded")
		s.token("app")
		s.wantLogins(1, "the token of the first should have been kept")
	})
}

func TestTokenShared_RequestTimeoutEndsLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour, "request_timeout", "7s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		began := time.Now()
		s.upstreamRefusal(logical.ReadOperation, "token/app", nil, http.StatusGatewayTimeout)
		check.Equal(t, time.Since(began), 7*time.Second, "the read returned after")
		s.wantLogins(1)
	})
}

// Many names come and go at once, beside one account, for the race detector and the runtime's own check of maps.
func TestConcurrent_EachNameAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2()
		w := f.mounted(t)
		w.Storage.Fail(mounttest.Put, "role/unstored", mounttest.ErrStorage())
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for round := range 20 {
					name := fmt.Sprintf("name-%d-%d", n, round)
					for _, step := range []request{
						{logical.UpdateOperation, "config/" + name, f.config},
						{logical.UpdateOperation, "role/unstored-" + name, map[string]any{"config": name}},
						{logical.RollbackOperation, "", nil},
						{logical.UpdateOperation, "role/" + name, map[string]any{"config": name}},
						{logical.ReadOperation, "token/" + name, nil},
						{logical.ReadOperation, "status/" + name, nil},
						{logical.ReadOperation, "metrics", nil},
						{logical.UpdateOperation, "rotate/" + name, nil},
						{logical.ReadOperation, "token/app", nil},
						{logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": round + 1}},
						{logical.UpdateOperation, "rotate/gst", nil},
						{logical.UpdateOperation, "revoke/gst", nil},
						{logical.ReadOperation, "ledger/gst", nil},
						{logical.ListOperation, "ledger/", nil},
						{logical.UpdateOperation, "revoke/" + name, nil},
						{logical.DeleteOperation, "role/" + name, nil},
						{logical.DeleteOperation, "config/" + name, nil},
					} {
						r, refused := asRefusal(w.do(t.Context(), step.op, step.path, step.data))
						check.True(t, refused == strings.HasPrefix(step.path, "role/unstored"), "%s %s: %d %s", step.op, step.path, r.status, r.message)
					}
				}
			})
		}
		all.Wait()
		w.wantLiveToken()
		now := w.scrape()
		check.Equal(t, now.samples[`reads_total{config="gst",result="ok"}`], 161, "reads of gst are counted")
		check.Equal(t, now.configs(), []string{"gst"}, "series")
	})
}

// No login follows within five seconds of one that was given up, whatever changes the account.
func TestTokenShared_GivenUpLoginsAreFew(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"deleted and written again": func(s *testMount) {
			_, _ = s.do(s.t.Context(), logical.DeleteOperation, "config/gst", nil)
			s.write("config/gst", jwtConfig("verify_connection", false))
		},
		"changed": func(s *testMount) {
			s.write("config/gst", branch(time.Now().String(), "verify_connection", false))
		},
		"revoked": func(s *testMount) { s.write("revoke/gst", nil) },
	}, func(t *testing.T, change func(s *testMount)) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		var reads []<-chan asyncResult
		for range 20 {
			reads = append(reads, s.async("token/app"))
			advance(100 * time.Millisecond)
			change(s)
		}
		n := len(s.Upstream.Logins())
		atMost(t, n, 2, "logins sent within two seconds")
		for _, r := range reads {
			s.wait(r)
		}
		advance(2 * time.Minute)
	})
}

// A login that was given up by a deletion, of which nobody waits any more.
func TestTokenShared_GivenUpLoginsOfDeletedConfigAreFew(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			_, _ = s.ask(ctx, "app", nil)
			cancel()
			s.remove("config/gst")
			advance(100 * time.Millisecond)
			s.write("config/gst", jwtConfig("verify_connection", false))
		}
		atMost(t, len(s.Upstream.Logins()), 1, "logins sent within 1.2 seconds")
	})
}
