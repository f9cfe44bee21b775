// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"

	"github.com/hashicorp/vault/sdk/logical"
)

// A reader whose login has timed out is not sent to look after Vault's storage, which takes milliseconds as ever.
func TestRead_UpstreamHangsOnOrdinaryStorage(t *testing.T) {
	eachOf(t, []time.Duration{time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond}, func(t *testing.T, latency time.Duration) {
		s := gstMount(t, time.Hour)
		s.Storage.SlowPuts(latency)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		began := time.Now()
		text := s.failure("app").Error()
		waited := time.Since(began)
		check.Require(t, waited >= 15*time.Second, "the reader has waited %s: the upstream did not hang", waited)
		check.True(t, !strings.Contains(text, "storage"), "the message blames the storage, whose writes take %s: %s", latency, text)
		s.wantLogins(1, "which timed out")
		advance(time.Minute)
	})
}

func TestStorageOutage_WritesBackOff(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		first := s.token("app")
		advance(30 * time.Minute)
		before, logins := s.Storage.Count(mounttest.Put), s.logins()
		const most = 3000 // after so many it takes writes again, so that this test comes to an end
		s.Storage.FailPuts(most)
		for range 20 * 60 {
			advance(time.Second)
			a, err := s.ask(t.Context(), "app", nil)
			check.Require(t, err == nil && s.Simulator.TokenAlive(a.access), "the token, which lives, was not served: %v", err)
		}
		writes := s.Storage.Count(mounttest.Put) - before
		check.Require(t, writes != 0, "storage was not written to")
		check.True(t, writes <= 300, "%d writes in 20 minutes to a storage that takes none, want a pause between them", writes)
		s.Storage.Heal()
		advance(5 * time.Minute)
		check.True(t, s.token("app").id != first.id,
			"the token was not rotated when storage took writes again: %d logins, before %d", s.logins(), logins)
	})
}

func TestStorageOutage_UnsavedTokenServed(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		release := s.Upstream.Hold()
		got := make(chan error, 1)
		go func() {
			_, err := s.ask(t.Context(), "app", nil)
			got <- err
		}()
		advance(time.Second) // the login has begun, and that is stored
		s.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		release()
		check.Equal(t, <-got, nil, "a good token was refused since it could not be stored")
		for range 50 {
			s.token("app")
		}
		s.wantLogins(1)
	})
}

// A reader waits at most 15 s, whatever storage does not give, and gets an error that names the cause.
func TestRead_StorageHangs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ access, prefix string }{
		{mounttest.Get, "role/"}, {mounttest.Get, "config/"}, {mounttest.Get, "token/"}, {mounttest.Put, "token/"},
	} {
		timed(t, c.access+" "+c.prefix, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Reload()
			s.Storage.Slow(c.access, c.prefix, 80*time.Second)
			began := time.Now()
			err := s.failure("app")
			between(t, time.Since(began), 15*time.Second, 16*time.Second, "a reader has waited")
			s.wantLogins(0, "while storage hangs")
			check.True(t, strings.Contains(err.Error(), "storage") && !strings.Contains(err.Error(), "upstream"), "it blames the wrong one: %v", err)
			s.Storage.Heal()
			advance(2 * time.Minute)
		})
	}
}

// TestStorageHangs_GatewayTimeout makes requests whose response needs what storage does not give within the time of a request.
func TestStorageHangs_GatewayTimeout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op                     logical.Operation
		path, access, withheld string
	}{
		{logical.ReadOperation, "token/gst", mounttest.Get, "config/"}, // a misspelt role: the message needs more than the role
		{logical.ReadOperation, "token/gst", mounttest.List, "role/"},
		{logical.ReadOperation, "config/gst", mounttest.Get, "config/"},
		{logical.ReadOperation, "role/app", mounttest.Get, "role/"},
		{logical.ListOperation, "config/", mounttest.List, "config/"},
		{logical.ListOperation, "role/", mounttest.List, "role/"},
		{logical.ListOperation, "status/", mounttest.List, "config/"},
		{logical.ReadOperation, "status/app", mounttest.Get, "config/"},
		{logical.UpdateOperation, "config/app", mounttest.Get, "config/"},
		{logical.UpdateOperation, "role/app", mounttest.Get, "role/"},
		{logical.UpdateOperation, "revoke/app", mounttest.Get, "config/"},
		{logical.UpdateOperation, "rotate/app", mounttest.Get, "role/"},
	} {
		timed(t, c.path+" "+c.access+" "+c.withheld, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.token("app")
			s.Reload()
			s.Storage.Slow(c.access, c.withheld, time.Hour)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second) // as Vault does
			defer cancel()
			resp, err := s.do(ctx, c.op, c.path, nil)
			check.Require(t, err != nil, "no error: %v", resp)
			check.Equal(t, codeOf(err), http.StatusGatewayTimeout, "code")
			check.True(t, strings.Contains(err.Error(), "storage has not responded yet: try again"), "response %v, error %v", resp, err)
			s.Storage.Heal()
			advance(2 * time.Minute)
		})
	}
}

// TestStorageHangs_WriteEnds has storage not take a config or role: a seal, which cancels the request after 5 s and waits for it, must
// not wait as long as storage does. The next write of the entry comes after that one.
func TestStorageHangs_WriteEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op           logical.Operation
		path, access string
		data         map[string]any
	}{
		{logical.UpdateOperation, "config/gst", mounttest.Put, map[string]any{"max_token_ttl": "30m"}},
		{logical.UpdateOperation, "config/gst", mounttest.Put, branch("7")},
		{logical.UpdateOperation, "role/app", mounttest.Put, map[string]any{"max_ttl": "30m"}},
		{logical.DeleteOperation, "config/gst", mounttest.Delete, nil},
		{logical.DeleteOperation, "role/app", mounttest.Delete, nil},
	} {
		timed(t, string(c.op)+" "+c.path, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.token("app")
			prefix, _, _ := strings.Cut(c.path, "/")
			s.Storage.Slow(c.access, prefix+"/", 10*time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			_, err := s.do(ctx, c.op, c.path, c.data)
			between(t, time.Since(began), 28*time.Second, 31*time.Second, "the request has waited")
			check.Equal(t, codeOf(err), http.StatusGatewayTimeout, "code")
			s.Storage.Heal()
			again, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			_, err = s.do(again, c.op, c.path, c.data)
			check.Require(t, err != nil, "it was written beside the write that has not ended")
			check.Contains(t, err.Error(), "another write of it has not ended")
			advance(20 * time.Minute)
			_, err = s.do(t.Context(), c.op, c.path, c.data)
			check.NoError(t, err)
			resp, _ := s.do(t.Context(), logical.ReadOperation, c.path, nil)
			check.Equal(t, resp != nil, c.op == logical.UpdateOperation, "it is there")
		})
	}
}
