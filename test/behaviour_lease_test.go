// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestALeaseEndsFiveSecondsBeforeItsTokenAtWhateverMomentItIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, 20*time.Minute)
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		var last answer
		for {
			advance(457 * time.Millisecond)
			a, err := s.ask(t.Context(), "app", nil)
			if err != nil {
				break
			}
			if a.id != first.id {
				t.Fatal("another token although every login fails")
			}
			want := time.Until(first.issued.Add(20*time.Minute)) - 5*time.Second
			if a.lease != want.Truncate(time.Second) || a.lease <= 0 {
				t.Fatalf("lease of %s with %s to live, want %s", a.lease, want+5*time.Second, want.Truncate(time.Second))
			}
			last = a
		}
		if s.Simulator.Counters().Faulted == 0 {
			t.Fatal("the upstream was never asked")
		}
		if last.lease != time.Second {
			t.Errorf("the last lease was of %s, want 1s: a token is served down to 6 s", last.lease)
		}
		if left := time.Until(first.issued.Add(20 * time.Minute)); left >= 6*time.Second || left < 5*time.Second {
			t.Errorf("reads began to fail with %s left, want just under 6s", left)
		}
	})
}

func TestALeaseEndsByTheRoleAndTheMountToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, 24*time.Hour)
		s.write("role/short", map[string]any{"config": "gst", "max_ttl": "10m"})
		if got := s.token("short").lease; got != 10*time.Minute {
			t.Errorf("lease of %s, want the role's 10m", got)
		}
		if got := s.token("app").lease; got < 24*time.Hour-7*time.Second || got > 24*time.Hour-5*time.Second {
			t.Errorf("lease of %s, want the token's life less 5s", got)
		}
		s.Node.SetMaxLease(5 * time.Minute)
		advance(time.Minute + time.Second) // the mount's limit is known as it was at most a minute ago
		for _, role := range []string{"app", "short"} {
			if got := s.token(role).lease; got != 5*time.Minute {
				t.Errorf("lease of %s on role %s, want the mount's 5m", got, role)
			}
		}
		resp := s.read("token/app")
		if len(resp.Warnings) != 0 {
			t.Errorf("a lease that is capped comes with warnings: %q", resp.Warnings)
		}
	})
}

func TestAWarmReadTouchesNeitherStorageNorTheHostNorTheUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, time.Hour)
		s.token("app")
		s.token("still")
		synctest.Wait() // the ledger is told
		storage, host := s.Storage.Count(), s.Node.Calls()
		const reads = 100
		for range reads {
			advance(100 * time.Millisecond)
			s.token("app")
			s.token("still")
		}
		if got := s.Storage.Count() - storage; got != 0 {
			t.Errorf("%d storage accesses in %d warm reads, want none", got, 2*reads)
		}
		// The SDK itself asks for the replication state once a request.
		if got := s.Node.Calls() - host; got > 2*reads+1 {
			t.Errorf("%d calls to the host in %d warm reads, want one a read", got, 2*reads)
		}
		s.wantLogins(1)
	})
}

func TestEndingALeaseAlwaysWorksAndDropsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, time.Hour)
		a := s.token("app")
		lease := s.read("token/app").Secret
		if lease == nil || lease.InternalData["secret_type"] != "mastersindia_token" {
			t.Fatalf("lease %v", lease)
		}
		end := func(what string, data map[string]any) {
			t.Helper()
			secret := *lease
			secret.InternalData = data
			req := s.leaseRequest(logical.RevokeOperation, &secret)
			if resp, err := s.Backend().HandleRequest(t.Context(), req); err != nil || resp != nil && resp.IsError() {
				t.Errorf("%s: the lease did not end: %v, %v", what, resp, err)
			}
		}
		end("as it is", lease.InternalData)
		if got := s.token("app"); got.id != a.id || !s.Simulator.TokenAlive(a.access) {
			t.Error("ending one lease dropped the shared token")
		}
		end("of another version", map[string]any{"secret_type": "mastersindia_token", "schema": 999, "config": 7})
		end("of an older version", map[string]any{"secret_type": "mastersindia_token"})
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		end("with the upstream down", lease.InternalData)
		if _, err := s.do(t.Context(), logical.DeleteOperation, "config/gst", nil); err != nil {
			t.Fatal(err)
		}
		end("with the config gone", lease.InternalData)
		s.LoseStorage()
		end("with no storage", lease.InternalData)
		if !s.Simulator.TokenAlive(a.access) {
			t.Error("ending leases logged somebody out upstream")
		}
	})
}
