// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestErrors_StatusCodesOverGRPC(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.FaultKind]int{
		simulator.FaultDown:        http.StatusBadGateway,
		simulator.FaultThrottled:   http.StatusTooManyRequests,
		simulator.FaultUnavailable: http.StatusBadGateway,
		simulator.FaultGarbage:     http.StatusBadGateway,
		simulator.FaultRefuse:      http.StatusBadRequest,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			_, m := newMount(t)
			u := newUpstream(t)
			u.configure(t, m, map[string]any{"verify_connection": false})
			fault := simulator.Fault{Kind: kind}
			if kind == simulator.FaultThrottled {
				fault.RetryAfter = time.Minute
			}
			u.SetFault(simulator.JWT, fault)
			response, err := m.do(t, logical.ReadOperation, "token/app", nil)
			if got := statusOf(response, err); got != want {
				t.Errorf("got %d (%v), want %d", got, err, want)
			}
			returned := time.Now()
			_, _ = m.do(t, logical.ReadOperation, "token/app", nil)
			if time.Since(returned) < time.Second/2 { // else the pause may have been over
				u.wantLogins(t, 1) // The failure is shared, so the second read makes no login.
			}
		})
	}
}

func TestErrors_StandbyForwardsFirst(t *testing.T) {
	t.Parallel()
	h, active := newMount(t)
	u := newUpstream(t)
	u.configure(t, active, map[string]any{"verify_connection": false})
	standby := mountOn(t, h, "standby", active.storage, consts.ReplicationPerformanceStandby)
	if _, err := standby.do(t, logical.ReadOperation, "token/app", nil); !forwards(err) {
		t.Errorf("a standby returned for a read of token/app with %v, want the bare %v", err, logical.ErrReadOnly)
	}
	data := map[string]any{"username": "somebody else", "password": u.account.Password}
	if _, err := standby.do(t, logical.UpdateOperation, "config/main", data); !forwards(err) {
		t.Errorf("a standby returned for a write of config/main with %v, want the bare %v", err, logical.ErrReadOnly)
	}
	if response := standby.must(t, logical.ReadOperation, "config/main", nil); response == nil {
		t.Error("a standby does not respond to a read of config/main")
	}
	u.wantLogins(t, 0)
}

// forwards reports whether Vault would send the request to the active node. The error's identity is lost on the wire, so that
// its text, and nothing but its text, is what Vault goes by.
func forwards(err error) bool { return err != nil && err.Error() == logical.ErrReadOnly.Error() }

// statusOf returns the HTTP status that Vault would respond with.
func statusOf(response *logical.Response, err error) int {
	if coded, ok := errors.AsType[logical.HTTPCodedError](err); ok {
		return coded.Code()
	}
	if err == nil && response.IsError() {
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
