// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// scaleClients is how many clients write, and then read, in the part with many accounts.
const scaleClients = 16

// scale measures a mount with many accounts, of which some are in use: memory, a reload of the plugin, and a wave of rotations
// of all accounts in use.
func (b *bench) scale(ctx context.Context) (err error) {
	o, r := b.options.scale, &results.Scale{}
	r.Accounts, r.Used = o.accounts, o.used
	owner := account("owner", o.life)
	s, err := b.open(ctx, harness.StorageInmem, owner)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	memory := func() int64 { return memoryOf(s.plugin(b.binaries.Plugin)) }

	b.say("storing %d accounts", o.accounts)
	if err := s.storeAccounts(ctx, o); err != nil {
		return err
	}
	if _, err := s.reload(ctx, 0); err != nil {
		return err
	}
	r.MemoryStored = memory()

	began := time.Now()
	if err := s.readAll(ctx, o.used); err != nil {
		return err
	}
	r.FirstReads = time.Since(began)
	r.MemoryUsed = memory()
	b.say("%d first reads took %s; %d MiB with none in use, %d MiB then", o.used, r.FirstReads.Round(time.Millisecond),
		r.MemoryStored>>20, r.MemoryUsed>>20)

	logins := s.simulator.Counters().Logins
	if r.Reload, err = s.reload(ctx, o.used/2); err != nil {
		return err
	}
	r.LoginsAfterReload = s.simulator.Counters().Logins - logins
	b.say("a reload took %s, and %d logins", r.Reload.Round(time.Millisecond), r.LoginsAfterReload)

	// Rotations are due from a quarter of a token's life on, and the wave is as long again.
	quarter := o.life / 4
	read := func(int, int) string { return rolePath(rand.IntN(o.used)) } //nolint:gosec // which account is read is no secret
	tokens := s.tokens[:scaleClients]
	calm := quarter - time.Since(began) - warmUp
	if least := quarter / 4; calm < least {
		b.say("the first rotations fall due %s before the load without them ends", least-calm)
		calm = least
	}
	before, err := load(ctx, s.address, tokens, calm, read)
	if err != nil {
		return err
	}
	r.Before = before.load()
	r.MemoryReloaded = memory()
	b.say("no rotation due:   %6.0f/s  p50 %s  p99 %s", r.Before.Rate, r.Before.P50, r.Before.P99)
	logins = s.simulator.Counters().Logins
	r.WaveTook = quarter
	wave, err := load(ctx, s.address, tokens, quarter, read)
	if err != nil {
		return err
	}
	r.Wave = wave.load()
	r.WaveLogins = s.simulator.Counters().Logins - logins
	b.say("%d rotations in %s:  %6.0f/s  p50 %s  p99 %s", r.WaveLogins, quarter, r.Wave.Rate, r.Wave.P50, r.Wave.P99)
	b.results.Scale = r
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func rolePath(n int) string { return fmt.Sprintf("%s/token/r%05d", harness.PluginName, n) }

// storeAccounts stores configs and unleased roles, none of which logs in. The shares of life after which their tokens are
// rotated spread those rotations over a quarter of it.
func (s *stage) storeAccounts(ctx context.Context, o scaleOptions) error {
	group, ctx := errgroup.WithContext(ctx)
	for n := range scaleClients {
		group.Go(func() error {
			for k := n; k < o.accounts; k += scaleClients {
				config := fmt.Sprintf("c%05d", k)
				data := s.config(account("owner", 0), map[string]any{"verify_connection": false, "rotation_percent": 25 + k%25})
				if err := s.write(ctx, harness.PluginName+"/config/"+config, data); err != nil {
					return err
				}
				role := fmt.Sprintf("%s/role/r%05d", harness.PluginName, k)
				if err := s.write(ctx, role, map[string]any{"config": config, "lease": false}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// readAll reads each account in use once, which logs in for it.
func (s *stage) readAll(ctx context.Context, used int) error {
	group, ctx := errgroup.WithContext(ctx)
	for client, token := range s.tokens[:scaleClients] {
		group.Go(func() error {
			conn, err := dial(ctx, s.address)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			for n := client; n < used; n += scaleClients {
				if err := conn.get(getRequest(s.address, token, rolePath(n))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// reload has Vault end the plugin and start it again, and returns how long it took until a role could be read.
func (s *stage) reload(ctx context.Context, role int) (time.Duration, error) {
	began := time.Now()
	_, err := s.root.Sys().ReloadPluginWithContext(ctx, &api.ReloadPluginInput{Plugin: harness.PluginName})
	if err != nil {
		return 0, fmt.Errorf("reloading the plugin: %w", err)
	}
	if _, err := s.read(ctx, rolePath(role)); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}
