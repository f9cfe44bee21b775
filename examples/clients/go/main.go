// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command go calls each URL with the token that a role of the mastersindia engine gives, and prints the answers:
//
//	VAULT_ADDR=... VAULT_TOKEN=... go run ./examples/clients/go ROLE URL...
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/vault/api"
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if flag.NArg() < 2 {
		log.Fatal("usage: go run ./examples/clients/go ROLE URL...")
	}
	if err := run(context.Background(), os.Stdout, flag.Arg(0), flag.Args()[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, role string, urls []string) error {
	vault, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		return fmt.Errorf("making a client of Vault from the environment: %w", err)
	}
	c := &client{vault: vault, role: role, api: &http.Client{Timeout: time.Minute, CheckRedirect: noRedirect}}
	for _, url := range urls {
		body, err := c.call(ctx, url)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", body); err != nil {
			return err
		}
	}
	return nil
}
