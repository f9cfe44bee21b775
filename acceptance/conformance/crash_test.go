// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

// startAgain sets up the mount anew in a process of its own, on the same storage.
func (m *mount) startAgain(t *testing.T) (*host, *mount) {
	t.Helper()
	h := startPlugin(t)
	return h, mountOn(t, h, "one", m.storage, 0)
}

// eventually reads the token until it is served, within a pause of the engine's or two.
func (m *mount) eventually(t *testing.T) *logical.Response {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		response, err := m.do(t, logical.ReadOperation, "token/app", nil)
		if err == nil && !response.IsError() {
			return response
		}
		if time.Now().After(end) {
			t.Fatalf("no token within 20 s: %v %v", err, response)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestCrash_BetweenLoginsCostsNone(t *testing.T) {
	t.Parallel()
	h, m := newMount(t)
	u := newUpstream(t)
	u.configure(t, m, nil)
	before := m.must(t, logical.ReadOperation, "token/app", nil).Data["token_id"]
	for range 3 {
		h.crash(t)
		h, m = m.startAgain(t)
		if after := m.must(t, logical.ReadOperation, "token/app", nil).Data["token_id"]; after != before {
			t.Errorf("after a crash the token is another one")
		}
	}
	u.wantLogins(t, 1)
}

func TestCrash_DuringLoginCostsOneMore(t *testing.T) {
	t.Parallel()
	h, m := newMount(t)
	u := newUpstream(t)
	u.configure(t, m, map[string]any{"verify_connection": false})
	u.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Minute})
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		_, _ = m.do(t, logical.ReadOperation, "token/app", nil) // it ends with the process
	}()
	u.awaitLogin(t, reading)
	h.crash(t)
	<-reading
	u.SetFault(simulator.JWT, simulator.Fault{})

	_, m = m.startAgain(t)
	status := m.must(t, logical.ReadOperation, "status/main", nil).Data
	if status["state"] != "backing_off" || status["consecutive_failures"] != float64(1) {
		t.Errorf("after the crash the account is %v with %v failures, want it to know of one",
			status["state"], status["consecutive_failures"])
	}
	if token, _ := m.eventually(t).Data["access_token"].(string); !u.TokenAlive(token) {
		t.Error("the token that is served is not alive upstream")
	}
	u.wantLogins(t, 2)
}

// awaitLogin waits until a login has begun.
func (u *upstream) awaitLogin(t *testing.T, reading <-chan struct{}) {
	t.Helper()
	for u.Counters().Logins == 0 {
		select {
		case <-reading:
			t.Fatal("the read ended before the login began")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestMounts_ManyInOneProcess(t *testing.T) {
	t.Parallel()
	h := startPlugin(t)
	u := newUpstream(t)
	const mounts = 8
	tokens := map[any]int{}
	var all []*mount
	for n := range mounts {
		m := mountOn(t, h, "mount-"+string(rune('a'+n)), newStorage(), 0)
		u.configure(t, m, nil)
		tokens[m.must(t, logical.ReadOperation, "token/app", nil).Data["token_id"]]++
		all = append(all, m)
	}
	if len(tokens) != mounts {
		t.Errorf("%d mounts have %d tokens", mounts, len(tokens))
	}
	for _, m := range all[1:] {
		m.Cleanup(deadline(t))
	}
	if id := all[0].must(t, logical.ReadOperation, "token/app", nil).Data["token_id"]; tokens[id] != 1 {
		t.Error("the end of the other mounts has changed the token of the first")
	}
	u.wantLogins(t, mounts)
}

func TestLease_AlwaysEnds(t *testing.T) {
	t.Parallel()
	_, m := newMount(t)
	u := newUpstream(t)
	u.configure(t, m, nil)
	own := m.must(t, logical.ReadOperation, "token/app", nil).Secret.InternalData
	end := func(since string) {
		t.Helper()
		for name, data := range map[string]map[string]any{
			"its own data": own, "no more than its type": {"secret_type": "mastersindia_token"},
			"data of a later version": {"secret_type": "mastersindia_token", "schema": 99, "config": []any{1}, "role": nil},
		} {
			response, err := m.HandleRequest(deadline(t), &logical.Request{
				ID: "request", Operation: logical.RevokeOperation, Path: "token/app", Storage: m.storage,
				MountPoint: "mastersindia/", Secret: &logical.Secret{InternalData: data},
			})
			if err != nil || response != nil {
				t.Errorf("%s: a lease with %s cannot be ended: %v %v", since, name, err, response)
			}
		}
	}
	end("as it was")
	u.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
	end("upstream down")
	m.must(t, logical.DeleteOperation, "role/app", nil)
	end("without its role")
	m.must(t, logical.DeleteOperation, "config/main", nil)
	end("without its config")
	m.storage.readOnly.Store(true)
	end("with a storage that only reads")
	u.wantLogins(t, 1)
}
