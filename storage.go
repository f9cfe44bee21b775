// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

// The prefixes of storage. They are fixed: entries of every released version stay where they are.
const (
	configPrefix = "config/"
	rolePrefix   = "role/"
	tokenPrefix  = "token/"
)

// storage keeps the entries of a mount. No write is cancelled with its request: it could still take effect after storage was
// read again.
type storage struct {
	view logical.Storage
	// panicked is the error that stands for a panic below a write.
	panicked func(p any, operation, path string) error
	// writes serializes the writes of one entry, each of which reads, validates and stores.
	writes nameLocks

	mu sync.Mutex
	// late has, by key, the write that its request no longer waits for; it is closed when storage has responded.
	late map[string]chan struct{}
	// unconfirmed counts, by key, how often the entry is yet to be read again after a write that failed: it may land all the same.
	unconfirmed map[string]int
}

// readAgain is how many minutes long such an entry is read again, after storage has responded.
const readAgain = 10

// write has storage change the entry, and waits as long as a change may take: sealing and step-down wait for the request.
func (s *storage) write(ctx context.Context, key string, change func(context.Context) error) error {
	ctx, cancel := issuer.Outlasting(ctx)
	defer cancel()
	done := make(chan struct{})
	var err error
	go func() { // only storage can end it
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				prefix, _, _ := splitPath(key)
				err = s.panicked(p, "write", prefix)
			}
		}()
		err = change(context.WithoutCancel(ctx))
	}()
	select {
	case <-done:
		return s.confirm(key, err)
	case <-ctx.Done():
	}
	s.mu.Lock()
	if s.late == nil {
		s.late = make(map[string]chan struct{})
	}
	s.late[key] = done
	s.mu.Unlock()
	return s.confirm(key, fmt.Errorf("%s: %w", key, context.DeadlineExceeded))
}

// lock waits until no other write of the entry is under way, at most until ctx ends.
func (s *storage) lock(ctx context.Context, key string) (unlock func(), err error) {
	unlock, err = s.writes.lock(ctx, key)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	late := s.late[key]
	s.mu.Unlock()
	if late == nil {
		return unlock, nil
	}
	select {
	case <-late:
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.late, key)
		return unlock, nil
	case <-ctx.Done():
		unlock()
		return nil, errUnderWay(key)
	}
}

// errUnderWay says that another write of the entry has yet to end.
func errUnderWay(key string) error {
	return logical.CodedError(http.StatusGatewayTimeout, key+": another write of it has not ended: try again")
}

// confirm notes how a write of the entry has ended.
func (s *storage) confirm(key string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unconfirmed, key)
	if err != nil {
		if s.unconfirmed == nil {
			s.unconfirmed = make(map[string]int)
		}
		s.unconfirmed[key] = readAgain
	}
	return err
}

// isUnconfirmed reports whether an earlier write of the entry may yet land: then equal settings are written all the same.
func (s *storage) isUnconfirmed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unconfirmed[key] > 0
}

// toReadAgain are the keys of the entries that storage may have changed since. It is asked once a minute.
func (s *storage) toReadAgain() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Collect(maps.Keys(s.unconfirmed))
	for _, key := range keys {
		if done := s.late[key]; done != nil {
			select {
			case <-done:
				delete(s.late, key)
			default:
				continue
			}
		}
		if s.unconfirmed[key]--; s.unconfirmed[key] == 0 {
			delete(s.unconfirmed, key)
		}
	}
	return keys
}

// config returns nil without an error if it does not exist.
func (s *storage) config(ctx context.Context, name string) (*config, error) {
	return stored.Get(ctx, s.view, configPrefix+name, func(c *config) int { return c.Schema }, configSchema)
}

func (s *storage) putConfig(ctx context.Context, name string, c *config) error {
	return s.write(ctx, configPrefix+name, func(ctx context.Context) error { return stored.Put(ctx, s.view, configPrefix+name, c) })
}

func (s *storage) deleteConfig(ctx context.Context, name string) error {
	return s.write(ctx, configPrefix+name, func(ctx context.Context) error { return stored.Delete(ctx, s.view, configPrefix+name) })
}

