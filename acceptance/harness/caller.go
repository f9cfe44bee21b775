// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// mostResponse bounds how much of a response is read.
const mostResponse = 16 << 20

// Caller sends requests to a Vault as they are: the path as it is written, no retry, and no redirect followed.
type Caller struct {
	token  string
	host   string
	client *http.Client
}

// Caller returns a caller with the given Vault token.
func (v *Vault) Caller(token string) *Caller {
	return &Caller{token: token, host: strings.TrimPrefix(v.Addr, "http://"), client: &http.Client{
		Timeout:       commandTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// As returns a caller with another Vault token and the same connections.
func (c *Caller) As(token string) *Caller {
	return &Caller{token: token, host: c.host, client: c.client}
}

// Host is the host and port that the requests go to.
func (c *Caller) Host() string { return c.host }

// Token is the Vault token that the requests carry.
func (c *Caller) Token() string { return c.token }

// Response is what Vault said to a request.
type Response struct {
	Status int
	Body   []byte
}

// OK reports whether the request was granted.
func (a Response) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Secret reads the body of a response that was granted; an empty one is an empty Secret.
func (a Response) Secret() (Secret, error) {
	if len(a.Body) == 0 {
		return Secret{}, nil
	}
	return ParseSecret(string(a.Body))
}

// ClientToken reads the Vault token in the response to a login or to the making of a token.
func (a Response) ClientToken() (string, error) {
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		} `json:"auth"`
	}
	if err := json.Unmarshal(a.Body, &made); err != nil || made.Auth.ClientToken == "" {
		return "", fmt.Errorf("no Vault token in the response: %d: %s", a.Status, a.Said())
	}
	return made.Auth.ClientToken, nil
}

// Said is the text of a refusal: Vault's list of errors, or the body where it is none. It is empty where the request was granted:
// that body may hold a token.
func (a Response) Said() string {
	if a.OK() {
		return ""
	}
	var refusal struct {
		Errors []string `json:"errors"`
	}
	if err := json.Unmarshal(a.Body, &refusal); err != nil || len(refusal.Errors) == 0 {
		return strings.TrimSpace(string(a.Body))
	}
	return strings.Join(refusal.Errors, "; ")
}

// Send sends one request. The path begins after /v1/ and goes out as it is, with its query and its percent signs.
func (c *Caller) Send(ctx context.Context, method, path string, body []byte) (Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.host, bytes.NewReader(body))
	if err != nil {
		return Response{}, err
	}
	request.URL = &url.URL{Scheme: "http", Host: c.host, Opaque: "/v1/" + path}
	request.Header.Set("X-Vault-Token", c.token)
	request.Header.Set("X-Vault-Request", "true")
	response, err := c.client.Do(request)
	if err != nil {
		return Response{}, fmt.Errorf("%s %.200s: %w", method, path, bare(err))
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, mostResponse))
	if err != nil {
		return Response{}, fmt.Errorf("%s %.200s: reading the response: %w", method, path, err)
	}
	return Response{Status: response.StatusCode, Body: said}, nil
}

// bare takes the URL out of an error of the HTTP client: it may be as long as a test has made it.
func bare(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// Call sends data as JSON, or nothing where data is nil.
func (c *Caller) Call(ctx context.Context, method, path string, data any) (Response, error) {
	if data == nil {
		return c.Send(ctx, method, path, nil)
	}
	body, err := json.Marshal(data)
	if err != nil {
		return Response{}, fmt.Errorf("%s %s: encoding the request: %w", method, path, err)
	}
	return c.Send(ctx, method, path, body)
}

// Must makes a call that has to be granted, and returns what it gave.
func (c *Caller) Must(ctx context.Context, method, path string, data any) (Secret, error) {
	response, err := c.Call(ctx, method, path, data)
	if err != nil {
		return Secret{}, err
	}
	if !response.OK() {
		return Secret{}, fmt.Errorf("%s %s: %d: %s", method, path, response.Status, response.Said())
	}
	return response.Secret()
}
