// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

const mount = "mastersindia"

// client calls an API with the token of a role, and keeps that token for as long as it is good.
type client struct {
	vault *api.Client
	api   *http.Client
	role  string

	mu        sync.Mutex // held while a token is read: callers that come meanwhile share it
	token     token
	keepUntil time.Time
}

// noRedirect keeps the token from being taken along to wherever a redirect points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call returns what the API answers. A token that it refuses is replaced, and the call tried once more, never in a loop.
func (c *client) call(ctx context.Context, url string) ([]byte, error) {
	t, err := c.current(ctx, "")
	if err != nil {
		return nil, err
	}
	status, body, err := c.get(ctx, url, t)
	if err == nil && status == http.StatusUnauthorized { // Upstream may have killed the token.
		if t, err = c.current(ctx, t.ID); err != nil {
			return nil, err
		}
		status, body, err = c.get(ctx, url, t)
	}
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s refuses the token twice, the last time token_id %s. Is it the API of this account? "+
			"Else ask an operator for: vault read %s/status/%s", url, t.ID, mount, t.Config)
	case status < 200 || status > 299:
		return nil, fmt.Errorf("%s answers %d, which is not about the token (token_id %s): %s", url, status, t.ID, body)
	}
	return body, nil
}

func (c *client) get(ctx context.Context, url string, t token) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", t.Authorization)
	answer, err := c.api.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}
