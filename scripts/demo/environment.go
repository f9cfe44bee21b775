// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// caFile is the certificate of the simulator's CA, in the working directory of the vault commands.
const caFile = "ca.pem"

// environment is the Vault and the simulator that the demo uses.
type environment struct {
	dir       string
	vault     *harness.Vault
	simulator *simulator.Simulator
	// plain and secure serve the simulator, by HTTP and by HTTPS with a certificate of ca.
	plain, secure *httptest.Server
	ca            *simulator.CA
	accounts      []account
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
	s := &environment{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.startSimulator(); err != nil {
		return nil, err
	}
	vaultDir := filepath.Join(dir, "vault")
	if err := os.Mkdir(vaultDir, 0o700); err != nil {
		return nil, err
	}
	if s.vault, err = harness.StartDevVault(ctx, binaries, vaultDir); err != nil {
		return nil, err
	}
	return s, s.layOutFiles()
}

func (s *environment) startSimulator() (err error) {
	accounts := simulator.DemoAccounts()
	if s.simulator, err = simulator.New(simulator.Options{Accounts: accounts}); err != nil {
		return err
	}
	if s.ca, err = simulator.NewCA(); err != nil {
		return err
	}
	s.plain, s.secure = httptest.NewUnstartedServer(s.simulator), httptest.NewUnstartedServer(s.simulator)
	if s.secure.TLS, err = s.ca.ServerTLS(); err != nil {
		return err
	}
	s.plain.Config.ConnContext, s.secure.Config.ConnContext = s.simulator.ConnContext, s.simulator.ConnContext
	s.plain.Start()
	s.secure.StartTLS()
	s.accounts = demoAccounts(s.plain.URL, s.secure.URL, accounts)
	return nil
}

// close ends the servers and removes their files.
func (s *environment) close() error {
	var errs []error
	if s.vault != nil {
		errs = append(errs, s.vault.Stop())
	}
	for _, server := range []*httptest.Server{s.plain, s.secure} {
		if server != nil {
			server.CloseClientConnections()
			server.Close()
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// layOutFiles puts the files that the vault commands read into their working directory.
func (s *environment) layOutFiles() error {
	files := map[string]string{caFile: string(s.ca.CertPEM())}
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

// use makes the business call of the account's protocol with the token, as an integrator would.
func (s *environment) use(ctx context.Context, a account, token, clientID string) error {
	status, body, accepted, err := simulator.CallBusiness(ctx, s.plain.URL, s.plain.Client(), a.Protocol, token, clientID)
	if err != nil {
		return fmt.Errorf("calling the %s API: %w", a.Protocol, err)
	}
	if !accepted {
		return fmt.Errorf("the %s API refused the token of config %s: %d %s", a.Protocol, a.config, status, body)
	}
	return nil
}
