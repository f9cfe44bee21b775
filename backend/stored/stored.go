// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package stored keeps entries as JSON in Vault's storage, each with the version of its schema. Its errors say which entry they
// are about, but for those of a storage that only reads, and show nothing of what is in it.
package stored

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// ErrNoStorage says that the backend was made without storage, as Vault does to learn its version.
var ErrNoStorage = errors.New("this backend has no storage")

// Get reads an entry of a schema from 1 to newest; nil where there is none. Errors: ErrNoStorage, *DamagedError, and storage's.
func Get[T any](ctx context.Context, view logical.Storage, key string, schema func(*T) int, newest int) (*T, error) {
	if view == nil {
		return nil, ErrNoStorage
	}
	raw, err := view.Get(ctx, key)
	if err != nil || raw == nil {
		return nil, about(ctx, err, "reading", key)
	}
	entry := new(T)
	if err := raw.DecodeJSON(entry); err != nil { // not passed on: it may quote the entry
		return nil, &DamagedError{fmt.Errorf("the storage entry %s cannot be read: it is damaged", key)}
	}
	if got := schema(entry); got < 1 || got > newest {
		return nil, &DamagedError{fmt.Errorf("the storage entry %s has schema %d, and this version of the plugin supports 1 to %d: "+
			"the version that wrote it is probably newer", key, got, newest)}
	}
	return entry, nil
}

// Put writes an entry.
func Put(ctx context.Context, view logical.Storage, key string, entry any) error {
	if view == nil {
		return ErrNoStorage
	}
	raw, err := logical.StorageEntryJSON(key, entry)
	if err != nil {
		return errors.New("the storage entry " + key + " cannot be encoded")
	}
	return about(ctx, view.Put(ctx, raw), "writing", key)
}

// Delete removes an entry, which need not be there.
func Delete(ctx context.Context, view logical.Storage, key string) error {
	if view == nil {
		return ErrNoStorage
	}
	return about(ctx, view.Delete(ctx, key), "deleting", key)
}

// List returns the names right under a prefix; those that have more under them end in a slash.
func List(ctx context.Context, view logical.Storage, prefix string) ([]string, error) {
	if view == nil {
		return nil, ErrNoStorage
	}
	names, err := view.List(ctx, prefix)
	return names, about(ctx, err, "listing", prefix)
}

// about adds to an error of Vault's storage what was to be done with which entry. One that says that the storage only reads stays
// as it is: Vault knows it by its text, and forwards the request then. Of a context that has ended only a text comes over gRPC.
func about(ctx context.Context, err error, doing, key string) error {
	if err == nil || strings.Contains(err.Error(), logical.ErrReadOnly.Error()) {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	return fmt.Errorf("%s the storage entry %s: %w", doing, key, err)
}
