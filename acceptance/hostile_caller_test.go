// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// hostileClients act at the same time: enough for collisions, and few enough for two cores.
	hostileClients = 16
	// hostileRounds are what each of them does with one config and one role.
	hostileRounds = 25
	// abandoned is how many requests are broken off.
	abandoned = 60
	// longestRefusal bounds what is said to a request, however large that was.
	longestRefusal = 4 << 10
)

// hostile is a testVault with a hostile caller, and the number of responses by status.
type hostile struct {
	*testVault

	root *harness.Caller
	pids []int
	// inside may do everything on the mount, and nothing elsewhere.
	inside *harness.Caller

	mu    sync.Mutex
	tally map[string]map[int]int
}

// TestHostileCaller_RequestsRefused sends a real Vault what nobody means: each path without leave, names and values of all
// kinds, floods, collisions and requests that end in the middle.
//
//nolint:tparallel // its parts share the one Vault that they count in
func TestHostileCaller_RequestsRefused(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	h := &hostile{testVault: w, root: w.Caller(w.Token), tally: map[string]map[int]int{}}
	w.app(t, simulator.JWT)
	w.readToken(t, "app")
	h.pids = h.pluginPIDs(t)
	//nolint:paralleltest // one after the other: each part looks at what the account has become
	for _, part := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"leave", h.playLeave}, {"names", h.playNames}, {"values", h.playValues}, {"floods", h.playFloods},
		{"collisions", h.playCollisions}, {"cut off", h.playCutOff},
	} {
		t.Run(part.name, func(t *testing.T) {
			began := time.Now()
			part.play(t)
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Logf("%s: responses by status %v in %s", part.name, h.tally[t.Name()], time.Since(began).Round(time.Millisecond))
		})
	}
	h.wantUnharmed(t)
}

// wantUnharmed checks that the plugin is the process that it was, that nothing panicked, and that the mount works.
func (h *hostile) wantUnharmed(t *testing.T) {
	t.Helper()
	pids := h.pluginPIDs(t)
	check.True(t, slices.Equal(pids, h.pids), "the plugin ran as process %v and now runs as %v; see %s", h.pids, pids, h.ServerLog())
	log := readFile(t, h.ServerLog())
	for line := range strings.Lines(string(log)) {
		check.True(t,
			!strings.Contains(line, "panic") && !strings.Contains(line, "fatal error") && !strings.Contains(line, "goroutine "),
			"the server's log has %.200q; see %s", line, h.ServerLog())
	}
	h.upstream.wantAccepted(t, simulator.JWT, h.readToken(t, "app"))
	t.Logf("one plugin process all along, %d bytes of log without a panic", len(log))
}

func (h *hostile) pluginPIDs(t *testing.T) []int {
	t.Helper()
	pids, err := h.PluginPIDs()
	if errors.Is(err, harness.ErrNoProc) {
		return nil
	}
	check.Require(t, err == nil && len(pids) == 1, "found the plugin processes %v (%v), want one", pids, err)
	return pids
}

// send sends a request, counts the response, and checks what holds for all responses to requests that upstream has no part in.
func (h *hostile) send(t *testing.T, caller *harness.Caller, method, path string, body []byte, hides ...string) harness.Response {
	t.Helper()
	response, err := caller.Send(t.Context(), method, path, body)
	if err != nil {
		t.Errorf("%v", err)
		return response
	}
	h.count(t, response.Status)
	said := response.Said()
	check.True(t, response.Status < http.StatusInternalServerError, "%s %.120s: %d: %.300s", method, path, response.Status, said)
	check.True(t, response.OK() || len(said) <= longestRefusal, "%s %.120s: a refusal of %d bytes", method, path, len(said))
	for _, hide := range hides {
		check.True(t, !strings.Contains(string(response.Body), hide),
			"%s %.120s: %d: the response repeats a value: %.300s", method, path, response.Status, strings.ReplaceAll(said, hide, "█████"))
	}
	return response
}

func (h *hostile) count(t *testing.T, status int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tally[t.Name()] == nil {
		h.tally[t.Name()] = map[int]int{}
	}
	h.tally[t.Name()][status]++
}

