// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command probe is a plugin to measure the engine against. Its paths answer with what was written to data, which is an answer
// of the engine's: memory and leased from memory, which is the least that any plugin can do; usual and locked the way that such
// engines are usually written, with the role, the config and the token read from storage for every request, with and without a
// lock around that.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

const secretType = "probe"

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true})
	meta := &api.PluginAPIClientMeta{}
	err := meta.FlagSet().Parse(os.Args[1:])
	if err == nil {
		err = plugin.ServeMultiplex(&plugin.ServeOpts{
			BackendFactoryFunc: factory, TLSProviderFunc: api.VaultPluginTLSProvider(meta.GetTLSConfig()), Logger: logger,
		})
	}
	if err != nil {
		logger.Error("the probe ended", "error", err)
		os.Exit(1)
	}
}

type probe struct {
	*framework.Backend

	answer atomic.Pointer[map[string]any]
	// exclusive is held by the path locked, as an engine does that keeps a token's readers apart by a lock a token.
	exclusive sync.Mutex
}

func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	p := &probe{}
	p.Backend = &framework.Backend{
		Help:        "A probe: how fast can a plugin be?",
		BackendType: logical.TypeLogical,
		Secrets:     []*framework.Secret{{Type: secretType, Revoke: revoke}},
		Paths: []*framework.Path{
			{
				Pattern: "data",
				Fields: map[string]*framework.FieldSchema{
					"role":   {Type: framework.TypeString},
					"answer": {Type: framework.TypeMap},
					"config": {Type: framework.TypeMap},
				},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.UpdateOperation: &framework.PathOperation{Callback: p.write},
				},
			},
			p.readPath("memory", p.memory),
			p.readPath("leased", p.leased),
			p.readPath("usual", p.usual),
			p.readPath("locked", p.locked),
		},
	}
	return p, p.Setup(ctx, conf)
}

func (p *probe) readPath(name string, read framework.OperationFunc) *framework.Path {
	return &framework.Path{
		Pattern:    name + "/" + framework.GenericNameRegex("role"),
		Fields:     map[string]*framework.FieldSchema{"role": {Type: framework.TypeString}},
		Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: read}},
	}
}

func revoke(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	return nil, nil //nolint:nilnil // Vault's way to say that the lease has ended
}

// roleEntry and tokenEntry are what the usual way keeps in storage, beside the config, which is a map here.
type roleEntry struct {
	Config string `json:"config"`
}

type tokenEntry struct {
	Access    string    `json:"access_token"`
	ID        string    `json:"token_id"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// write takes an answer and a config of the engine's.
func (p *probe) write(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	role, _ := d.Get("role").(string)
	answer, _ := d.Get("answer").(map[string]any)
	config, _ := d.Get("config").(map[string]any)
	name := text(answer, "config")
	token := tokenEntry{Access: text(answer, "access_token"), ID: text(answer, "token_id")}
	var err, errToo error
	token.IssuedAt, err = time.Parse(time.RFC3339, text(answer, "issued_at"))
	token.ExpiresAt, errToo = time.Parse(time.RFC3339, text(answer, "expires_at"))
	if err := errors.Join(err, errToo); err != nil {
		return logical.ErrorResponse("the answer is not one of the engine's: %s", err), nil
	}
	for key, value := range map[string]any{"role/" + role: roleEntry{name}, "config/" + name: config, "token/" + name: token} {
		entry, err := logical.StorageEntryJSON(key, value)
		if err != nil {
			return nil, err
		}
		if err := req.Storage.Put(ctx, entry); err != nil {
			return nil, err
		}
	}
	p.answer.Store(&answer)
	return nil, nil //nolint:nilnil // Vault's way to say that a write was done
}

func text(data map[string]any, field string) string {
	s, _ := data[field].(string)
	return s
}

var errNoAnswer = errors.New("write an answer to data first")

func (p *probe) memory(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	answer := p.answer.Load()
	if answer == nil {
		return nil, errNoAnswer
	}
	return &logical.Response{Data: *answer}, nil
}

func (p *probe) leased(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	answer := p.answer.Load()
	if answer == nil {
		return nil, errNoAnswer
	}
	resp := p.Secret(secretType).Response(*answer, map[string]any{
		"schema": 1, "config": (*answer)["config"], "role": d.Get("role"), "token_id": (*answer)["token_id"],
	})
	resp.Secret.TTL, resp.Secret.MaxTTL = 23*time.Hour, 23*time.Hour
	return resp, nil
}

// usual reads role, config and token from storage, one after the other, and makes the same answer of them.
func (p *probe) usual(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, _ := d.Get("role").(string)
	var role roleEntry
	if err := get(ctx, req.Storage, "role/"+name, &role); err != nil {
		return nil, err
	}
	var config map[string]any
	if err := get(ctx, req.Storage, "config/"+role.Config, &config); err != nil {
		return nil, err
	}
	var token tokenEntry
	if err := get(ctx, req.Storage, "token/"+role.Config, &token); err != nil {
		return nil, err
	}
	left := time.Until(token.ExpiresAt)
	if left <= 0 {
		return nil, errors.New("the token has expired: the probe has no upstream")
	}
	scheme := text(config, "authorization_scheme")
	return &logical.Response{Data: map[string]any{
		"access_token":        token.Access,
		"token_type":          scheme,
		"authorization":       scheme + " " + token.Access,
		"token_id":            token.ID,
		"issued_at":           token.IssuedAt.Format(time.RFC3339),
		"expires_at":          token.ExpiresAt.Format(time.RFC3339),
		"expires_in":          int64(left / time.Second),
		"config":              role.Config,
		"ttl":                 int64(left / time.Second),
		"rotation_period":     int64(token.ExpiresAt.Sub(token.IssuedAt) / time.Second),
		"last_vault_rotation": token.IssuedAt.Format(time.RFC3339Nano),
	}}, nil
}

func (p *probe) locked(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	p.exclusive.Lock()
	defer p.exclusive.Unlock()
	return p.usual(ctx, req, d)
}

func get(ctx context.Context, storage logical.Storage, key string, into any) error {
	entry, err := storage.Get(ctx, key)
	if err != nil {
		return err
	}
	if entry == nil {
		return fmt.Errorf("no %s: %w", strings.TrimSuffix(key, "/"), errNoAnswer)
	}
	return entry.DecodeJSON(into)
}
