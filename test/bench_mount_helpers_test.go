// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
)

// measured is a mount whose accesses to storage and calls to the host are counted, with an upstream that responds at once. The
// bench_ files use nothing of the engine but its factory, and no other file of this folder, so that they also run on older
// versions of it: see scripts/benchcmp.
type measured struct {
	b       *testing.B
	net     *memorynet.Net
	storage *countedStorage
	host    *countedHost
	backend logical.Backend
}

// newMeasured makes a mount that ends with the benchmark.
func newMeasured(b *testing.B) *measured {
	b.Helper()
	m := &measured{
		b: b, net: memorynet.New(), storage: &countedStorage{inner: &logical.InmemStorage{}},
		host: &countedHost{StaticSystemView: logical.StaticSystemView{
			DefaultLeaseTTLVal: 768 * time.Hour, MaxLeaseTTLVal: 768 * time.Hour,
			PluginEnvironment: &logical.PluginEnvironment{VaultVersion: "1.21.0"},
		}},
	}
	server := &http.Server{Handler: instantUpstream(), ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(m.net)
	}()
	m.start()
	b.Cleanup(func() {
		m.stop()
		_ = server.Close()
		<-served
	})
	return m
}

// instantUpstream responds to every login of protocol jwt with another token, which has the length of real ones.
func instantUpstream() http.Handler {
	encode := base64.RawURLEncoding.EncodeToString
	header, signature := encode([]byte(`{"typ":"JWT","alg":"HS256"}`)), strings.Repeat("s", 43)
	var issued atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().Unix()
		claims := encode(fmt.Appendf(nil,
			`{"user_id":%d,"username":"clerk","email":"clerk@example.com","exp":%d,"orig_iat":%d,"products":[%q]}`,
			issued.Add(1), now+86400, now, strings.Repeat("einvoice ", 40)))
		w.Header().Set("Content-Type", "application/json")
		// Ten thousand connections that are kept for a while, and are not in life, would be measured as well.
		w.Header().Set("Connection", "close")
		_, _ = fmt.Fprintf(w, `{"token":"%s.%s.%s"}`, header, claims, signature)
	})
}

func (m *measured) start() {
	m.b.Helper()
	factory := mastersindia.Factory(mastersindia.Options{Version: "v0.0.0-test", DialContext: m.net.Dial})
	ctx := context.WithoutCancel(m.b.Context())
	backend, err := factory(ctx, &logical.BackendConfig{
		StorageView: m.storage, System: m.host, BackendUUID: "00000000-0000-0000-0000-000000000000",
	})
	if err != nil {
		m.b.Fatal(err)
	}
	if err := backend.Initialize(ctx, &logical.InitializationRequest{Storage: m.storage}); err != nil {
		m.b.Fatal(err)
	}
	m.backend = backend
}

func (m *measured) stop() { m.backend.Cleanup(context.WithoutCancel(m.b.Context())) }

func (m *measured) request(op logical.Operation, path string, data map[string]any) *logical.Request {
	return &logical.Request{Operation: op, Path: path, Data: data, Storage: m.storage, MountPoint: "mastersindia/"}
}

func (m *measured) write(path string, data map[string]any) {
	m.b.Helper()
	if err := m.tryWrite(path, data); err != nil {
		m.b.Fatalf("write %s: %v", path, err)
	}
}

// tryWrite sends a write as Vault does, after an existence check.
func (m *measured) tryWrite(path string, data map[string]any) error {
	req := m.request(logical.UpdateOperation, path, data)
	found, exists, err := m.backend.HandleExistenceCheck(m.b.Context(), req)
	if err != nil {
		return err
	}
	if found && !exists {
		req.Operation = logical.CreateOperation
	}
	_, err = m.do(req)
	return err
}

func (m *measured) read(path string) *logical.Response {
	m.b.Helper()
	return m.mustDo(m.request(logical.ReadOperation, path, nil))
}

func (m *measured) mustDo(req *logical.Request) *logical.Response {
	m.b.Helper()
	resp, err := m.do(req)
	if err != nil {
		m.b.Fatalf("%s %s: %v", req.Operation, req.Path, err)
	}
	return resp
}

func (m *measured) do(req *logical.Request) (*logical.Response, error) {
	resp, err := m.backend.HandleRequest(m.b.Context(), req)
	if err == nil && resp != nil && resp.IsError() {
		err = resp.Error()
	}
	return resp, err
}

// account stores a config, without a login, and two roles for it: leased and unleased.
func (m *measured) account(name string) {
	m.b.Helper()
	m.write("config/"+name, benchConfig("verify_connection", false))
	m.write("role/"+name, map[string]any{"config": name})
	m.write("role/"+name+"-unleased", map[string]any{"config": name, "lease": false})
}

func benchConfig(more ...any) map[string]any {
	data := map[string]any{
		"protocol": "jwt", "token_url": "http://upstream.test/api/v1/token-auth/", "allow_http": true,
		"username": "clerk", "password": "pass-of-clerk",
	}
	for n := 0; n < len(more); n += 2 {
		data[more[n].(string)] = more[n+1]
	}
	return data
}

// accountName is the name of the nth of many accounts.
func accountName(n int) string { return fmt.Sprintf("c%05d", n) }

// counts are what was counted so far.
type counts struct{ storage, host int64 }

func (m *measured) counts() counts { return counts{m.storage.calls.Load(), m.host.calls.Load()} }

// measure measures an operation.
func (m *measured) measure(b *testing.B, do func()) {
	b.Helper()
	b.ReportAllocs()
	before := m.counts()
	for b.Loop() {
		do()
	}
	m.reportCounts(b, before)
}

// reportCounts reports what the operations since the given counts have cost beyond time and memory. Of a real plugin each of
// these is a call to another process.
func (m *measured) reportCounts(b *testing.B, before counts) {
	b.Helper()
	now := m.counts()
	b.ReportMetric(float64(now.storage-before.storage)/float64(b.N), "storage-ops/op")
	b.ReportMetric(float64(now.host-before.host)/float64(b.N), "host-calls/op")
}

// countedStorage counts the accesses to storage.
type countedStorage struct {
	inner logical.Storage
	calls atomic.Int64
}

func (s *countedStorage) List(ctx context.Context, prefix string) ([]string, error) {
	s.calls.Add(1)
	return s.inner.List(ctx, prefix)
}

func (s *countedStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	s.calls.Add(1)
	return s.inner.Get(ctx, key)
}

func (s *countedStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	s.calls.Add(1)
	return s.inner.Put(ctx, entry)
}

func (s *countedStorage) Delete(ctx context.Context, key string) error {
	s.calls.Add(1)
	return s.inner.Delete(ctx, key)
}

// countedHost counts the calls to Vault that a request can cause.
type countedHost struct {
	logical.StaticSystemView

	calls atomic.Int64
}

func (h *countedHost) ReplicationState() consts.ReplicationState {
	h.calls.Add(1)
	return h.StaticSystemView.ReplicationState()
}

func (h *countedHost) LocalMount() bool {
	h.calls.Add(1)
	return h.StaticSystemView.LocalMount()
}

func (h *countedHost) DefaultLeaseTTL() time.Duration {
	h.calls.Add(1)
	return h.StaticSystemView.DefaultLeaseTTL()
}

func (h *countedHost) MaxLeaseTTL() time.Duration {
	h.calls.Add(1)
	return h.StaticSystemView.MaxLeaseTTL()
}

// heap is the memory in use.
func heap() uint64 {
	for range 3 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
