// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// leaseModes are the two kinds of roles.
func leaseModes() []string { return []string{"leased", "unleased"} }

// benchRole is the role of that kind for account gst.
func benchRole(mode string) string {
	if mode == "unleased" {
		return "gst-unleased"
	}
	return "gst"
}

func BenchmarkWarmRead(b *testing.B) {
	m := newMeasured(b)
	m.account("gst")
	m.read("token/gst")
	for _, mode := range leaseModes() {
		b.Run(mode, func(b *testing.B) { measureWarmRead(b, m, benchRole(mode)) })
	}
	role := map[string]any{"config": "gst", "metadata": []any{"gstin=29ABCDE1234F2Z5", "mode=Buyer"}}
	if err := m.tryWrite("role/gst-metadata", role); err != nil { // scripts/benchcmp runs this on versions without it too
		b.Logf("not measured with metadata: %v", err)
		return
	}
	b.Run("leased with metadata", func(b *testing.B) { measureWarmRead(b, m, "gst-metadata") })
}

func measureWarmRead(b *testing.B, m *measured, role string) {
	b.Helper()
	req := m.request(logical.ReadOperation, "token/"+role, nil)
	m.mustDo(req)
	m.measure(b, func() { m.mustDo(req) })
}

// BenchmarkConstantRead is the floor of a warm read: a path of the SDK, of the same pattern, that responses with the same data
// and does nothing else. "shared" is one map for all responses, and "own" a new one for each, as a response must be whose values
// change with time.
func BenchmarkConstantRead(b *testing.B) {
	m := newMeasured(b)
	m.account("gst")
	data := m.read("token/gst").Data
	for _, mode := range leaseModes() {
		for _, c := range []struct {
			name     string
			response func() map[string]any
		}{
			{"shared", func() map[string]any { return data }},
			{"own", func() map[string]any { return maps.Clone(data) }},
		} {
			b.Run(mode+"/"+c.name, func(b *testing.B) {
				constant := *m
				constant.backend = constantBackend(b, m, c.response)
				req := m.request(logical.ReadOperation, "token/"+benchRole(mode), nil)
				constant.mustDo(req)
				constant.measure(b, func() { constant.mustDo(req) })
			})
		}
	}
}

// constantBackend is an engine whose response is always the same.
func constantBackend(b *testing.B, m *measured, response func() map[string]any) logical.Backend {
	b.Helper()
	backend := &framework.Backend{BackendType: logical.TypeLogical}
	backend.Secrets = []*framework.Secret{{
		Type: "constant",
		Revoke: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return nil, nil
		},
	}}
	read := func(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		if d.Get("role").(string) == "gst-unleased" {
			return &logical.Response{Data: response()}, nil
		}
		return backend.Secret("constant").Response(response(), map[string]any{
			"schema": 1, "config": "gst", "role": "gst", "token_id": "0123456789abcdef",
		}), nil
	}
	backend.Paths = []*framework.Path{{
		Pattern:    "token/" + framework.GenericNameRegex("role"),
		Fields:     map[string]*framework.FieldSchema{"role": {Type: framework.TypeString}},
		Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: read}},
	}}
	if err := backend.Setup(b.Context(), &logical.BackendConfig{StorageView: m.storage, System: m.host}); err != nil {
		b.Fatal(err)
	}
	return backend
}

// BenchmarkReaders is the cost of a warm read where many read at once. On n cores it should be that of one reader, divided by n.
func BenchmarkReaders(b *testing.B) {
	m := newMeasured(b)
	m.account("gst")
	m.read("token/gst")
	for _, readers := range []int{1, 2, 16, 64, 256, 1000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			b.ReportAllocs()
			before := m.counts()
			var all sync.WaitGroup
			for n := range readers {
				share := b.N / readers
				if n < b.N%readers {
					share++
				}
				all.Go(func() {
					req := m.request(logical.ReadOperation, "token/gst-unleased", nil)
					for range share {
						if resp, err := m.backend.HandleRequest(b.Context(), req); err != nil || resp.IsError() {
							b.Errorf("a read failed: %v, %v", resp, err)
							return
						}
					}
				})
			}
			all.Wait()
			m.reportCounts(b, before)
		})
	}
}

// BenchmarkAccounts is the cost of a warm read that goes to one of many accounts, all of them in use.
func BenchmarkAccounts(b *testing.B) {
	m := newMeasured(b)
	stored := 0
	for _, accounts := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			for ; stored < accounts; stored++ {
				m.account(accountName(stored))
				m.read("token/" + accountName(stored))
			}
			requests := make([]*logical.Request, accounts)
			for n := range requests {
				requests[n] = m.request(logical.ReadOperation, "token/"+accountName(n)+"-unleased", nil)
				m.mustDo(requests[n])
			}
			next := 0
			m.measure(b, func() {
				m.mustDo(requests[next])
				next = (next + 7919) % accounts // a prime: neighbours in memory do not follow each other
			})
		})
	}
}

// BenchmarkColdRead is a read that logs in at an upstream that responds at once: our work, storage's, and net/http's on both sides.
func BenchmarkColdRead(b *testing.B) {
	benchmarkAccounts(b, func(*measured, string) {}, func(m *measured, name string) { m.read("token/" + name) })
}

// BenchmarkForcedRotation is what rotate/ takes, of an account with a token, at the same upstream.
func BenchmarkForcedRotation(b *testing.B) {
	benchmarkAccounts(b,
		func(m *measured, name string) { m.read("token/" + name) },
		func(m *measured, name string) { m.write("rotate/"+name, nil) })
}

// benchmarkAccounts measures what is done once for each of many accounts, after what prepares the account.
func benchmarkAccounts(b *testing.B, prepare, do func(m *measured, name string)) {
	b.Helper()
	const batch = 1000
	b.ReportAllocs()
	var m *measured
	var before, spent counts
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			if m != nil {
				spent = spent.plus(m.counts().minus(before))
			}
			m = newMeasured(b)
			for n := range batch {
				m.account(accountName(n))
				prepare(m, accountName(n))
			}
			left, before = batch, m.counts()
			b.StartTimer()
		}
		left--
		do(m, accountName(left))
	}
	spent = spent.plus(m.counts().minus(before))
	b.ReportMetric(float64(spent.storage)/float64(b.N), "storage-ops/op")
	b.ReportMetric(float64(spent.host)/float64(b.N), "host-calls/op")
}

func (c counts) plus(o counts) counts  { return counts{c.storage + o.storage, c.host + o.host} }
func (c counts) minus(o counts) counts { return counts{c.storage - o.storage, c.host - o.host} }
