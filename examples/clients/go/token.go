// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	// margin is how long before its end a token is taken for dead.
	margin = 5 * time.Second
	// again is when Vault is asked again after it could not be reached.
	again = time.Minute
	// vaultTimeout bounds one request to Vault.
	vaultTimeout = 30 * time.Second
	// notVault is said where a response is not of Vault.
	notVault = "is VAULT_ADDR Vault's? It was sent the Vault token"
)

// client calls an API with the token of a role. It keeps that token until there may be a newer one, and, while Vault cannot be
// reached, for as long as it lives.
type client struct {
	vault *api.Client
	api   *http.Client
	path  string // of the role
	where string // Vault is

	mu         sync.Mutex // held while a token is read: callers that come meanwhile share it
	kept       token
	keepUntil  time.Time
	livesUntil time.Time
	failed     error // of the last read that failed, at failedAt
	failedAt   time.Time
}

// token is what the client uses of the response.
type token struct {
	Access        string            `json:"access_token"`
	Authorization string            `json:"authorization"`
	ID            string            `json:"token_id"`
	ClientID      string            `json:"client_id"`
	Metadata      map[string]string `json:"metadata"`
	Config        string            `json:"config"`
	TTL           int               `json:"ttl"`
	ExpiresIn     int               `json:"expires_in"`
}

// String keeps the token out of logs.
func (t token) String() string { return "token " + t.ID }

// MarshalText does the same for logs in JSON.
func (t token) MarshalText() ([]byte, error) { return []byte(t.String()), nil } //nolint:unparam // encoding.TextMarshaler

// hide keeps it out of messages: an API may repeat in its error what it was sent.
func (t token) hide(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte(t.Access), []byte("<token>"))
}

// reply is what messages say of a response.
func (t token) reply(body []byte) string { return ": " + string(t.hide(body)) }

// newClient takes a role of the mount mastersindia, or a full path such as gst/token/billing, and Vault from the environment.
func newClient(role string) (*client, error) {
	path := regexp.MustCompile(`^/*(v1/)?|/+$`).ReplaceAllString(strings.TrimSpace(role), "")
	if !regexp.MustCompile(`^\w[\w-]*([./][\w-]+)*$`).MatchString(path) || beginsAsToken(path) {
		return nil, errors.New("role: must be a name such as billing, or a path such as gst/token/billing; the URLs follow it")
	}
	if !strings.Contains(path, "/") {
		path = "mastersindia/token/" + path
	}
	for _, pair := range os.Environ() { // the library reads more of them
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "VAULT_") {
			env(name)
		}
	}
	address := regexp.MustCompile(`([^:/])/+((v1|ui)(/.*)?)?$`).ReplaceAllString(env(api.EnvVaultAddress), "$1")
	if address == "" {
		return nil, errors.New("set VAULT_ADDR to the URL of Vault")
	}
	if err := checkURL(api.EnvVaultAddress, address, vaultProxies()...); err != nil {
		return nil, err
	}
	if env(api.EnvVaultSkipVerify) != "" {
		return nil, errors.New("VAULT_SKIP_VERIFY is not supported: unset it, and set VAULT_CACERT to the CA of your Vault")
	}
	if !isFileName(env(api.EnvVaultCACert)) {
		return nil, errors.New("VAULT_CACERT: must be the name of a file")
	}
	config := api.DefaultConfig()
	if config.Error != nil && env(api.EnvVaultCACert) != "" {
		return nil, fmt.Errorf("VAULT_CACERT cannot be used: %w", config.Error)
	}
	if config.Error != nil {
		return nil, fmt.Errorf("making a client of Vault from the environment: %w", config.Error)
	}
	config.Address, config.Timeout = address, vaultTimeout
	config.AgentAddress = ""       // of VAULT_AGENT_ADDR, which would count before VAULT_ADDR
	config.DisableRedirects = true // one would take the Vault token along
	vault, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of Vault from the environment: %w", err)
	}
	vault.SetWrappingLookupFunc(func(string, string) string { return "" }) // VAULT_WRAP_TTL would hide the token
	return &client{
		vault: vault, path: path, where: vaultOfEnvironment(),
		api: &http.Client{Timeout: time.Minute, CheckRedirect: noRedirect, Transport: &http.Transport{
			// Not the default one, which other parts of a program may tell to trust any certificate. HTTP/2 would repeat requests.
			Proxy: http.ProxyFromEnvironment, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		}},
	}, nil
}