// refuse sends a request that must be refused with 400, in words that name what is wrong.
func (h *hostile) refuse(t *testing.T, method, path string, body []byte, names string, hides ...string) {
	t.Helper()
	response := h.send(t, h.root, method, path, body, hides...)
	check.True(t, response.Status == http.StatusBadRequest && strings.Contains(response.Said(), names),
		"%s %.120s: want a 400 that names %q, got %d: %.300s", method, path, names, response.Status, response.Said())
}

// leave is an operation of the engine, and the one capability that it needs.
type leave struct{ method, path, capability, body string }

func leaves() []leave {
	config := `{"preset":"einvoice-sandbox","username":"u","password":"never-used-password","verify_connection":false}`
	return []leave{
		{"PUT", "config/spare", "create", config}, {"PUT", "config/spare", "update", `{"rotation_percent":60}`},
		{"GET", "config/spare", "read", ""}, {"LIST", "config/", "list", ""},
		{"PUT", "role/spare", "create", `{"config":"spare"}`}, {"PUT", "role/spare", "update", `{"max_ttl":60}`},
		{"GET", "role/spare", "read", ""}, {"LIST", "role/", "list", ""},
		{"DELETE", "role/spare", "delete", ""}, {"DELETE", "config/spare", "delete", ""},
		{"GET", "token/app", "read", ""}, {"PUT", "token/app", "update", ""},
		{"GET", "status/main", "read", ""}, {"LIST", "status/", "list", ""},
		{"GET", "preset/ksa-qa", "read", ""}, {"LIST", "preset/", "list", ""},
		{"PUT", "rotate/main", "update", ""}, {"PUT", "revoke/main", "update", ""},
	}
}

// playLeave makes each request with nothing, with every capability but the one it needs, and with that one.
func (h *hostile) playLeave(t *testing.T) {
	all := []string{"create", "read", "update", "delete", "list"}
	nobody := h.root.As(h.token(t, "nobody", `path "mastersindia-not/*" { capabilities = ["read"] }`))
	for n, l := range leaves() {
		rule := func(capabilities []string) string {
			return fmt.Sprintf("path \"mastersindia/%s\" { capabilities = [\"%s\"] }", l.path, strings.Join(capabilities, `", "`))
		}
		others := slices.DeleteFunc(slices.Clone(all), func(c string) bool { return c == l.capability })
		most := h.root.As(h.token(t, fmt.Sprintf("most-%d", n), rule(others)))
		least := h.root.As(h.token(t, fmt.Sprintf("least-%d", n), rule([]string{l.capability})))
		before, heard := h.state(t), h.upstream.heard.Load()
		for _, caller := range []*harness.Caller{nobody, most} {
			if response := h.send(t, caller, l.method, "mastersindia/"+l.path, []byte(l.body)); response.Status != http.StatusForbidden {
				t.Errorf("%s %s without %s: want 403, got %d: %s", l.method, l.path, l.capability, response.Status, response.Said())
			}
		}
		if after := h.state(t); after != before || h.upstream.heard.Load() != heard {
			t.Errorf("%s %s without leave has changed something:\n%s\n%s", l.method, l.path, before, after)
		}
		if response := h.send(t, least, l.method, "mastersindia/"+l.path, []byte(l.body)); !response.OK() {
			t.Errorf("%s %s with %s alone: %d: %s", l.method, l.path, l.capability, response.Status, response.Said())
		}
	}
}

func (h *hostile) token(t *testing.T, name, rules string) string {
	t.Helper()
	check.Value(h.root.Must(t.Context(), http.MethodPut, "sys/policies/acl/"+name, map[string]any{"policy": rules}))(t)
	made := check.Value(h.root.Call(t.Context(), http.MethodPost, "auth/token/create", map[string]any{"policies": []string{name}}))(t)
	return check.Value(made.ClientToken())(t)
}

