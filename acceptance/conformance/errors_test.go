// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"testing"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

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
