// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package sample writes audit logs as Vault does, of any length and always the same, for tests and benchmarks. All names in them
// are invented.
package sample

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// Log is a log in the making. Its zero time is the first of March 2026.
type Log struct {
	out    *bufio.Writer
	random *rand.Rand
	now    time.Time
	n      int
	// Shown are the keys that the mount is tuned to show.
	Shown []string
	// Key is the audit device's.
	Key string
	// Lines and Bytes count what was written.
	Lines, Bytes int64
}

// New returns a log that is written to w.
func New(w io.Writer, seed uint64) *Log {
	return &Log{
		out:    bufio.NewWriterSize(w, 1<<20),
		random: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // tests want the same numbers again
		now:    time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Key: "audit-device-key",
	}
}

// Caller is somebody with a Vault token.
type Caller struct {
	Name, Entity, Method, Remote string
	Policies                     []string
}

// People are invented callers.
func People() []Caller {
	return []Caller{
		{"userpass-asha", "11111111-0000-4000-8000-000000000001", "userpass", "10.1.0.11", []string{"billing", "default"}},
		{"userpass-bina", "11111111-0000-4000-8000-000000000002", "userpass", "10.1.0.12", []string{"default"}},
		{"approle", "11111111-0000-4000-8000-000000000003", "approle", "10.2.0.21", []string{"billing", "default"}},
		{"kubernetes-erp-invoices", "11111111-0000-4000-8000-000000000004", "kubernetes", "10.3.0.31", []string{"default", "erp"}},
		{"userpass-omar", "11111111-0000-4000-8000-000000000005", "userpass", "10.1.0.15", []string{"default", "operator"}},
	}
}

// HMAC is what the audit device writes instead of a text.
func (l *Log) HMAC(text string) string {
	mac := hmac.New(sha256.New, []byte(l.Key))
	_, _ = io.WriteString(mac, text)
	return "hmac-sha256:" + hex.EncodeToString(mac.Sum(nil))
}

// Wait lets time pass.
func (l *Log) Wait(d time.Duration) { l.now = l.now.Add(d) }

// Close writes what is left.
func (l *Log) Close() error { return l.out.Flush() }

// Raw writes a line as it is.
func (l *Log) Raw(line string) {
	n, _ := l.out.WriteString(line + "\n")
	l.Lines++
	l.Bytes += int64(n)
}

// Request is one request and what became of it.
type Request struct {
	By        Caller
	Operation string
	Mount     string // such as mastersindia/
	Path      string // below the mount
	Data      map[string]any
	Answer    map[string]any
	Lease     bool
	Wrap      string // the wrapping token
	Error     string
	Denied    bool
	// NoResponse leaves out the response, NoRequest the request.
	NoResponse, NoRequest bool
	// Login makes a new Vault token for this caller.
	Login *Caller
}

// Do writes a request, and its response five milliseconds later.
func (l *Log) Do(r Request) {
	l.n++
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", l.n, l.random.Int64N(1<<40))
	if !r.NoRequest {
		l.write(l.entry(r, id, "request"))
	}
	l.now = l.now.Add(5 * time.Millisecond)
	if r.NoResponse {
		return
	}
	e := l.entry(r, id, "response")
	class := strings.TrimPrefix(strings.TrimSuffix(r.Mount, "/"), "auth/")
	response := map[string]any{
		"mount_point": r.Mount, "mount_type": class, "mount_accessor": class + "_0a1b2c3d", "mount_class": classOf(r.Mount),
		"mount_running_plugin_version": "v0.1.0", "mount_is_external_plugin": true,
	}
	if r.Answer != nil {
		response["data"] = l.hashed(r.Answer)
	}
	if r.Lease {
		response["secret"] = map[string]any{"lease_id": fmt.Sprintf("%s%s/%024x", r.Mount, r.Path, l.random.Int64())}
	}
	if r.Wrap != "" {
		delete(response, "data")
		delete(response, "secret")
		response["wrap_info"] = map[string]any{"token": l.HMAC(r.Wrap), "creation_path": r.Mount + r.Path, "ttl": 60}
	}
	if r.Login != nil {
		response["auth"] = l.auth(*r.Login, true)
	}
	e["response"] = response
	l.write(e)
}