// state is all that can be seen of the mount and that a request without leave must not change.
func (h *hostile) state(t *testing.T) string {
	t.Helper()
	var all []any
	for _, path := range []string{"config/?list=true", "role/?list=true", "config/main", "config/spare", "role/app", "role/spare", "status/main"} {
		response := check.Value(h.root.Call(t.Context(), http.MethodGet, "mastersindia/"+path, nil))(t)
		secret := check.Value(response.Secret())(t)
		all = append(all, response.Status, secret.Data)
	}
	text := check.Value(json.Marshal(all))(t)
	return string(text)
}

// playNames puts names into each path that Vault passes on, or cleans, or refuses: none may be served.
func (h *hostile) playNames(t *testing.T) {
	before := h.state(t)
	h.inside = h.root.As(h.token(t, "inside",
		`path "mastersindia/*" { capabilities = ["create", "read", "update", "delete", "list", "patch"] }`))
	// As they stand in the URL.
	names := []string{
		"canary-name%2Fx", "canary-name/x", "..", ".", "...", "canary..name", "%2e%2e", "%2e%2e%2fcanary-name", "a%2f..%2fcanary-name", "%252e%252e",
		".canary-name", "canary-name.", "-canary-name", "canary-name-", "canary%20name", "canary-name%20", "%20canary-name", "canary-name%0a", "canary%0d%0aname",
		"canary%C3%A4name", "%E0%A4%9C%E0%A5%80", "%F0%9F%98%80canary-name", "canary%e2%80%aename", "canary%EF%BC%91name", "canary%2Bname", "canary+name",
		"canary:name", "canary;name", "canary%3Fname", "canary%23name", "canary%25name", "canary*name", "canary%22name", "canary'name", "canary%5Cname", "%7Bcanary-name%7D",
		"canary-name%00", strings.Repeat("canary-name", 12), strings.Repeat("n", 129), strings.Repeat("canary", 100), strings.Repeat("%2f", 20), strings.Repeat("../", 9) + "sys/mounts",
	}
	for _, prefix := range []string{"config/", "role/", "token/", "rotate/", "revoke/", "status/", "preset/"} {
		for n, name := range names {
			for _, method := range []string{http.MethodGet, http.MethodPut, []string{http.MethodDelete, "LIST", http.MethodPatch}[n%3]} {
				// A caller who may do all here, and nothing elsewhere: a path that is cleaned may lead there.
				response := h.send(t, h.inside, method, "mastersindia/"+prefix+name, []byte(`{}`))
				check.True(t, !response.OK(), "%s %s%.120s was served", method, prefix, name)
				if said := response.Said(); strings.Contains(said, "name: must be") && strings.Contains(said, "canary") {
					t.Errorf("%s %s%.120s: the refusal repeats the name: %.300s", method, prefix, name, said)
				}
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodGet, http.MethodPatch} { // no name at all
			if response := h.send(t, h.inside, method, "mastersindia/"+prefix, []byte(`{}`)); response.OK() {
				t.Errorf("%s %s without a name was served", method, prefix)
			}
		}
	}
	check.Equal(t, h.state(t), before, "names have changed something")
}

// fieldTypes are the fields of the engine's writes with their types, as Vault's own document has them: new ones are found.
func (h *hostile) fieldTypes(t *testing.T) map[string]map[string]string {
	t.Helper()
	response := check.Value(h.root.Call(t.Context(), http.MethodGet, "mastersindia/?help=1", nil))(t)
	var help struct {
		OpenAPI map[string]any `json:"openapi"`
	}
	check.NoError(t, json.Unmarshal(response.Body, &help))
	document := check.Value(framework.NewOASDocumentFromMap(help.OpenAPI))(t)
	fields := map[string]map[string]string{}
	for path, described := range document.Paths {
		if described.Post == nil || described.Post.RequestBody == nil {
			continue
		}
		prefix, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "{")
		fields[prefix] = map[string]string{}
		body := described.Post.RequestBody.Content["application/json"].Schema
		if body.Ref != "" {
			body = document.Components.Schemas[strings.TrimPrefix(body.Ref, "#/components/schemas/")]
		}
		for field, property := range body.Properties {
			fields[prefix][field] = property.Type
		}
	}
	check.Require(t, len(fields["config/"]) >= 20 && len(fields["role/"]) != 0 && len(fields["token/"]) != 0,
		"the engine's document names too few fields: %v", fields)
	return fields
}