// env is a variable without the blanks and line breaks around it, such as the CR of a file .env of Windows. It is changed, since
// the libraries read it too.
func env(name string) string {
	text := strings.TrimSpace(os.Getenv(name))
	if text != os.Getenv(name) {
		_ = os.Setenv(name, text) // the name is one
	}
	return text
}

// vaultOfEnvironment is where Vault is.
func vaultOfEnvironment() string { return env(api.EnvVaultAddress) + " " + env(api.EnvVaultNamespace) }

// vaultProxies are variables of a proxy for Vault alone.
func vaultProxies() []string { return []string{api.EnvVaultProxyAddr, api.EnvHTTPProxy} }

// beginsAsToken reports whether a text has a token in place of a name: in a message it would be shown.
func beginsAsToken(text string) bool {
	return regexp.MustCompile(`(^|/)(hv[sbr]\.|[sbr]\.[\w-]{20}|eyJ)`).MatchString(text)
}

// isFileName reports whether a text may be the name of a file: what should be in the file would be shown in its place.
func isFileName(text string) bool {
	return !beginsAsToken(text) && !regexp.MustCompile(`^-----BEGIN|[\r\n]`).MatchString(text)
}

func (c *client) mount() string {
	mount, _, _ := strings.Cut(c.path, "/token/")
	return mount
}

// token returns the token that is kept, or reads it. rejected is the token_id of a token that the API has refused.
func (c *client) token(ctx context.Context, rejected string) (current token, err error) {
	defer func() { current.Metadata = maps.Clone(current.Metadata) }() // what a caller changes is not what is kept
	if c.where != vaultOfEnvironment() {
		return token{}, errors.New("VAULT_ADDR or VAULT_NAMESPACE has changed since this client was made: a process has one Vault " +
			"and namespace")
	}
	came := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	// Round drops the monotonic reading: it stands still while a machine sleeps, and the token grows old.
	now := time.Now().Round(0)
	if rejected == "" && now.Before(c.keepUntil) {
		return c.kept, nil
	}
	if came.Before(c.failedAt) && (rejected != "" || !now.Before(c.livesUntil)) {
		return token{}, c.failed // of the read that this one has waited for
	}
	t, lease, err := c.read(ctx, rejected)
	if err != nil {
		refused, isResponse := errors.AsType[vaultError](err)
		isRefused := isResponse && refused.response.StatusCode < http.StatusInternalServerError &&
			refused.response.StatusCode != http.StatusTooManyRequests
		if rejected != "" || isRefused || ctx.Err() != nil || !now.Before(c.livesUntil) {
			if ctx.Err() == nil {
				c.failed, c.failedAt = err, time.Now()
			}
			return token{}, err
		}
		c.keepUntil = now.Add(min(again, c.livesUntil.Sub(now))) // a Vault that is down is not felt while the token lives
		return c.kept, nil
	}
	// A role may be without leases: 0.
	keep := min(t.TTL, cmp.Or(lease, t.TTL))
	c.kept, c.keepUntil = t, now.Add(time.Duration(keep)*time.Second)
	c.livesUntil = now.Add(time.Duration(t.ExpiresIn)*time.Second - margin)
	return t, nil
}

