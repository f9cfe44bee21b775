// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mounttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// The kinds of access to storage.
const (
	Get    = "get"
	Put    = "put"
	Delete = "delete"
	List   = "list"
)

// ErrStorage is the error of storage that was set to fail.
func ErrStorage() error { return errors.New("the storage of the test is broken") }

// Storage is the storage of the mount: it outlives the plugin's process, records every access, and fails on request.
type Storage struct {
	// Entries are the entries themselves, without faults and unrecorded.
	Entries logical.Storage

	mu       sync.Mutex
	fault    func(n int, access, key string) Fault
	accesses []access
	held     heldPut
	open     atomic.Int64 // accesses that have not ended
}

// heldPut is a write that HoldNextPut holds: the next of that key, "" for none.
type heldPut struct {
	key             string
	caught, release chan struct{}
}

type access struct{ kind, key string }

// Fault is what becomes of one access: it takes time, and fails where Err is set. All this comes before it is done, or after it
// where Late is set.
type Fault struct {
	Err  error
	Late bool
	// Wait is a time that the access takes, unless its context ends before. Hold is the same until it is closed.
	Wait time.Duration
	Hold <-chan struct{}
}

func newStorage() *Storage { return &Storage{Entries: &logical.InmemStorage{}} }

// SetFault has fault decide about every access from now on: of its number, which counts from 1, its kind and its key. Nil heals
// storage.
func (s *Storage) SetFault(fault func(n int, access, key string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// On has f happen to every access of a kind under prefix.
func (s *Storage) On(kind, prefix string, f Fault) {
	s.SetFault(func(_ int, access, key string) Fault {
		if access == kind && strings.HasPrefix(key, prefix) {
			return f
		}
		return Fault{}
	})
}

// Fail makes every access of a kind under prefix end with err.
func (s *Storage) Fail(kind, prefix string, err error) { s.On(kind, prefix, Fault{Err: err}) }

// FailPuts makes the next n writes fail.
func (s *Storage) FailPuts(n int) {
	var failed atomic.Int64
	s.SetFault(func(_ int, access, _ string) Fault {
		if access == Put && failed.Add(1) <= int64(n) {
			return Fault{Err: errors.New("storage: no space left on device")}
		}
		return Fault{}
	})
}

// SlowPuts makes every write take that long.
func (s *Storage) SlowPuts(d time.Duration) { s.Slow(Put, "", d) }

// Slow makes every access of a kind under prefix take that long.
func (s *Storage) Slow(kind, prefix string, d time.Duration) { s.On(kind, prefix, Fault{Wait: d}) }

// HoldNextPut holds the next write of the key, whatever else is set to fail. caught is closed once that write has come. It lands
// when it is released, even if its caller has given up: Vault completes a write that a plugin asked for over gRPC.
func (s *Storage) HoldNextPut(key string) (caught <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := heldPut{key, make(chan struct{}), make(chan struct{})}
	s.held = held
	return held.caught, sync.OnceFunc(func() { close(held.release) })
}

// holds reports whether HoldNextPut holds a write of the key.
func (s *Storage) holds(key string) (release <-chan struct{}, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held.key == "" || s.held.key != key {
		return nil, false
	}
	close(s.held.caught)
	s.held.key = ""
	return s.held.release, true
}

// Heal ends what SetFault and its like have begun.
func (s *Storage) Heal() { s.SetFault(nil) }

// WithoutFaults runs f while storage is healed.
func (s *Storage) WithoutFaults(f func()) {
	s.mu.Lock()
	fault := s.fault
	s.fault = nil
	s.mu.Unlock()
	defer s.SetFault(fault)
	f()
}

// Accesses are all accesses so far: "put config/gst".
func (s *Storage) Accesses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	accesses := make([]string, len(s.accesses))
	for n, a := range s.accesses {
		accesses[n] = a.kind + " " + a.key
	}
	return accesses
}

// Count is how many accesses of some kinds there were so far, or of all where none is named.
func (s *Storage) Count(kinds ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(kinds) == 0 {
		return len(s.accesses)
	}
	count := 0
	for _, a := range s.accesses {
		for _, kind := range kinds {
			if a.kind == kind {
				count++
			}
		}
	}
	return count
}

// Reset forgets all accesses.
func (s *Storage) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accesses = nil
}

func (s *Storage) record(kind, key string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accesses = append(s.accesses, access{kind, key})
	if s.fault == nil {
		return Fault{}
	}
	return s.fault(len(s.accesses), kind, key)
}

// copy is another storage with the same entries.
func (s *Storage) copy(t testing.TB) *Storage {
	t.Helper()
	other := newStorage()
	keys, err := logical.CollectKeys(t.Context(), s.Entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		entry, err := s.Entries.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Entries.Put(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// newProcess is the storage as one process of the plugin sees it.
func (s *Storage) newProcess() *processStorage { return &processStorage{storage: s} }

type processStorage struct {
	storage *Storage
	lost    atomic.Bool
}

// access does one access, unless it is to fail.
func (p *processStorage) access(ctx context.Context, kind, key string, do func() error) error {
	p.storage.open.Add(1)
	defer p.storage.open.Add(-1)
	fault := p.storage.record(kind, key)
	if p.lost.Load() {
		return errors.New("storage: the process is dead")
	}
	if fault.Late {
		if err := do(); err != nil {
			return err
		}
		return fault.happen(ctx)
	}
	if err := fault.happen(ctx); err != nil {
		return err
	}
	return do()
}

// happen takes the time of a fault, and returns its error.
func (f Fault) happen(ctx context.Context) error {
	if f.Hold != nil {
		select {
		case <-f.Hold:
		case <-ctx.Done():
		}
	}
	if f.Wait > 0 {
		select {
		case <-time.After(f.Wait):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.New("rpc error: " + err.Error()) // over gRPC it is no error of a context any more
	}
	return f.Err
}

func (p *processStorage) List(ctx context.Context, prefix string) (keys []string, err error) {
	err = p.access(ctx, List, prefix, func() (err error) {
		keys, err = p.storage.Entries.List(ctx, prefix)
		return err
	})
	return keys, err
}

func (p *processStorage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = p.access(ctx, Get, key, func() (err error) {
		entry, err = p.storage.Entries.Get(ctx, key)
		return err
	})
	return entry, err
}

func (p *processStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return p.access(ctx, Put, entry.Key, func() error {
		release, held := p.storage.holds(entry.Key)
		if !held {
			return p.storage.Entries.Put(ctx, entry)
		}
		landed := make(chan error, 1)
		go func() {
			<-release
			landed <- p.storage.Entries.Put(context.WithoutCancel(ctx), entry)
		}()
		select {
		case err := <-landed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (p *processStorage) Delete(ctx context.Context, key string) error {
	return p.access(ctx, Delete, key, func() error { return p.storage.Entries.Delete(ctx, key) })
}
