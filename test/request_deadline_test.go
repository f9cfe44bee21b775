// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
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
	t.Parallel()
	for _, c := range []struct {
		op   logical.Operation
		path string
		data map[string]any
		puts int // of the record that storage takes before it hangs
	}{
		{logical.UpdateOperation, "rotate/gst", nil, 0},
		{logical.UpdateOperation, "revoke/gst", nil, 0},
		{logical.UpdateOperation, "config/gst", branch("7", "verify_connection", false), 0},
		{logical.UpdateOperation, "config/gst", branch("7"), 0},
		{logical.UpdateOperation, "config/gst", map[string]any{"password": "not the password"}, 1},
		{logical.DeleteOperation, "config/gst", nil, 0},
	} {
		for _, loaded := range []bool{true, false} {
			timed(t, fmt.Sprintf("%s %s %v, in memory: %t", c.op, c.path, c.data, loaded), func(t *testing.T) {
				s := gstMount(t, time.Hour)
				s.token("app")
				if !loaded {
					s.Reload()
				}
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
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second) // as Vault does
				defer cancel()
				began := time.Now()
				_, resp, err := s.Do(ctx, c.op, c.path, c.data)
				waited := time.Since(began)
				check.True(t, waited >= 10*time.Second && waited <= 30*time.Second,
					"%s has held up sealing and step-down for %s (%v)", c.path, waited, err)
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
	}
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