// read reads the token from Vault, and returns the seconds of its lease with it.
func (c *client) read(ctx context.Context, rejected string) (t token, lease int, err error) {
	own, source, err := ownVaultToken()
	if err != nil {
		return token{}, 0, err
	}
	c.vault.SetToken(own)
	query := map[string][]string{}
	if rejected != "" {
		query["rejected_token_id"] = []string{rejected}
	}
	through := throughProxy(c.vault.Address(), vaultProxies()...)
	secret, err := c.vault.Logical().ReadWithDataWithContext(ctx, c.path, query)
	if response, ok := errors.AsType[*api.ResponseError](err); ok {
		return token{}, 0, vaultError{response, own, source, c.path, through}
	}
	_, noJSON := errors.AsType[*json.SyntaxError](err)
	switch {
	case noJSON:
		return token{}, 0, fmt.Errorf("%s/v1/%s%s answered, but with no JSON: %s", c.vault.Address(), c.path, through, notVault)
	case err != nil:
		where := c.path
		if through != "" {
			where, err = where+" of "+c.vault.Address()+through, withoutAddress(err)
		}
		return token{}, 0, fmt.Errorf("reading %s: %s", where, token{Access: own}.hide([]byte(err.Error())))
	case secret == nil:
		return token{}, 0, fmt.Errorf("nothing at %s: is %s/ the mount of the engine, and VAULT_ADDR Vault's?", c.path, c.mount())
	}
	data, err := json.Marshal(secret.Data)
	if err != nil {
		return token{}, 0, err
	}
	if err := json.Unmarshal(data, &t); err != nil || t.Authorization == "" {
		return token{}, 0, fmt.Errorf("what is read at %s is no token: is the path MOUNT/token/ROLE, and VAULT_ADDR Vault's?", c.path)
	}
	return t, secret.LeaseDuration, nil
}

// vaultError is a refusal of Vault, or of a proxy, with where its token came from and what should be read.
type vaultError struct {
	response                   *api.ResponseError
	own, source, path, through string
}

// Error has Vault's reasons in one line.
func (e vaultError) Error() string {
	reasons := cmp.Or(strings.Join(strings.Fields(strings.Join(e.response.Errors, "; ")), " "), "it gives no reason")
	reasons = strings.ReplaceAll(reasons, e.own, "<token>") // a proxy may repeat it
	hint := ""
	switch {
	case e.response.RawError, len(e.response.Errors) == 0:
		hint = ": " + notVault
	case e.response.StatusCode == http.StatusForbidden:
		hint = fmt.Sprintf(": is the Vault token in %s valid, and may it read %s?", e.source, e.path)
	case regexp.MustCompile("no namespace|internal error").MatchString(reasons):
		hint = fmt.Sprintf(": is what is in %s a Vault token (hvs.…)?", e.source)
	}
	where := shown(e.response.URL) + e.through
	return fmt.Sprintf("Vault returned %d to a read of %s: %s%s", e.response.StatusCode, where, reasons, hint)
}

// ownVaultToken takes the Vault token from VAULT_TOKEN, or anew from the file that Vault Agent keeps, and returns which of them
// it was. The token is in no message.
func ownVaultToken() (text, name string, err error) {
	name, text = "VAULT_TOKEN", env("VAULT_TOKEN")
	if file := env("VAULT_TOKEN_FILE"); text == "" && file != "" {
		if !isFileName(file) {
			return "", "", errors.New("VAULT_TOKEN_FILE: must be the name of a file; a token goes into VAULT_TOKEN")
		}
		content, err := os.ReadFile(file) //nolint:gosec // named by the user who starts the program
		if err != nil {
			return "", "", fmt.Errorf("reading VAULT_TOKEN_FILE: %w: is Vault Agent running?", err)
		}
		name, text = "VAULT_TOKEN_FILE", strings.TrimSpace(string(content))
		if text == "" {
			return "", "", fmt.Errorf("VAULT_TOKEN_FILE is empty: %s: is Vault Agent running? A pipe can be read only once", file)
		}
	}
	if text == "" {
		return "", "", errors.New("set VAULT_TOKEN, or VAULT_TOKEN_FILE to the file that Vault Agent writes")
	}
	if !regexp.MustCompile(`^[\w.-]+$`).MatchString(text) {
		return "", "", fmt.Errorf("%s has a blank, quote, slash, byte order mark or another character in it that no Vault token has",
			name)
	}
	return text, name, nil
}
