// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

// Source finds accounts. It returns ErrNoAccount for a name that has none.
type Source interface {
	Account(ctx context.Context, name string) (*Account, error)
}

// Store keeps one Record an account, sealed and local to the cluster.
type Store interface {
	// Load returns nil without an error where there is no record.
	Load(ctx context.Context, name string) (*Record, error)
	Save(ctx context.Context, name string, record *Record) error
	Delete(ctx context.Context, name string) error
	// List names the accounts that have a record.
	List(ctx context.Context) ([]string, error)
}

// loadTimeout bounds reading one account from storage. Writes have no such bound: one that was given up could land after the
// next.
const loadTimeout = 30 * time.Second

// load reads settings and record.
func (i *Issuer) load(name string, id uint64) account.Loaded {
	ctx, cancel := context.WithTimeout(i.ctx, loadTimeout)
	defer cancel()
	settings, err := i.source.Account(ctx, name)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return account.Loaded{ID: id, Err: err}
	}
	record, err := i.store.Load(ctx, name)
	if err != nil && (settings != nil || !stored.IsDamaged(err)) { // a damaged record of no account is replaced by the next one
		return account.Loaded{ID: id, Err: err}
	}
	return account.Loaded{ID: id, Account: settings, Record: record}
}

// put writes a record, or deletes it. It returns when storage has responded, however long that takes: a write that was given up
// could land after the next one.
func (i *Issuer) put(name string, r *Record) error {
	ctx := context.WithoutCancel(i.ctx)
	if r == nil {
		return i.store.Delete(ctx, name)
	}
	return i.store.Save(ctx, name, r)
}
