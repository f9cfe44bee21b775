// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// The prefixes of storage. They are fixed: entries of every released version stay where they are.
const (
	configPrefix = "config/"
	rolePrefix   = "role/"
	tokenPrefix  = "token/"
)

// storage keeps the entries of a mount. Its errors say which entry they are about, but for those of a storage that only reads.
type storage struct{ view logical.Storage }

// config returns nil without an error where there is none of that name.
func (s *storage) config(ctx context.Context, name string) (*config, error) {
	return getEntry(ctx, s.view, configPrefix+name, func(c *config) int { return c.Schema }, configSchema)
}

func (s *storage) putConfig(ctx context.Context, name string, c *config) error {
	return putEntry(ctx, s.view, configPrefix+name, c)
}

func (s *storage) deleteConfig(ctx context.Context, name string) error {
	return deleteEntry(ctx, s.view, configPrefix+name)
}

// role returns nil without an error where there is none of that name.
func (s *storage) role(ctx context.Context, name string) (*role, error) {
	return getEntry(ctx, s.view, rolePrefix+name, func(r *role) int { return r.Schema }, roleSchema)
}

func (s *storage) putRole(ctx context.Context, name string, r *role) error {
	return putEntry(ctx, s.view, rolePrefix+name, r)
}

func (s *storage) deleteRole(ctx context.Context, name string) error {
	return deleteEntry(ctx, s.view, rolePrefix+name)
}

func (s *storage) list(ctx context.Context, prefix string) ([]string, error) {
	return listEntries(ctx, s.view, prefix)
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
func (s *storage) Load(ctx context.Context, account string) (*issuer.Record, error) {
	return getEntry(ctx, s.view, tokenPrefix+account, func(r *issuer.Record) int { return r.Schema }, issuer.SchemaVersion)
}

// Save implements issuer.Store.
func (s *storage) Save(ctx context.Context, account string, record *issuer.Record) error {
	return putEntry(ctx, s.view, tokenPrefix+account, record)
}

// Delete implements issuer.Store.
func (s *storage) Delete(ctx context.Context, account string) error {
	return deleteEntry(ctx, s.view, tokenPrefix+account)
}

// List implements issuer.Store.
func (s *storage) List(ctx context.Context) ([]string, error) {
	return listEntries(ctx, s.view, tokenPrefix)
}

// getEntry reads an entry of a known schema. The error of one that cannot be read names the key and shows nothing of it.
func getEntry[T any](ctx context.Context, view logical.Storage, key string, schema func(*T) int, newest int) (*T, error) {
	if view == nil {
		return nil, errNoStorage
	}
	stored, err := view.Get(ctx, key)
	if err != nil || stored == nil {
		return nil, about(err, "reading", key)
	}
	entry := new(T)
	if err := stored.DecodeJSON(entry); err != nil {
		return nil, fmt.Errorf("the storage entry %s cannot be read: it is damaged", key)
	}
	if got := schema(entry); got < 1 || got > newest {
		return nil, fmt.Errorf("the storage entry %s has schema %d, and this version of the plugin knows 1 to %d: "+
			"was it written by a newer version?", key, got, newest)
	}
	return entry, nil
}

func putEntry(ctx context.Context, view logical.Storage, key string, entry any) error {
	if view == nil {
		return errNoStorage
	}
	stored, err := logical.StorageEntryJSON(key, entry)
	if err != nil {
		return errors.New("the storage entry " + key + " cannot be encoded")
	}
	return about(view.Put(ctx, stored), "writing", key)
}

func deleteEntry(ctx context.Context, view logical.Storage, key string) error {
	if view == nil {
		return errNoStorage
	}
	return about(view.Delete(ctx, key), "deleting", key)
}

func listEntries(ctx context.Context, view logical.Storage, prefix string) ([]string, error) {
	if view == nil {
		return nil, errNoStorage
	}
	names, err := view.List(ctx, prefix)
	return names, about(err, "listing", prefix)
}

// about adds to an error of Vault's storage what was to be done with which entry. One that says that the storage only reads stays
// as it is: Vault knows it by its text, and forwards the request then.
func about(err error, doing, key string) error {
	if err == nil || strings.Contains(err.Error(), logical.ErrReadOnly.Error()) {
		return err
	}
	return fmt.Errorf("%s the storage entry %s: %w", doing, key, err)
}
