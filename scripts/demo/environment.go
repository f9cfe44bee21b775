// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// environment is the Vault and the simulator that the demo uses.
type environment struct {
	dir       string
	vault     *harness.Vault
	simulator *harness.Simulator
	accounts  []account
	client    *http.Client
}

// openEnvironment starts a Vault and a simulator that knows the accounts of the demo.
func openEnvironment(ctx context.Context) (_ *environment, err error) {
	binaries, err := harness.FindBinaries(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mastersindia-demo-")
	if err != nil {
		return nil, err
	}
	s := &environment{dir: dir, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	accounts := simulator.DemoAccounts()
	if s.simulator, err = harness.StartSimulator(ctx, binaries, filepath.Join(dir, "simulator"), accounts); err != nil {
		return nil, err
	}
	vaultDir := filepath.Join(dir, "vault")
	if err := os.Mkdir(vaultDir, 0o700); err != nil {
		return nil, err
	}
	if s.vault, err = harness.StartDevVault(ctx, binaries, vaultDir); err != nil {
		return nil, err
	}
	s.accounts = demoAccounts(s.simulator, accounts)
	return s, s.layOutFiles()
}

// close ends the processes and removes their files.
func (s *environment) close() error {
	var errs []error
	if s.vault != nil {
		errs = append(errs, s.vault.Stop())
	}
	if s.simulator != nil {
		errs = append(errs, s.simulator.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// layOutFiles puts the files that the vault commands read into their working directory.
func (s *environment) layOutFiles() error {
	ca, err := os.ReadFile(s.simulator.CAFile)
	if err != nil {
		return err
	}
	files := map[string]string{"ca.pem": string(ca)}
	for _, a := range s.accounts {
		if a.ClientSecret != "" {
			files[a.secretFile()] = a.ClientSecret
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.vault.CLI.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// logins asks the simulator for the number of login attempts.
func (s *environment) logins(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.simulator.HTTP+"/_simulator/counters", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	var counters simulator.Counters
	if err := json.NewDecoder(response.Body).Decode(&counters); err != nil {
		return 0, fmt.Errorf("reading the simulator's counters: %w", err)
	}
	return counters.Logins, nil
}

// use makes the business call of the account's protocol with the token, as an integrator would.
func (s *environment) use(ctx context.Context, a account, token, clientID string) error {
	status, body, accepted, err := simulator.CallBusiness(ctx, s.simulator.HTTP, s.client, a.Protocol, token, clientID)
	if err != nil {
		return fmt.Errorf("calling the %s API: %w", a.Protocol, err)
	}
	if !accepted {
		return fmt.Errorf("the %s API refused the token of config %s: %d %s", a.Protocol, a.config, status, body)
	}
	return nil
}
