// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"
)

// token is what the client uses of the answer.
type token struct {
	Authorization string `json:"authorization"`
	ID            string `json:"token_id"`
	Config        string `json:"config"`
	TTL           int    `json:"ttl"`
}

// current returns the token that is kept, or reads it. rejected is the token_id of a token that the API has refused.
func (c *client) current(ctx context.Context, rejected string) (token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rejected == "" && time.Now().Before(c.keepUntil) {
		return c.token, nil
	}
	path, query := mount+"/token/"+c.role, map[string][]string{}
	if rejected != "" {
		query["rejected_token_id"] = []string{rejected}
	}
	secret, err := c.vault.Logical().ReadWithDataWithContext(ctx, path, query)
	if answer := (*api.ResponseError)(nil); errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden {
		return token{}, fmt.Errorf("does VAULT_TOKEN live (vault token lookup), and does its policy let it read %s? %w", path, err)
	}
	if err != nil {
		return token{}, fmt.Errorf("reading %s: %w", path, err)
	}
	if secret == nil {
		return token{}, fmt.Errorf("nothing at %s: is %s/ the mount of the engine?", path, mount)
	}
	data, err := json.Marshal(secret.Data)
	if err != nil {
		return token{}, err
	}
	var t token
	if err := json.Unmarshal(data, &t); err != nil {
		return token{}, fmt.Errorf("the answer at %s: %w", path, err)
	}
	// Until there may be a newer one, or until the lease ends. A role may be without leases: 0.
	keep := min(t.TTL, cmp.Or(secret.LeaseDuration, t.TTL))
	// Round drops the monotonic reading: it stands still while a machine sleeps, and the token grows old.
	c.token, c.keepUntil = t, time.Now().Round(0).Add(time.Duration(keep)*time.Second)
	return t, nil
}