// role returns nil without an error if it does not exist.
func (s *storage) role(ctx context.Context, name string) (*role, error) {
	return stored.Get(ctx, s.view, rolePrefix+name, func(r *role) int { return r.Schema }, roleSchema)
}

func (s *storage) putRole(ctx context.Context, name string, r *role) error {
	return s.write(ctx, rolePrefix+name, func(ctx context.Context) error { return stored.Put(ctx, s.view, rolePrefix+name, r) })
}

func (s *storage) deleteRole(ctx context.Context, name string) error {
	return s.write(ctx, rolePrefix+name, func(ctx context.Context) error { return stored.Delete(ctx, s.view, rolePrefix+name) })
}

func (s *storage) list(ctx context.Context, prefix string) ([]string, error) {
	return stored.List(ctx, s.view, prefix)
}

// Account implements issuer.Source.
func (s *storage) Account(ctx context.Context, name string) (*issuer.Account, error) {
	c, err := s.config(ctx, name)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, issuer.ErrNoAccount
	}
	return c.account(name), nil
}

// Load implements issuer.Store.
func (s *storage) Load(ctx context.Context, name string) (*issuer.Record, error) {
	return stored.Get(ctx, s.view, tokenPrefix+name, func(r *issuer.Record) int { return r.Schema }, account.SchemaVersion)
}

// Save implements issuer.Store.
func (s *storage) Save(ctx context.Context, name string, record *issuer.Record) error {
	return stored.Put(ctx, s.view, tokenPrefix+name, record)
}

// Delete implements issuer.Store.
func (s *storage) Delete(ctx context.Context, name string) error {
	return stored.Delete(ctx, s.view, tokenPrefix+name)
}

// List implements issuer.Store.
func (s *storage) List(ctx context.Context) ([]string, error) {
	return stored.List(ctx, s.view, tokenPrefix)
}

// cache keeps storage entries that were read, so that the fast path touches no storage. It does not cache absence, so that wrong
// names do not fill the memory.
type cache[T any] struct {
	mu      sync.RWMutex
	entries map[string]*T
	// changes counts the calls of forget, so that an entry that was read before a write is not cached after it.
	changes uint64
}

// get returns the entry, which it fetches if it is not cached; nil if it does not exist.
func (c *cache[T]) get(ctx context.Context, name string, fetch func(context.Context, string) (*T, error)) (*T, error) {
	c.mu.RLock()
	entry, known := c.entries[name]
	before := c.changes
	c.mu.RUnlock()
	if known {
		return entry, nil
	}
	entry, err := fetch(ctx, name)
	if err != nil || entry == nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == before {
		if c.entries == nil {
			c.entries = make(map[string]*T)
		}
		c.entries[name] = entry
	}
	return entry, nil
}

// peek returns the entry if it is cached, and nil otherwise.
func (c *cache[T]) peek(name string) *T {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[name]
}

// forget drops an entry that has changed.
func (c *cache[T]) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, name)
	c.changes++
}

// nameLocks has a lock for each entry that is being written. With one for several entries the verification of a config would
// delay the writes of others.
type nameLocks struct {
	mu    sync.Mutex
	locks map[string]*nameLock
}

// nameLock is kept for as long as somebody has it or waits for it.
type nameLock struct {
	held  chan struct{} // has room for one holder
	users int
}

// lock waits until no other write of the entry is under way, at most until ctx ends. It may be unlocked more than once.
func (n *nameLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	l := n.join(key)
	select {
	case l.held <- struct{}{}:
		return sync.OnceFunc(func() {
			<-l.held
			n.leave(key, l)
		}), nil
	case <-ctx.Done():
		n.leave(key, l)
		return nil, errUnderWay(key)
	}
}

func (n *nameLocks) join(key string) *nameLock {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.locks[key]
	if l == nil {
		if n.locks == nil {
			n.locks = make(map[string]*nameLock)
		}
		l = &nameLock{held: make(chan struct{}, 1)}
		n.locks[key] = l
	}
	l.users++
	return l
}

func (n *nameLocks) leave(key string, l *nameLock) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(n.locks, key)
	}
}
