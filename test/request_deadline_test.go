// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Sealing and step-down wait for the requests that are open.
func TestUpstreamHangs_NoRequestIsOpenForLong(t *testing.T) {
	eachNamed(t, map[string]map[string]any{"rotate/gst": nil, "revoke/gst": nil, "config/gst": branch("7")}, func(t *testing.T, path string, data map[string]any) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		reader := s.async("token/app") // its login is in flight
		advance(time.Second)
		began := time.Now()
		_, err := s.do(t.Context(), logical.UpdateOperation, path, data)
		waited := time.Since(began)
		check.True(t, waited <= 30*time.Second, "%s has held up sealing and step-down for %s (%v)", path, waited, err)
		s.wait(reader)
		advance(2 * time.Minute)
	})
}

// The same while storage takes the record of an account and does not respond.
func TestStorageHangs_NoRequestIsOpenForLong(t *testing.T) {
	type testCase struct {
		op   logical.Operation
		path string
		data map[string]any
		puts int // of the record that storage takes before it hangs
	}
	eachPair(t, []testCase{
		{logical.UpdateOperation, "rotate/gst", nil, 0},
		{logical.UpdateOperation, "revoke/gst", nil, 0},
		{logical.UpdateOperation, "config/gst", branch("7", "verify_connection", false), 0},
		{logical.UpdateOperation, "config/gst", branch("7"), 0},
		{logical.UpdateOperation, "config/gst", map[string]any{"password": "not the password"}, 1},
		{logical.DeleteOperation, "config/gst", nil, 0},
	}, []bool{true, false}, func(t *testing.T, c testCase, loaded bool) {
		s := gstMount(t, time.Hour)
		s.token("app")
		taken := 0
		s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			if (kind == mounttest.Get) == loaded || !strings.HasPrefix(key, "token/") {
				return mounttest.Fault{}
			}
			if taken++; loaded && taken <= c.puts {
				return mounttest.Fault{}
			}
			return mounttest.Fault{Wait: 5 * time.Minute}
		})
		if !loaded {
			s.Reload() // which begins to load the account
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second) // as Vault does
		defer cancel()
		began := time.Now()
		_, resp, err := s.Do(ctx, c.op, c.path, c.data)
		waited := time.Since(began)
		between(t, waited, 10*time.Second, 30*time.Second, "%s has held up sealing and step-down (%v) for", c.path, err)
		check.True(t, err == nil || c.puts > 0 || strings.Contains(err.Error(), "storage") && !strings.Contains(err.Error(), "upstream"),
			"it blames the wrong one: %v", err)
		check.True(t, !strings.HasPrefix(c.path, "config/") || err != nil || resp != nil && strings.Contains(warningsOf(resp), "Vault's storage"),
			"the response is %v, want a warning that storage has not taken all", resp)
		s.Storage.Heal()
		advance(10 * time.Minute)
		_, err = s.ask(t.Context(), "app", nil)
		check.True(t, (err != nil) == (c.op == logical.DeleteOperation), "a read when storage is well again: %v", err)
	})
}

// Sealing and step-down wait for the requests in flight.
func TestRead_ColdReaderWaitsAtMost15Seconds(t *testing.T) {
	type testCase struct {
		data      map[string]any
		meanwhile func(s *testMount)
	}
	each(t, map[string]testCase{
		"plain":    {nil, nothing},
		"rejected": {reject("0123456789abcdef"), nothing},
		"settings written meanwhile": {nil, func(s *testMount) {
			for _, name := range []string{"7", "8", "9", "10", "11"} {
				advance(4 * time.Second)
				s.write("config/gst", branch(name, "verify_connection", false))
			}
		}},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		began := time.Now()
		read := s.asyncRequest(t.Context(), logical.ReadOperation, "token/app", c.data)
		go c.meanwhile(s)
		r := s.wait(read)
		atMost(t, r.at.Sub(began), 15*time.Second+100*time.Millisecond, "a reader without a token waited")
		refused, is := asRefusal(r.unpack())
		check.True(t, is && refused.status == http.StatusGatewayTimeout, "the reader got %v, want 504", refused)
		advance(30 * time.Second)
	})
}

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

// A reader waits at most 15 s, whatever storage does not give, and gets an error that names the cause.
func TestRead_StorageHangs(t *testing.T) {
	type testCase struct{ access, prefix string }
	eachOf(t, []testCase{
		{mounttest.Get, "role/"}, {mounttest.Get, "config/"}, {mounttest.Get, "token/"}, {mounttest.Put, "token/"},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		s.Reload()
		never := make(chan struct{})
		s.Storage.On(c.access, c.prefix, mounttest.Fault{Hold: never})
		began := time.Now()
		err := s.failure("app")
		between(t, time.Since(began), 15*time.Second, 16*time.Second, "a reader has waited")
		s.wantLogins(0, "while storage hangs")
		check.True(t, strings.Contains(err.Error(), "storage") && !strings.Contains(err.Error(), "upstream"), "it blames the wrong one: %v", err)
		s.Storage.Heal()
		if c.access == mounttest.Put {
			close(never) // a write is waited for: one that was given up could land after the next one
		}
		advance(2 * time.Minute)
		s.token("app")
	})
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

// A change takes 28 s at most, however slow storage is: sealing and step-down wait for the request.
// A write of a config has several steps of storage, each of which may take as long as the whole request.
func TestRequestDeadline_StepsShareIt(t *testing.T) {
	each(t, map[string]request{
		"write":  {logical.UpdateOperation, "config/gst", branch("7", "verify_connection", false)},
		"delete": {logical.DeleteOperation, "config/gst", nil},
		"revoke": {logical.UpdateOperation, "revoke/gst", nil},
	}, func(t *testing.T, r request) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.Storage.SetFault(func(_ int, kind, _ string) mounttest.Fault {
			if kind == mounttest.Put || kind == mounttest.Delete {
				return mounttest.Fault{Wait: 27 * time.Second}
			}
			return mounttest.Fault{}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // as Vault cancels a request when it seals
		defer cancel()
		began := time.Now()
		_, _ = s.do(ctx, r.op, r.path, r.data)
		took := time.Since(began)
		check.True(t, took >= 25*time.Second && took <= 30*time.Second, "the request has taken %s, want 25 to 30 s", took)
		s.Storage.Heal()
		advance(time.Minute)
	})
}
