// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	probeMount = "bench-probe"
	// rotatingLife and rotatingPercent make an account whose token is rotated three seconds after each login.
	rotatingLife, rotatingPercent = time.Minute, 5
)

// stage is a Vault with the engine, the probe and KV in it, and an upstream.
type stage struct {
	*harness.Vault

	root      *api.Client
	caller    *harness.Caller
	storage   harness.Storage
	simulator *simulator.Simulator
	upstream  *httptest.Server
	logins    clock
	dir       string
	address   string
	tokens    []string // of the clients
}

func (b *bench) open(ctx context.Context, storage harness.Storage, accounts ...simulator.Account) (_ *stage, err error) {
	s := &stage{storage: storage}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "mastersindia-bench-"); err != nil {
		return nil, err
	}
	if s.simulator, err = simulator.New(simulator.Options{Accounts: accounts}); err != nil {
		return nil, err
	}
	s.simulator.SetFault("", simulator.Fault{Kind: simulator.FaultSlow, Delay: results.LoginTakes, On: simulator.OnLogin})
	s.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.logins.note()
		s.simulator.ServeHTTP(w, r)
	}))
	s.Vault, err = harness.StartVaultWith(ctx, b.binaries, s.dir, harness.Settings{Storage: storage, LogLevel: "warn"})
	if err != nil {
		return nil, err
	}
	s.address = strings.TrimPrefix(s.Addr, "http://")
	if s.root, err = s.Client(s.Token); err != nil {
		return nil, err
	}
	s.caller = s.Caller(s.Token)
	if err := s.Install(ctx, harness.PluginName); err != nil {
		return nil, err
	}
	s.tokens, err = s.makeTokens(ctx, max(scaleClients, slices.Max(b.clients)))
	return s, err
}

func (s *stage) close() error {
	var errs []error
	if s.Vault != nil {
		errs = append(errs, s.Stop())
	}
	if s.upstream != nil {
		s.upstream.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// makeTokens makes the service tokens of the clients, each of which may read and nothing else.
func (s *stage) makeTokens(ctx context.Context, n int) ([]string, error) {
	if err := s.root.Sys().PutPolicyWithContext(ctx, "reader", `path "*" { capabilities = ["read"] }`); err != nil {
		return nil, err
	}
	var tokens []string
	for range n {
		secret, err := s.root.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{
			Policies: []string{"reader"}, NoDefaultPolicy: true, TTL: "2h",
		})
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, secret.Auth.ClientToken)
	}
	return tokens, nil
}

// account is an upstream account whose tokens live for a while. Its secrets are invented.
func account(name string, life time.Duration) simulator.Account {
	return simulator.Account{Protocol: simulator.JWT, Username: name, Password: "password-of-" + name, TokenTTL: life}
}

func (s *stage) config(a simulator.Account, more map[string]any) map[string]any {
	data := map[string]any{
		"protocol": "jwt", "token_url": s.upstream.URL + "/api/v1/token-auth/", "allow_http": true,
		"username": a.Username, "password": a.Password,
	}
	maps.Copy(data, more)
	return data
}

func (s *stage) write(ctx context.Context, path string, data map[string]any) error {
	if _, err := s.root.Logical().WriteWithContext(ctx, path, data); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func (s *stage) read(ctx context.Context, path string) (map[string]any, error) {
	secret, err := s.root.Logical().ReadWithContext(ctx, path)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, fmt.Errorf("there is no %s", path)
	}
	return secret.Data, nil
}

func pathOf(row string) string {
	switch row {
	case results.RowKV:
		return "kv/token"
	case results.RowProbe:
		return probeMount + "/memory/app"
	case results.RowProbeLeased:
		return probeMount + "/leased/app"
	case results.RowUsual:
		return probeMount + "/usual/app"
	case results.RowLocked:
		return probeMount + "/locked/app"
	case results.RowOursLeased:
		return harness.PluginName + "/token/leased"
	case results.RowOursRotating:
		return harness.PluginName + "/token/rotating"
	default:
		return harness.PluginName + "/token/app"
	}
}

// furnish stores the accounts, and gives the probe and KV the same answer as the engine's.
func (s *stage) furnish(ctx context.Context, probe string) error {
	if err := s.InstallProgram(ctx, probe, probeMount); err != nil {
		return err
	}
	kv := &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}
	if err := s.root.Sys().MountWithContext(ctx, "kv", kv); err != nil {
		return err
	}
	for _, w := range []struct {
		path string
		data map[string]any
	}{
		{"config/steady", s.config(steady(), nil)},
		{"config/rotating", s.config(rotating(), map[string]any{"rotation_percent": rotatingPercent})},
		{"role/app", map[string]any{"config": "steady", "lease": false}},
		{"role/leased", map[string]any{"config": "steady"}},
		{"role/rotating", map[string]any{"config": "rotating", "lease": false}},
	} {
		if err := s.write(ctx, harness.PluginName+"/"+w.path, w.data); err != nil {
			return err
		}
	}
	answer, err := s.read(ctx, harness.PluginName+"/token/app")
	if err != nil {
		return err
	}
	config, err := s.read(ctx, harness.PluginName+"/config/steady")
	if err != nil {
		return err
	}
	config["password"] = steady().Password
	if err := s.write(ctx, probeMount+"/data", map[string]any{"role": "app", "answer": answer, "config": config}); err != nil {
		return err
	}
	if err := s.write(ctx, "kv/token", answer); err != nil {
		return err
	}
	return s.compare(ctx, answer)
}

// compare checks that all rows answer with the same fields and the same token: otherwise they are no measure of each other.
func (s *stage) compare(ctx context.Context, answer map[string]any) error {
	for _, row := range results.Rows() {
		got, err := s.read(ctx, pathOf(row))
		if err != nil {
			return err
		}
		for field := range answer {
			if _, ok := got[field]; !ok || len(got) != len(answer) {
				return fmt.Errorf("row %q answers with other fields than %q", row, results.RowOurs)
			}
		}
		if row != results.RowOursRotating && got["access_token"] != answer["access_token"] {
			return fmt.Errorf("row %q answers with another token than %q", row, results.RowOurs)
		}
	}
	return nil
}

func steady() simulator.Account   { return account("steady", 24*time.Hour) }
func rotating() simulator.Account { return account("rotating", rotatingLife) }

func (s *stage) accesses(ctx context.Context) (gets, puts float64, err error) {
	response, err := s.caller.Call(ctx, http.MethodGet, "sys/metrics?format=prometheus", nil)
	for name, into := range map[string]*float64{"get": &gets, "put": &puts} {
		value := regexp.MustCompile(`(?m)^vault_barrier_` + name + `_count (.*)$`).FindSubmatch(response.Body)
		if value != nil && err == nil {
			*into, err = strconv.ParseFloat(string(value[1]), 64)
		}
	}
	return gets, puts, err
}
