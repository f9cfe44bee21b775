// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"

	"github.com/hashicorp/vault/sdk/logical"
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
		if o.err != nil {
			t.Fatalf("a reader got no token: %v", o.err)
		}
		ids[o.response.id]++
	}
	if len(ids) != 1 {
		t.Fatalf("%d readers got %d different tokens: %v", len(outcomes), len(ids), ids)
	}
	return outcomes[0].response.id
}

// TestTokenShared_ThousandReadersMakeOneLogin: a thousand readers at once through four roles make one login.
func TestTokenShared_ThousandReadersMakeOneLogin(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			s := f.mounted(t)
			for n := range 4 {
				s.write(fmt.Sprintf("role/app%d", n), map[string]any{"config": "gst", "lease": n%2 == 0})
			}
			s.slow(3 * time.Second)
			outcomes := s.readConcurrently(concurrentReaders, func(n int) string { return fmt.Sprintf("app%d", n%4) }, nil)
			sameToken(t, outcomes)
			for _, o := range outcomes {
				if o.waited != 3*time.Second {
					t.Fatalf("a reader waited %s for a login of 3s", o.waited)
				}
			}
			if got := s.Simulator.Counters(); got.Logins != 1 || got.LoginsOK != 1 {
				t.Errorf("%d logins for %d readers, %d succeeded; want one", got.Logins, concurrentReaders, got.LoginsOK)
			}
			if got := s.Upstream.MostInFlight(""); got != 1 {
				t.Errorf("%d logins in flight at once, want 1", got)
			}
		})
	}
}

// TestTokenShared_CanceledReaderCancelsNoOthers: a reader who gives up does not cancel the login for the others.
func TestTokenShared_CanceledReaderCancelsNoOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
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
			if waited := time.Since(began); waited != time.Second {
				t.Errorf("a reader who gave up after 1s was kept for %s", waited)
			}
		})
		synctest.Wait()
		sameToken(t, s.readConcurrently(20, toApp, nil))
		readers.Wait()
		s.wantLogins(1)
	})
}

// TestTokenShared_LoginOutlivesItsReaders: a login goes on when all its readers have gone.
func TestTokenShared_LoginOutlivesItsReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
		impatient, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, hangUp)
		for _, o := range s.readConcurrentlyIn(impatient, 2, toApp, nil) {
			if o.err == nil {
				t.Fatal("a reader got a token after it gave up")
			}
		}
		advance(10 * time.Second)
		if got := s.Simulator.Counters().LoginsOK; got != 1 {
			t.Fatalf("%d logins succeeded, want the one that the reader left behind", got)
		}
		s.token("app")
		s.wantLogins(1, "the token of the first should have been kept")
	})
}

// TestTokenShared_RequestTimeoutEndsLogin: a login has a deadline of its own.
func TestTokenShared_RequestTimeoutEndsLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour, "request_timeout", "7s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		began := time.Now()
		s.upstreamRefusal(logical.ReadOperation, "token/app", nil, http.StatusGatewayTimeout)
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("the read returned after %s, want request_timeout (7s)", took)
		}
		s.wantLogins(1)
	})
}

// TestTokenShared_RefusedReadersMakeOneLogin: a thousand readers against refused credentials make one login.
func TestTokenShared_RefusedReadersMakeOneLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.changePassword()
		refusedAll := func(outcomes []outcome) {
			t.Helper()
			for _, o := range outcomes {
				if o.err == nil {
					t.Fatal("a reader got a token for refused credentials")
				}
				if codeOf(o.err) != http.StatusBadRequest {
					t.Fatalf("refused credentials got %d (%v), want 400", codeOf(o.err), o.err)
				}
			}
		}
		refusedAll(s.readConcurrently(concurrentReaders, toApp, nil))
		if c := s.Simulator.Counters(); c.Logins != 1 || c.LoginsRefused != 1 {
			t.Fatalf("%d logins, %d refused; want 1 that was refused", c.Logins, c.LoginsRefused)
		}
		for range 14 {
			advance(time.Minute)
			began := time.Now()
			refusedAll(s.readConcurrently(concurrentReaders/10, toApp, nil))
			if waited := time.Since(began); waited != 0 {
				t.Fatalf("during the backoff readers waited %s, want a response from memory", waited)
			}
		}
		s.wantLogins(1, "within 15 minutes")
	})
}

// TestTokenShared_EachConfigHasItsOwn: each config logs in for itself.
func TestTokenShared_EachConfigHasItsOwn(t *testing.T) {
	t.Parallel()
	timed(t, "ten configs", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		var responses []<-chan asyncResult
		w.slow(3 * time.Second)
		for n := range 10 {
			name := fmt.Sprintf("gst-%d", n)
			w.write("config/"+name, jwtConfig("verify_connection", false))
			w.write("role/"+name, map[string]any{"config": name})
			responses = append(responses, w.async("token/"+name), w.async("token/"+name))
		}
		tokens := map[any]string{}
		for _, response := range responses {
			resp, err := w.wait(response).unpack()
			if err != nil || resp.IsError() {
				t.Fatalf("a reader got %v, %v", resp, err)
			}
			config := text(t, resp.Data, "config")
			if other, twice := tokens[resp.Data["token_id"]]; twice && other != config {
				t.Errorf("configs %s and %s share a token", other, config)
			}
			tokens[resp.Data["token_id"]] = config
		}
		w.wantLogins(10)
	})
}

// TestTokenShared_CanceledBeforeRead: a reader that has gone before its read costs at most one login.
func TestTokenShared_CanceledBeforeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.do(ctx, logical.ReadOperation, "token/app", nil)
		advance(10 * time.Second)
		s.token("app")
		if got := s.logins(); got > 1 {
			t.Errorf("%d logins, want at most one", got)
		}
	})
}
