// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command go-client calls an API again and again with a token from Vault, and keeps that token current: it shows what a Go
// program does that runs for long. VAULT_ADDR and VAULT_TOKEN say where Vault is and who the program is there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"
)

func main() {
	path := flag.String("path", "mastersindia/token/billing", "what to read in Vault: a role with leases")
	url := flag.String("url", "", "what to call with the token")
	every := flag.Duration("every", time.Second, "how often to call it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *url, *every); err != nil && !errors.Is(err, context.Canceled) {
		log.Print(err)
	}
}

func run(ctx context.Context, path, url string, every time.Duration) error {
	vault, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		return fmt.Errorf("making a client of Vault: %w", err)
	}
	var authorization atomic.Value
	go callEvery(ctx, every, url, &authorization)
	return keepToken(ctx, vault, path, func(value string) { authorization.Store(value) })
}

// keepToken hands the token at path to use, and the next one in time, until ctx ends.
func keepToken(ctx context.Context, vault *api.Client, path string, use func(authorization string)) error {
	for {
		err := readToken(ctx, vault, path, use)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		log.Printf("reading %s again in 5 s: %v", path, err) // the last token may be good for a while yet
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
}

// readToken reads the token at path, hands it to use, and returns when it is time to read again.
func readToken(ctx context.Context, vault *api.Client, path string, use func(authorization string)) error {
	secret, err := vault.Logical().ReadWithContext(ctx, path)
	if err != nil {
		return err
	}
	if secret == nil {
		return errors.New("nothing there")
	}
	use(fmt.Sprint(secret.Data["authorization"]))
	// A lease on a token cannot be renewed, so that the watcher only sleeps: until 70 to 73 % of the lease are over.
	watcher, err := vault.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		return err
	}
	go watcher.Start()
	defer watcher.Stop()
	select {
	case err := <-watcher.DoneCh():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// callEvery is what the program is for: it uses whatever token is the current one.
func callEvery(ctx context.Context, every time.Duration, url string, authorization *atomic.Value) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	client := &http.Client{Timeout: 10 * time.Second}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		value, ok := authorization.Load().(string)
		if !ok {
			continue // the first token is still to come
		}
		if err := call(ctx, client, url, value); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}
}

func call(ctx context.Context, client *http.Client, url, authorization string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", authorization)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("calling %s: %s", url, answer.Status)
	}
	return nil
}
