// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

// logBuffer keeps every log line.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged is a mount with the fixture's config and role, and a logBuffer of all levels.
func (f fixture) logged(t *testing.T) (*testMount, *logBuffer) {
	t.Helper()
	book := &logBuffer{}
	w := newTestMountWith(t, func(w *testMount) {
		w.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: book, JSONFormat: true})
	}, f.account)
	w.mount(f)
	return w, book
}

// awkward is the fixture with secrets that do harm where they are taken for a format, a pattern, a URL or a template.
func (f fixture) awkward() fixture {
	f.config = maps.Clone(f.config)
	for _, field := range secretFields() {
		if _, ok := f.config[field]; !ok {
			continue
		}
		secret := "%s%d%v%!x-" + field + "-$1-(.*)[a-z]+/&amp;?q=1{{.}}"
		f.config[field] = secret
		if field == "password" {
			f.account.Password = secret
		} else {
			f.account.ClientSecret = secret
		}
	}
	return f
}

// disguises are the forms in which a secret travels, and in which it would be as useful to a thief.
func disguises(f fixture) []string {
	var all []string
	for _, secret := range append(f.secrets(), canaries(f.wrong())...) {
		encoded, _ := json.Marshal(secret) // a string can always be encoded
		all = append(all, secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(encoded), `"`),
			base64.StdEncoding.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(f.account.ClientID+":"+secret)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wantSealed checks that nothing secret is stored outside of the sealed prefixes, nor in a key.
func (w *testMount) wantSealed(secrets []string) {
	w.t.Helper()
	for key, value := range w.stored() {
		w.hides(key, secrets...)
		if !strings.HasPrefix(key, "config/") && !strings.HasPrefix(key, "token/") {
			w.hides(value, secrets...)
		}
	}
	for _, access := range w.Storage.Accesses() {
		w.hides(access, secrets...)
	}
}

// TestSecrecy_NothingLoggedOrReturned: no secret is logged, said, counted or stored unsealed, and each log line is whole.
func TestSecrecy_NothingLoggedOrReturned(t *testing.T) {
	t.Parallel()
	for _, plain := range variants() {
		for kind, f := range map[string]fixture{"plain": plain, "awkward": plain.awkward()} {
			timed(t, plain.name+" with "+kind+" secrets", func(t *testing.T) {
				w, book := f.logged(t)
				said := append(w.collectMessages(f), w.scrape().text)
				secrets := append(disguises(f), w.issued()...)
				lines := strings.Split(strings.TrimSpace(book.String()), "\n")
				if len(lines) < 10 || len(said) < 100 || len(secrets) < 10 {
					t.Fatalf("%d log lines, %d words said and %d secrets are too few to prove anything",
						len(lines), len(said), len(secrets))
				}
				for _, line := range lines {
					if !json.Valid([]byte(line)) || strings.Contains(line, "EXTRA_VALUE") {
						t.Errorf("a log line is no JSON, or has a value without a name: %s", line)
					}
				}
				w.wantSealed(secrets)
				for _, line := range append(lines, said...) {
					w.hides(line, secrets...)
					for _, verb := range []string{"%!", "(MISSING)", "(EXTRA", "(NOVERB)"} {
						if strings.Contains(line, verb) {
							t.Errorf("a secret or a message was taken for a format: %q", line)
						}
					}
				}
			})
		}
	}
}

func TestSecrecy_FormatVerbsAreText(t *testing.T) {
	t.Parallel()
	const verbs = "100%d %s %v %!(NOVERB)"
	timed(t, "during a backoff", func(t *testing.T) {
		w := jwtV1().mounted(t, "paused", true, "pause_reason", verbs)
		w.badRequest(logical.ReadOperation, "token/app", nil, verbs)
	})
	timed(t, "in a user name", func(t *testing.T) {
		f := jwtV1()
		f.account.Username, f.config = verbs, with(f.config, "username", verbs)
		w := newTestMount(t, f.account)
		w.loggingIn(1, func() { w.write("config/gst", f.config) })
		if got := w.read("config/gst").Data["username"]; got != verbs {
			t.Errorf("username is %v, want %s", got, verbs)
		}
	})
}

func TestSecrecy_OnlyTokenResponsesHaveTokens(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t, "verify_connection", true)
			w.read("token/app")
			advance(time.Minute)
			rotated := w.write("rotate/gst", nil)
			revoked := w.write("revoke/gst", nil)
			secrets := append(disguises(f), w.issued()...)
			for _, resp := range []*logical.Response{
				rotated, revoked, w.read("status/gst"), w.read("config/gst"), w.read("role/app"),
			} {
				encoded, err := json.Marshal(resp)
				if err != nil {
					t.Fatal(err)
				}
				w.hides(string(encoded), secrets...)
			}
		})
	}
}
