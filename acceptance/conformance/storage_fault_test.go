// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// deed is a request of a config's life.
type deed struct {
	operation logical.Operation
	path      string
	data      map[string]any
}

// life is the life of a config: how it is made, used, changed and deleted, and made again.
func (u *upstream) life() []deed {
	config := map[string]any{
		"protocol": "jwt", "token_url": u.url, "ca_cert": u.ca, "username": u.account.Username, "password": u.account.Password,
	}
	read := deed{logical.ReadOperation, "token/app", nil}
	role := deed{logical.UpdateOperation, "role/app", map[string]any{"config": "main"}}
	write := func(data map[string]any) deed { return deed{logical.UpdateOperation, "config/main", data} }
	untried := maps.Clone(config)
	untried["verify_connection"] = false
	return []deed{
		write(config), role, read, {logical.UpdateOperation, "rotate/main", nil}, read,
		write(map[string]any{"headers": "X-Team=gst", "rotation_percent": 50}), read,
		{logical.UpdateOperation, "revoke/main", nil}, read,
		write(map[string]any{"paused": true}), write(map[string]any{"paused": false}), read,
		{logical.DeleteOperation, "role/app", nil}, {logical.DeleteOperation, "config/main", nil}, write(untried), role, read,
	}
}

// mishap is one access to storage that goes wrong: it fails, or it is made and fails all the same.
type mishap struct {
	number int64
	late   bool
}

// TestStorageFault_EveryAccessOverGRPC is what the unit tests do with more deeds and more kinds of failure.
//
//nolint:tparallel // the mishaps are parallel; what comes after them waits for all
func TestStorageFault_EveryAccessOverGRPC(t *testing.T) {
	t.Parallel()
	h := startPlugin(t)
	clean := mountOn(t, h, "clean", newStorage(), 0)
	u := newUpstream(t)
	var calls []string
	clean.storage.set(func(_ int64, call string) (bool, error) {
		calls = append(calls, call)
		return false, nil
	})
	u.live(t, clean)
	clean.storage.set(nil)
	first := u.Counters().Logins
	clean.Cleanup(deadline(t))
	var mishaps []mishap
	for n, call := range calls {
		mishaps = append(mishaps, mishap{number: int64(n + 1)})
		if strings.HasPrefix(call, "put") || strings.HasPrefix(call, "delete") {
			mishaps = append(mishaps, mishap{number: int64(n + 1), late: true})
		}
	}
	var happened atomic.Int64
	t.Run("mishaps", func(t *testing.T) {
		for _, mishap := range mishaps {
			t.Run(fmt.Sprintf("%+v", mishap), func(t *testing.T) {
				t.Parallel()
				u := newUpstream(t)
				m := mountOn(t, h, "mount-"+t.Name(), newStorage(), 0)
				if u.suffer(t, m, mishap) {
					happened.Add(1)
				}
				if got := u.Counters().Logins; got > first+2 {
					t.Errorf("%d logins, and %d where all goes well", got, first)
				}
				m.Cleanup(deadline(t))
				u.sameAgain(t, h, m)
			})
		}
	})
	t.Logf("%d accesses, %d of %d mishaps happened, %d logins where all goes well", len(calls), happened.Load(), len(mishaps), first)
	// The last few depend on how far work in the background got.
	if happened.Load() < int64(len(mishaps)*9/10) {
		t.Errorf("%d of %d mishaps happened, want at least nine in ten", happened.Load(), len(mishaps))
	}
}

// live does all deeds, which must succeed.
func (u *upstream) live(t *testing.T, m *mount) {
	t.Helper()
	for _, d := range u.life() {
		m.must(t, d.operation, d.path, d.data)
	}
}

// errBroken is the error of the storage.
var errBroken = errors.New("the storage of the test is broken")

// suffer does all deeds with one mishap on the way, and reports whether it happened. What fails is done again, and must succeed
// then.
func (u *upstream) suffer(t *testing.T, m *mount, mishap mishap) bool {
	t.Helper()
	var hit atomic.Value
	m.storage.set(func(n int64, call string) (bool, error) {
		if n != mishap.number {
			return false, nil
		}
		hit.Store(call)
		return mishap.late, errBroken
	})
	defer m.storage.set(nil)
	for _, d := range u.life() {
		response, err := m.do(t, d.operation, d.path, d.data)
		if err == nil && !response.IsError() {
			continue
		}
		failed, _ := hit.Load().(string)
		_, key, _ := strings.Cut(failed, " ")
		if err == nil {
			err = response.Error()
		}
		message := err.Error()
		if strings.Contains(message, errBroken.Error()) && !strings.Contains(message, key) {
			t.Errorf("%s: the message does not name %s: %s", d.path, key, message)
		}
		if strings.Contains(message, u.account.Password) {
			t.Errorf("%s: the message holds the password", d.path)
		}
		m.again(t, d)
	}
	if token, _ := m.must(t, logical.ReadOperation, "token/app", nil).Data["access_token"].(string); !u.TokenAlive(token) {
		t.Error("the token that is served is not alive upstream")
	}
	return hit.Load() != nil
}

// again does a deed until it succeeds: a pause of a second may follow what went wrong.
func (m *mount) again(t *testing.T, d deed) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		response, err := m.do(t, d.operation, d.path, d.data)
		if err == nil && !response.IsError() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s %s fails, though storage is well again: %v %v", d.operation, d.path, err, response)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// sameAgain checks that an engine which begins anew on the storage serves a token of the config that is stored.
func (u *upstream) sameAgain(t *testing.T, h *host, m *mount) {
	t.Helper()
	anew := mountOn(t, h, "anew-"+t.Name(), m.storage, 0)
	defer anew.Cleanup(deadline(t))
	config := anew.must(t, logical.ReadOperation, "config/main", nil)
	if config == nil || config.Data["username"] != u.account.Username || fmt.Sprint(config.Data["rotation_percent"]) != "66" {
		t.Fatal("the config is not what was written last")
	}
	if token, _ := anew.eventually(t).Data["access_token"].(string); !u.TokenAlive(token) {
		t.Error("an engine that begins anew serves a token that is not alive upstream")
	}
}