// playValues sends each field values of every type but its own, and texts that it cannot hold.
func (h *hostile) playValues(t *testing.T) {
	long := `"` + strings.Repeat("canary-value ", 800) + `"` // 10 kB
	values := map[string]string{
		"integer": "863978639", "fraction": "863978639.5", "boolean": "true", "null": "null", "array": `["canary-value",863978639]`,
		"object": `{"canary":863978639,"b":["canary-value"]}`, "nested": strings.Repeat(`[`, 100) + `"canary-value"` + strings.Repeat(`]`, 100),
		"string": long,
	}
	names := map[string]string{"role/": "app", "token/": "app", "lookup": ""}
	for prefix, described := range h.fieldTypes(t) {
		name, known := names[prefix]
		if !known {
			name = "main"
		}
		for field, kind := range described {
			for of, value := range values {
				// A text of 10 kB is tried on texts too: none is that long. A duration and a number are both an integer, too large here.
				if of == "boolean" && kind == "boolean" {
					continue
				}
				if of == "string" && prefix+field == "lookuptoken" || of == "null" && prefix+field == "token/rejected_token_id" {
					continue // any text may be a token, and is one that is not known; null is an empty id
				}
				body := fmt.Appendf(nil, "{%q:%s}", field, value)
				h.refuse(t, http.MethodPut, "mastersindia/"+prefix+name, body, field, "canary-value", "863978639")
			}
		}
	}
	h.refuse(t, http.MethodPut, "mastersindia/config/main", []byte(`{"pasword":"canary-value"}`), "pasword", "canary-value")
	for _, body := range []string{`[]`, `"canary-value"`, `{`, `{"password":`, `{"password":"canary-value`, "canary-value", `{"a":1}{"b":2}`, "\x00\xff"} {
		h.refusedByVault(t, fmt.Sprintf("the body %q", body), []byte(body))
	}
}

// refusedByVault sends a body that Vault itself refuses, and so does not hand to the engine: with whatever status it has for an
// engine of its own as well. Vault 1.19 takes some of them, and then the engine refuses.
func (h *hostile) refusedByVault(t *testing.T, what string, body []byte) {
	t.Helper()
	own := check.Value(h.root.Send(t.Context(), http.MethodPut, "cubbyhole/hostile", body))(t)
	if own.OK() {
		h.refuse(t, http.MethodPut, "mastersindia/config/main", body, "", "canary-value")
		return
	}
	ours := check.Value(h.root.Send(t.Context(), http.MethodPut, "mastersindia/config/main", body))(t)
	check.True(t, ours.Status == own.Status && ours.Said() == own.Said(),
		"%s: Vault's own engine returns %d %.100q, and this one %d %.300q", what, own.Status, own.Said(), ours.Status, ours.Said())
}

// playFloods sends an excessive number of everything.
func (h *hostile) playFloods(t *testing.T) {
	many := 9_990 // Vault itself takes 10,000 entries.
	if h.OpenBao() {
		many = 490 // and OpenBao 1,000 strings, names among them
	}
	unknown, headers := map[string]any{}, map[string]any{}
	for n := range many {
		unknown[fmt.Sprintf("parameter-%d", n)], headers[fmt.Sprintf("X-Header-%d", n)] = "canary-value", "canary-value"
	}
	encode := func(data map[string]any) []byte { return check.Value(json.Marshal(data))(t) }
	for _, path := range []string{"config/main", "token/app"} {
		h.refuse(t, http.MethodPut, "mastersindia/"+path, encode(unknown), "unknown parameter", "canary-value")
	}
	h.refuse(t, http.MethodPut, "mastersindia/config/main", encode(map[string]any{"headers": headers}), "headers", "canary-value")
	megabyte := strings.Repeat("canary-value ", 75_000)
	h.refuse(t, http.MethodPut, "mastersindia/config/main", encode(map[string]any{"password": megabyte}), "password", "canary-value")
	h.refuse(t, http.MethodGet, "mastersindia/token/app?rejected_token_id="+strings.Repeat("canary-value", 8000), nil,
		"rejected_token_id", "canary-value")
	h.refusedByVault(t, "2 MB of password", encode(map[string]any{"password": megabyte + megabyte}))
	for n := range 10_010 - many {
		unknown[fmt.Sprintf("more-%d", n)] = "canary-value"
	}
	h.refusedByVault(t, "10,010 parameters", encode(unknown))
}

