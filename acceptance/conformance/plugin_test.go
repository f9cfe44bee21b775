// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestPlugin_TypeAndVersion(t *testing.T) {
	t.Parallel()
	// When a plugin is registered Vault sets it up with nothing at all, to ask for its version.
	h := startPlugin(t)
	backend := h.dispense(t, "registering")
	check.NoError(t, backend.Setup(deadline(t), &logical.BackendConfig{}))
	check.Equal(t, backend.Type(), logical.TypeLogical, "the type of the plugin")
	versioner, ok := backend.(logical.PluginVersioner)
	check.Require(t, ok, "%T has no version", backend)
	want := os.Getenv("VERSION")
	if want == "" {
		text := check.Value(os.ReadFile("../../VERSION"))(t)
		want = strings.TrimSpace(string(text))
	}
	check.Equal(t, versioner.PluginVersion().Version, want, "the version that Vault must be told")
}

func TestPlugin_SecretsInSealedStorageOnly(t *testing.T) {
	t.Parallel()
	h, m := newMount(t)
	u := newUpstream(t)
	u.configure(t, m, nil)
	token := m.must(t, logical.ReadOperation, "token/app", nil).Data["access_token"]

	leaks := harness.NewLeaks()
	text, _ := token.(string)
	for label, secret := range map[string]string{"password": u.account.Password, "access token": text} {
		check.NoError(t, leaks.Add(label, secret))
	}
	keys := check.Value(logical.CollectKeys(t.Context(), m.storage))(t)
	sealed, inSealed := m.SpecialPaths().SealWrapStorage, 0
	for _, key := range keys {
		entry := check.Value(m.storage.Get(t.Context(), key))(t)
		findings := leaks.SearchText("storage entry "+key, entry.Value)
		if slices.ContainsFunc(sealed, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			inSealed += len(findings)
			continue
		}
		for _, finding := range findings {
			t.Errorf("leaked: %s", finding)
		}
	}
	check.True(t, inSealed >= 2,
		"found %d secrets in sealed storage, want the password and the token: the search proves nothing", inSealed)
	for _, finding := range leaks.SearchText("the log", []byte(h.output.String())) {
		t.Errorf("leaked: %s", finding)
	}
}

func TestPlugin_CleanupDoesNotWaitForLogin(t *testing.T) {
	t.Parallel()
	_, m := newMount(t)
	u := newUpstream(t)
	u.configure(t, m, map[string]any{"verify_connection": false})
	u.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Minute})
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		_, _ = m.do(t, logical.ReadOperation, "token/app", nil) // It is cut off: all that counts is that it ends.
	}()
	check.Eventually(t, time.Minute, "no login began", func() bool { return u.Counters().Logins > 0 })
	began := time.Now()
	m.Cleanup(deadline(t))
	// Vault kills the process 2 seconds after it asked it to end, and all mounts of the process wait meanwhile.
	took := time.Since(began)
	check.True(t, took <= 2*time.Second, "Cleanup took %s with a login in flight", took)
	select {
	case <-reading:
	case <-time.After(5 * time.Second):
		t.Error("the reader still waits 5 s after Cleanup")
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
	check.Equal(t, len(tokens), mounts, "tokens of the mounts")
	for _, m := range all[1:] {
		m.Cleanup(deadline(t))
	}
	id := all[0].must(t, logical.ReadOperation, "token/app", nil).Data["token_id"]
	check.True(t, tokens[id] == 1, "the end of the other mounts has changed the token of the first")
	u.wantLogins(t, mounts)
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
	response := standby.must(t, logical.ReadOperation, "config/main", nil)
	check.True(t, response != nil, "a standby does not respond to a read of config/main")
	u.wantLogins(t, 0)
}

// forwards reports whether Vault would send the request to the active node. The error's identity is lost on the wire, so that
// its text, and nothing but its text, is what Vault goes by.
func forwards(err error) bool { return err != nil && err.Error() == logical.ErrReadOnly.Error() }
