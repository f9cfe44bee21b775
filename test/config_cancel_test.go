// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// stop is what an operator does to a config in an incident.
type stop struct {
	name string
	op   logical.Operation
	data map[string]any
}

func stops() []stop {
	return []stop{
		{"pause", logical.UpdateOperation, map[string]any{"paused": true, "pause_reason": "leak"}},
		{"delete", logical.DeleteOperation, nil},
	}
}

// TestConfigCancel_VerificationHangs pauses or deletes a config, in an incident, while the login of somebody's write hangs.
func TestConfigCancel_VerificationHangs(t *testing.T) {
	t.Parallel()
	for _, c := range stops() {
		timed(t, c.name, func(t *testing.T) {
			s := gstMount(t, time.Hour, "request_timeout", "60s")
			s.token("app")
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
			write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
			advance(time.Second)
			began := time.Now()
			_, err := s.do(t.Context(), c.op, "config/gst", c.data)
			check.NoError(t, err)
			atMost(t, time.Since(began), time.Second, "the %s has waited", c.name)
			_, err = s.wait(write).unpack()
			check.Equal(t, codeOf(err), http.StatusConflict, "code of the write that was cancelled")
			atMost(t, time.Since(began), 2*time.Second, "the write has waited")
			resp, err := s.do(t.Context(), logical.ReadOperation, "config/gst", nil)
			check.NoError(t, err)
			if c.data != nil {
				check.Equal(t, resp.Data["paused"], any(true), "paused")
				check.Equal(t, len(resp.Data["headers"].(map[string]string)), 0, "headers of the write that was cancelled")
			} else {
				check.True(t, resp == nil, "the config is there again: %v", resp)
			}
			_, err = s.ask(t.Context(), "app", nil)
			check.True(t, err != nil, "a token is read")
			advance(2 * time.Minute)
		})
	}
}

// TestConfigCancel_VerificationNotBegun pauses a config while somebody's write waits for the login of a reader to end: no other
// login follows.
func TestConfigCancel_VerificationNotBegun(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		reader := s.async("token/app")
		advance(time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
		advance(time.Second)
		s.write("config/gst", map[string]any{"paused": true})
		_, err := s.wait(write).unpack()
		check.Equal(t, codeOf(err), http.StatusConflict, "code of the write that was cancelled")
		s.wait(reader)
		advance(2 * time.Minute)
		s.wantLogins(1, "the reader's")
	})
}

// A pause cancels a write that verifies, whose login has hung for longer than readers wait: 409.
func TestConfigCancel_LateIs409(t *testing.T) { //nolint:tparallel // timed calls it
	for _, c := range stops() {
		for _, after := range []time.Duration{time.Second, 20 * time.Second} {
			timed(t, c.name+" "+after.String(), func(t *testing.T) {
				s := gstMount(t, time.Hour, "request_timeout", "60s")
				s.token("app")
				s.Storage.SetFault(func(_ int, _, key string) mounttest.Fault { // any storage takes some time
					if strings.HasPrefix(key, "config/") {
						return mounttest.Fault{Wait: time.Millisecond}
					}
					return mounttest.Fault{}
				})
				s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
				write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
				advance(after)
				_, err := s.do(t.Context(), c.op, "config/gst", c.data)
				check.NoError(t, err)
				_, err = s.wait(write).unpack()
				check.Equal(t, codeOf(err), http.StatusConflict, "code of the write that was cancelled: %v", err)
				advance(2 * time.Minute)
			})
		}
	}
}

// A pause that is refused, as it has a wrong field, cancels nothing.
func TestConfigCancel_NotByARefusedPause(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.slow(5 * time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
		advance(time.Second)
		resp, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"paused": true, "rotation_percent": 500})
		check.True(t, err != nil || resp.IsError(), "the pause is stored")
		_, err = s.wait(write).unpack()
		check.NoError(t, err)
	})
}

// A config that another writer stores during a verification is not overwritten by what was made of the former one: no cluster
// knows of the writes of another.
func TestConfigCancel_StoredElsewhere(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.slow(5 * time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
		advance(time.Second)
		s.put("config/gst", strings.Replace(s.stored()["config/gst"], "{", `{"paused":true,`, 1))
		_, err := s.wait(write).unpack()
		check.Equal(t, codeOf(err), http.StatusConflict, "code of the write that verified meanwhile")
		config := s.read("config/gst").Data
		check.Equal(t, config["paused"], any(true), "paused")
		check.Equal(t, len(config["headers"].(map[string]string)), 0, "headers of the write that was refused")
	})
}