// playCollisions has many clients make, read, use and delete the same config and role.
func (h *hostile) playCollisions(t *testing.T) {
	account := h.account(t, simulator.JWT)
	roots := readFile(t, h.upstream.caFile)
	config := check.Value(json.Marshal(map[string]any{
		"protocol": "jwt", "token_url": h.upstream.loginURL(simulator.JWT), "ca_cert": string(roots),
		"username": account.Username, "password": account.Password, "verify_connection": false,
	}))(t)
	requests := []struct {
		method, path string
		body         []byte
	}{
		{"PUT", "config/duel", config}, {"PUT", "role/duel", []byte(`{"config":"duel"}`)}, {"GET", "token/duel", nil},
		{"GET", "config/duel", nil}, {"GET", "status/duel", nil}, {"LIST", "config/", nil}, {"LIST", "status/", nil},
		{"PUT", "rotate/duel", nil}, {"DELETE", "config/duel", nil}, {"PUT", "revoke/duel", nil}, {"DELETE", "role/duel", nil},
		{"PUT", "config/duel", []byte(`{"rotation_percent":50}`)},
	}
	var group errgroup.Group
	for client := range hostileClients {
		group.Go(func() error {
			for round := range hostileRounds {
				r := requests[(client*5+round*7)%len(requests)]
				h.send(t, h.root, r.method, "mastersindia/"+r.path, r.body, account.Password)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	for _, r := range requests[:3] {
		response := h.send(t, h.root, r.method, "mastersindia/"+r.path, r.body)
		check.True(t, response.OK(), "afterwards, %s %s: %d: %s", r.method, r.path, response.Status, response.Said())
	}
}

// playCutOff ends connections in the middle of a request, and while its response is awaited.
func (h *hostile) playCutOff(t *testing.T) {
	account := h.account(t, simulator.OAuth)
	h.writeConfig(t, "slow", account, "verify_connection=false")
	h.writeRole(t, "slow", "slow")
	h.upstream.SetFault(simulator.OAuth, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Second})
	body := `{"password":"canary-cut-off-password","rotation_percent":50}`
	for n := range abandoned {
		var text string
		switch n % 4 {
		case 0: // in the middle of the body
			text = h.rawRequest("PUT", "config/main", body)[:n*7%100+60]
		case 1: // a body that never comes
			text = strings.TrimSuffix(h.rawRequest("PUT", "config/main", body), body)
		case 2: // whole, and nobody waits for the login
			text = h.rawRequest("GET", "token/slow", "")
		default: // whole, and nobody waits for the token
			text = h.rawRequest("GET", "token/app", "")
		}
		connection := check.Value(net.DialTimeout("tcp", h.root.Host(), 10*time.Second))(t)
		_, err := connection.Write([]byte(text))
		check.True(t, err == nil, "sending a part of a request: %v", err)
		if n%8 >= 4 {
			// With a reset instead of an orderly end.
			_ = connection.(*net.TCPConn).SetLinger(0)
		}
		_ = connection.Close()
	}
	h.upstream.SetFault(simulator.OAuth, simulator.Fault{})
	got := h.readJSON(t, "read", "-format=json", "mastersindia/config/main").Int("rotation_percent")
	check.True(t, got != 50, "half a request has changed the config")
	h.upstream.wantAccepted(t, simulator.OAuth, h.readToken(t, "slow"))
	logins := h.upstream.Counters().Of(account.Protocol, account.Name()).Logins
	check.Equal(t, logins, 1, "readers who did not wait for a login, and one who did, made N logins")
}

func (h *hostile) rawRequest(method, path, body string) string {
	return fmt.Sprintf("%s /v1/mastersindia/%s HTTP/1.1\r\nHost: %s\r\nX-Vault-Token: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, h.root.Host(), h.root.Token(), len(body), body)
}
