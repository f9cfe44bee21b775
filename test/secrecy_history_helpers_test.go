// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// collectMessages lets everything happen to the config "gst" and its role "app" that can, and gives every word that the engine
// said about it: errors, warnings, and all responses but those of token/.
func (w *testMount) collectMessages(f fixture) []string {
	w.t.Helper()
	var said []string
	send := func(op logical.Operation, path string, data map[string]any) {
		resp, err := w.do(w.t.Context(), op, path, data)
		if err != nil {
			said = append(said, err.Error(), fmt.Sprintf("%#v", err))
		}
		if resp == nil {
			return
		}
		said = append(said, resp.Warnings...)
		if path == "token/app" && !resp.IsError() {
			return
		}
		encoded, err := json.Marshal(resp.Data)
		check.NoError(w.t, err)
		said = append(said, string(encoded))
	}
	readAll := func() {
		for _, path := range []string{"config/gst", "role/app", "status/gst", "ledger/gst", "token/app"} {
			send(logical.ReadOperation, path, nil)
		}
		for _, path := range []string{"config/", "role/", "status/", "ledger/"} {
			send(logical.ListOperation, path, nil)
		}
	}
	readAll()
	send(logical.UpdateOperation, "config/gst", f.wrong())
	send(logical.UpdateOperation, "config/gst", with(f.config, "headers", "Host=x"))
	for _, kind := range simulator.FaultKinds() {
		w.Simulator.SetFault("", simulator.Fault{Kind: kind, Delay: time.Second, RedirectTo: upstreamURL + "/elsewhere/"})
		send(logical.UpdateOperation, "rotate/gst", nil)
		readAll()
		send(logical.UpdateOperation, "config/gst", with(f.config, "headers", "X-Try="+string(kind)))
		w.Simulator.SetFault("", simulator.Fault{})
		advance(2 * time.Minute)
		send(logical.UpdateOperation, "rotate/gst", nil)
		readAll()
	}
	for _, access := range []string{mounttest.Get, mounttest.Put, mounttest.Delete, mounttest.List} {
		w.Storage.Fail(access, "", mounttest.ErrStorage())
		advance(time.Minute)
		send(logical.UpdateOperation, "rotate/gst", nil)
		send(logical.UpdateOperation, "config/gst", with(f.config, "headers", "X-Try="+access))
		readAll()
		w.Storage.Heal()
	}
	send(logical.UpdateOperation, "rotate/gst", nil)
	for _, token := range w.issued() {
		for _, data := range []map[string]any{
			{"token": token}, {"token_id": token}, {"token": token, "token_id": token}, {"token": token + "x"}, {"token": []any{token}},
			{"tokn": token},
		} {
			send(logical.UpdateOperation, "lookup", data)
		}
	}
	advance(time.Minute)
	send(logical.UpdateOperation, "revoke/gst", nil)
	readAll()
	w.Reload()
	readAll()
	advance(30 * time.Hour)
	readAll()
	send(logical.UpdateOperation, "revoke/gst", map[string]any{"token_id": "0123456789abcdef"})
	return said
}

// issued are all tokens that the upstream has returned, refresh tokens included.
func (w *testMount) issued() []string {
	w.t.Helper()
	shape := regexp.MustCompile(`ey[\w-]{10,}\.[\w-]+\.[\w-]+|\b[0-9a-f]{40}\b`)
	var tokens []string
	for _, r := range w.heard() {
		tokens = append(tokens, shape.FindAllString(r.Response, -1)...)
	}
	return tokens
}

// accessTokens are the access tokens that an upstream of protocol jwt has given out at logins.
func (w *testMount) accessTokens() []string {
	w.t.Helper()
	var tokens []string
	for _, r := range w.heard() {
		var grant struct {
			Token string `json:"token"`
		}
		if !strings.Contains(r.URL, "refresh") && json.Unmarshal([]byte(r.Response), &grant) == nil && grant.Token != "" {
			tokens = append(tokens, grant.Token)
		}
	}
	return tokens
}