func classOf(mount string) string {
	if strings.HasPrefix(mount, "auth/") {
		return "auth"
	}
	return "secret"
}

func (l *Log) entry(r Request, id, kind string) map[string]any {
	request := map[string]any{
		"id": id, "operation": r.Operation, "path": r.Mount + r.Path, "mount_point": r.Mount, "mount_class": classOf(r.Mount),
		"mount_type":     strings.TrimPrefix(strings.TrimSuffix(r.Mount, "/"), "auth/"),
		"remote_address": r.By.Remote, "remote_port": 40000 + l.n%20000, "namespace": map[string]any{"id": "root"},
		"client_id": r.By.Entity, "client_token": l.HMAC("external " + r.By.Name),
		"client_token_accessor": l.HMAC("accessor " + r.By.Name),
		"headers":               map[string]any{"user-agent": []string{"Go-http-client/1.1"}}, "mount_running_version": "v0.1.0",
	}
	if r.Data != nil {
		request["data"] = l.hashed(r.Data)
	}
	e := map[string]any{"time": l.now.Format(time.RFC3339Nano), "type": kind, "request": request}
	if r.By.Name != "" {
		e["auth"] = l.auth(r.By, !r.Denied)
	}
	if r.Error != "" && (kind == "response" || r.Denied || r.By.Name == "") {
		e["error"] = r.Error
	}
	return e
}

func (l *Log) auth(by Caller, allowed bool) map[string]any {
	return map[string]any{
		"accessor": l.HMAC("accessor " + by.Name), "client_token": l.HMAC("internal " + by.Name), "display_name": by.Name,
		"entity_id": by.Entity, "policies": by.Policies, "token_policies": by.Policies, "token_type": "service", "token_ttl": 2764800,
		"token_issue_time": "2026-03-01T07:00:00Z", "policy_results": map[string]any{"allowed": allowed},
	}
}

// hashed is data as the audit device writes it: texts are hashed, unless the mount is tuned to show their key.
func (l *Log) hashed(data map[string]any) map[string]any {
	out := make(map[string]any, len(data))
	for key, value := range data {
		out[key] = l.hashedValue(key, value)
	}
	return out
}

func (l *Log) hashedValue(key string, value any) any {
	switch v := value.(type) {
	case string:
		if slices.Contains(l.Shown, key) {
			return v
		}
		return l.HMAC(v)
	case map[string]any:
		return l.hashed(v)
	default:
		return v
	}
}

func (l *Log) write(e map[string]any) {
	text, err := json.Marshal(e)
	if err != nil {
		text = []byte(err.Error()) // the tests would see it
	}
	l.Raw(string(text))
}

// Token is an invented upstream token.
func Token(n int) string { return fmt.Sprintf("invented-upstream-token-%06d", n) }

// Answer is what token/ answers.
func (l *Log) Answer(token, config string) map[string]any {
	return map[string]any{
		"access_token": token, "authorization": "JWT " + token, "token_type": "JWT", "token_id": entry.TokenID(token),
		"config":    config,
		"issued_at": l.now.Format(time.RFC3339), "expires_at": l.now.Add(24 * time.Hour).Format(time.RFC3339),
		"expires_in": 86399, "ttl": 57023, "rotation_period": 57024, "last_vault_rotation": l.now.Format(time.RFC3339Nano),
	}
}

// Read writes a read of a role.
func (l *Log) Read(by Caller, role, token, config string) {
	l.Do(Request{
		By: by, Operation: "read", Mount: "mastersindia/", Path: "token/" + role, Answer: l.Answer(token, config), Lease: true,
	})
}

// Other writes a request to another mount.
func (l *Log) Other(by Caller) {
	l.Do(Request{
		By: by, Operation: "read", Mount: "kv/", Path: fmt.Sprintf("data/app/%d", l.random.IntN(1000)),
		Answer: map[string]any{
			"data": map[string]any{"password": "not for you", "user": "somebody"}, "metadata": map[string]any{"version": 3},
		},
	})
}
