// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Logs as Vault writes them, of any length and always the same. All names in them are invented.

package main

import (
	"bufio"
	"cmp"
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
)

// Log is a log in the making. Its zero time is the first of March 2026.
type Log struct {
	out    *bufio.Writer
	random *rand.Rand
	now    time.Time
	n      int
	issued map[string]time.Time // of tokens
	// Shown are the keys that the mount is tuned to show.
	Shown []string
	// HideIssue hashes issued_at, as Vault does where the mount is not tuned, and where a token is unwrapped.
	HideIssue bool
	// Key is the audit device's.
	Key string
	// Lines and Bytes count what was written.
	Lines, Bytes int64
}

// New returns a log that is written to w.
func New(w io.Writer, seed uint64) *Log {
	return &Log{
		out: bufio.NewWriterSize(w, 1<<20), issued: make(map[string]time.Time),
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
	// Port is that of the connection, unless the caller keeps one.
	Port int
	// Login makes a new Vault token for this caller.
	Login *Caller
}

// isRouted reports whether the request comes to its mount: Vault logs no accessor of the mount before.
func (r *Request) isRouted() bool { return !r.Denied && (r.By.Name != "" || r.Error == "") }

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
		"mount_point": r.Mount, "mount_type": class, "mount_class": classOf(r.Mount),
		"mount_running_plugin_version": "v0.1.0", "mount_is_external_plugin": true,
	}
	if r.isRouted() {
		response["mount_accessor"] = class + "_0a1b2c3d"
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
	class := strings.TrimPrefix(strings.TrimSuffix(r.Mount, "/"), "auth/")
	request := map[string]any{
		"id": id, "operation": r.Operation, "path": r.Mount + r.Path, "mount_point": r.Mount, "mount_class": classOf(r.Mount),
		"mount_type":     class,
		"remote_address": r.By.Remote, "remote_port": cmp.Or(r.Port, 40000+len(r.By.Name)), "namespace": map[string]any{"id": "root"},
		"client_id": r.By.Entity, "client_token": l.HMAC("external " + r.By.Name),
		"client_token_accessor": l.HMAC("accessor " + r.By.Name),
		"headers":               map[string]any{"user-agent": []string{"Go-http-client/1.1"}}, "mount_running_version": "v0.1.0",
	}
	// Before it logs the request half of a write, Vault asks the mount whether that would create or update.
	if r.isRouted() && (kind == "response" || r.Operation == "create" || r.Operation == "update") {
		request["mount_accessor"] = class + "_0a1b2c3d"
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
		if slices.Contains(l.Shown, key) || key == "issued_at" && !l.HideIssue {
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
	if l.issued[token].IsZero() {
		l.issued[token] = l.now
	}
	return map[string]any{
		"access_token": token, "authorization": "JWT " + token, "token_type": "JWT", "token_id": tokenID(token),
		"config":    config,
		"issued_at": l.issued[token].Format(time.RFC3339), "expires_at": l.now.Add(24 * time.Hour).Format(time.RFC3339),
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

// Day writes a day in the life of a mount, with something of everything that a report tells. The token with number 2 is
// revoked at the end of it.
func (l *Log) Day() {
	people := People()
	asha, bina, app, erp, omar := people[0], people[1], people[2], people[3], people[4]
	const mount = "mastersindia/"
	for _, who := range people {
		l.Do(Request{
			By: Caller{Remote: who.Remote}, Operation: "update", Mount: "auth/" + who.Method + "/", Path: "login/x", Login: &who,
		})
	}
	l.Do(Request{
		By: omar, Operation: "create", Mount: mount, Path: "config/gst", Data: map[string]any{
			"preset": "einvoice-production", "username": "api-user", "password": "invented-password",
		},
	})
	l.Do(Request{
		By: omar, Operation: "create", Mount: mount, Path: "role/billing", Data: map[string]any{"config": "gst", "max_ttl": "1h"},
	})
	for n := range 40 {
		l.Read([]Caller{asha, app, erp}[n%3], "billing", Token(1+n/20), "gst")
		l.Wait(time.Duration(7+n%5) * time.Minute)
		if n%4 == 0 {
			l.Other(bina)
		}
	}
	l.Do(Request{
		By: bina, Operation: "read", Mount: mount, Path: "token/billing", Error: "1 error occurred:\n\t* permission denied\n\n",
		Denied: true,
	})
	l.Do(Request{By: Caller{Remote: "198.51.100.7"}, Operation: "read", Mount: mount, Path: "token/billing",
		Error: "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"})
	l.Wait(time.Hour)
	l.Do(Request{By: asha, Operation: "read", Mount: mount, Path: "token/unknown", Answer: map[string]any{
		"error": "role \"unknown\" does not exist",
	}})
	l.Do(Request{By: omar, Operation: "update", Mount: mount, Path: "config/gst",
		Data: map[string]any{"token_url": "https://login.example.com/api/v1/token-auth/", "password": "invented-password"}})
	l.Do(Request{By: erp, Operation: "read", Mount: mount, Path: "token/billing", Wrap: "wrapping-token-1"})
	l.Do(Request{By: asha, Operation: "read", Mount: mount, Path: "token/billing", NoResponse: true})
	l.Wait(20 * time.Minute)
	l.Do(Request{By: omar, Operation: "update", Mount: mount, Path: "rotate/gst", Answer: l.Answer(Token(3), "gst")})
	l.Do(Request{By: omar, Operation: "update", Mount: mount, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
		l.id(2): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
	}}})
	l.Wait(time.Minute)
	l.Read(app, "billing", Token(4), "gst")
	l.Do(Request{By: omar, Operation: "read", Mount: mount, Path: "status/gst", Answer: map[string]any{"state": "ready"}})
}

// Long writes a log of at least size bytes, of which one request in every is on the mount, by so many callers through ten roles, with a new
// token after so many reads.
func (l *Log) Long(size int64, every, callers, readsPerToken int) {
	people := make([]Caller, callers)
	for n := range people {
		text := fmt.Sprint(n)
		people[n] = Caller{
			Name: "approle-" + text, Entity: "22222222-0000-4000-8000-" + text, Method: "approle",
			Remote: "10.9." + fmt.Sprint(n/250%250) + "." + fmt.Sprint(n%250), Policies: []string{"billing", "default"},
		}
	}
	reads := 0
	for n := 0; l.Bytes < size; n++ {
		by := people[l.random.IntN(len(people))]
		if n%every == 0 {
			reads++
			l.Read(by, "role-"+by.Name[len(by.Name)-1:], Token(reads/readsPerToken), "gst")
		} else {
			l.Other(by)
		}
		l.Wait(time.Duration(l.random.IntN(100)) * time.Millisecond)
	}
}

func (l *Log) id(n int) string { return tokenID(Token(n)) }
