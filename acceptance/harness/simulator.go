// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Simulator is a simulator process of our own on free loopback ports.
type Simulator struct {
	// HTTP and HTTPS are its base URLs.
	HTTP  string `json:"http"`
	HTTPS string `json:"https"`
	// CAFile holds the certificate that signs HTTPS.
	CAFile string `json:"-"`

	*Process `json:"-"`
}

// StartSimulator starts a simulator that knows the given accounts (a JSON list, see the simulator's -accounts) and keeps its
// files in dir, which it makes.
func StartSimulator(ctx context.Context, binaries Binaries, dir string, accounts any) (*Simulator, error) {
	if err := makeDirs(filepath.Join(dir, "tmp")); err != nil {
		return nil, err
	}
	text, err := json.Marshal(accounts)
	if err != nil {
		return nil, fmt.Errorf("writing the simulator's accounts: %w", err)
	}
	accountsFile, readyFile := filepath.Join(dir, "accounts.json"), filepath.Join(dir, "ready.json")
	if err := os.WriteFile(accountsFile, text, 0o600); err != nil {
		return nil, err
	}
	s := &Simulator{CAFile: filepath.Join(dir, "ca.pem")}
	s.Process, err = startProcess(processSpec{
		name: "simulator",
		path: binaries.Simulator,
		args: []string{
			"-listen", "127.0.0.1:0", "-tls-listen", "127.0.0.1:0",
			"-tls-ca-out", s.CAFile, "-accounts", accountsFile, "-ready-file", readyFile,
		},
		env: childEnv(dir),
		log: filepath.Join(dir, "simulator.log"),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := s.WaitFor(ctx, func(context.Context) error { return s.readReady(readyFile) }); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// readReady reads the URLs once the simulator has written them. Half a file counts as none.
func (s *Simulator) readReady(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return err
	}
	if s.HTTP == "" || s.HTTPS == "" {
		return fmt.Errorf("%s lacks a URL", file)
	}
	return nil
}
