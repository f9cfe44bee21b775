// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

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
