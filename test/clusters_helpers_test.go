// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// replicated is the storage of one cluster of two: config/ and role/ are replicated, all else is the cluster's own.
type replicated struct{ shared, local logical.Storage }

func (r *replicated) of(key string) logical.Storage {
	if strings.HasPrefix(key, "config/") || strings.HasPrefix(key, "role/") {
		return r.shared
	}
	return r.local
}

func (r *replicated) List(ctx context.Context, prefix string) ([]string, error) {
	return r.of(prefix).List(ctx, prefix)
}

func (r *replicated) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	return r.of(key).Get(ctx, key)
}

func (r *replicated) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return r.of(entry.Key).Put(ctx, entry)
}

func (r *replicated) Delete(ctx context.Context, key string) error { return r.of(key).Delete(ctx, key) }

// clusters are two clusters with one mount: the mount is on a performance secondary, and its primary takes the writes.
type clusters struct {
	*testMount

	primary *testMount
}

// newClusters makes two clusters with config gst and role app, over an upstream of which only jwtAccount is known.
func newClusters(t *testing.T, ttl time.Duration, more ...any) *clusters {
	t.Helper()
	s := newLatencyMount(t, jwtAccount(withTTL(ttl)))
	s.Stop()
	shared := &logical.InmemStorage{}
	primary := &testMount{Mount: s.NewCluster(&replicated{shared: shared, local: &logical.InmemStorage{}}), t: t}
	s.Storage.Entries = &replicated{shared: shared, local: s.Storage.Entries}
	s.Node.SetState(consts.ReplicationPerformanceSecondary)
	s.Start()
	c := &clusters{testMount: s, primary: primary}
	c.elsewhere("config/gst", jwtConfig(append([]any{"verify_connection", false}, more...)...))
	c.elsewhere("role/app", map[string]any{"config": "gst"})
	s.wantLogins(0, "by a write without verification")
	return c
}

// elsewhere writes at the primary and invalidates at the secondary, as replication does.
func (c *clusters) elsewhere(path string, data map[string]any) {
	c.t.Helper()
	c.primary.write(path, data)
	c.Backend().InvalidateKey(c.t.Context(), path)
	synctest.Wait()
}

// headers changes what a login sends, without a new credential and without a verification.
func (c *clusters) headers(value string) {
	c.t.Helper()
	c.elsewhere("config/gst", branch(value, "verify_connection", false))
}
