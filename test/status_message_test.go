// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"maps"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// cause is a way in which a login fails, and the message that an operator must get.
type cause struct {
	name string
	make func(t *testing.T) *testMount
	// goes makes the upstream as the command expects it, or nil.
	goes func(s *testMount)
	// given are the values that the command wants from the operator.
	given map[string]any
	kind  string
	state string
	// words must be in the message, one of each group separated by |.
	words []string
	// mended says that after the command a read succeeds; otherwise the command is one that shows something.
	mended bool
}

func causes() []cause {
	faulted := func(f simulator.Fault) func(t *testing.T) *testMount {
		return func(t *testing.T) *testMount {
			t.Helper()
			s := gstMount(t, time.Hour)
			s.Simulator.SetFault(simulator.JWT, f)
			return s
		}
	}
	back := func(s *testMount) { s.Simulator.SetFault("", simulator.Fault{}) }
	authority := map[string]any{"password": "pass-of-clerk"} // its certificate is added when it is made, in the bubble's year
	return []cause{
		{
			name: "wrong password", kind: "rejected", state: "rejected", words: []string{"refused the credentials|password"}, mended: true,
			make: func(t *testing.T) *testMount {
				t.Helper()
				s := gstMount(t, time.Hour)
				s.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) { a.Password = "the-right-one" }))
				return s
			},
			given: map[string]any{"password": "the-right-one"},
		},
		{
			name: "wrong scope", kind: "rejected", state: "rejected", words: []string{"scope"}, mended: true,
			make: func(t *testing.T) *testMount {
				t.Helper()
				s := newLatencyMount(t, simulator.Account{
					Protocol: simulator.FirstVision, ClientID: "desk", ClientSecret: "secret-of-desk", Scope: "accounts",
				})
				s.write("config/gst", map[string]any{
					"protocol": "firstvision", "token_url": upstreamURL + "/v1/api/oauth/token", "allow_http": true,
					"client_id": "desk", "client_secret": "secret-of-desk", "scope": "cards", "verify_connection": false,
				})
				s.write("role/app", map[string]any{"config": "gst"})
				return s
			},
			given: map[string]any{"scope": "accounts", "client_secret": "secret-of-desk"},
		},
		{
			name: "upstream down", kind: "unavailable", state: "backing_off", words: []string{"cannot be reached|closed|no response"},
			make: faulted(simulator.Fault{Kind: simulator.FaultDown}), goes: back, mended: true,
		},
		{
			name: "TLS not trusted", kind: "unavailable", state: "backing_off", words: []string{"certificate", "trusted"}, mended: true,
			make: func(t *testing.T) *testMount {
				t.Helper()
				ca, err := simulator.NewCA()
				check.NoError(t, err)
				authority["ca_cert"] = string(ca.CertPEM())
				return overTLS(t, ca)
			},
			given: authority,
		},
		{
			name: "name not resolved", kind: "unavailable", state: "backing_off", words: []string{"upstream.test", "resolve"},
			make: func(t *testing.T) *testMount {
				t.Helper()
				s := gstMount(t, time.Hour)
				s.FailDials(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "upstream.test", IsNotFound: true}})
				return s
			},
		},
		{
			name: "throttled", kind: "throttled", state: "backing_off", words: []string{"slow down|throttled|too many"},
			make: faulted(simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour}),
		},
		{
			name: "response not understood", kind: "malformed", state: "backing_off", words: []string{"cannot be understood"},
			make: faulted(simulator.Fault{Kind: simulator.FaultGarbage}),
		},
		{
			name: "paused", kind: "", state: "paused", words: []string{"paused", "moving house"}, mended: true,
			make: func(t *testing.T) *testMount {
				t.Helper()
				s := gstMount(t, time.Hour, "paused", true, "pause_reason", "moving house")
				return s
			},
		},
	}
}

// command finds the vault command in a message.
var command = regexp.MustCompile(`vault (read|write|list)((?: -\S+)*) (mastersindia/\S+)((?: [a-z_]+=\S*)*)`)

// run does what the first command in the message says, with what the operator has at hand.
func (s *testMount) run(message string, given map[string]any) *logical.Response {
	s.t.Helper()
	found := command.FindStringSubmatch(message)
	check.Require(s.t, found != nil, "no vault command in %q", message)
	verb, path := found[1], strings.TrimPrefix(found[3], "mastersindia/")
	data := make(map[string]any)
	for pair := range strings.FieldsSeq(found[4]) {
		name, value, _ := strings.Cut(strings.TrimRight(pair, ";,)"), "=")
		if value == "-" || strings.HasPrefix(value, "@") || value == "..." {
			check.Require(s.t, given[name] != nil, "the command asks for %s, which has nothing to do with the cause: %s", name, message)
			data[name] = given[name]
			continue
		}
		data[name] = value
	}
	if strings.Contains(message, "all secrets again") {
		maps.Copy(data, given)
	}
	op := map[string]logical.Operation{"read": logical.ReadOperation, "write": logical.UpdateOperation, "list": logical.ListOperation}[verb]
	path = strings.TrimRight(path, ".;,)")
	if len(data) == 0 {
		data = nil
	}
	resp, err := s.do(s.t.Context(), op, path, data)
	if err != nil || resp != nil && resp.IsError() {
		s.t.Errorf("the command %q failed: %v, %v", found[0], resp, err)
	}
	return resp
}

func TestStatusMessage_NamesCauseAndCommand(t *testing.T) {
	t.Parallel()
	for _, c := range causes() {
		timed(t, c.name, func(t *testing.T) {
			s := c.make(t)
			read := s.failure("app")
			status := s.status()
			message, _ := status["message"].(string)
			check.True(t, status["state"] == c.state && status["last_error_kind"] == c.kind,
				"state %v, kind %v; want %s, %s", status["state"], status["last_error_kind"], c.state, c.kind)
			for _, text := range []string{message, read.Error()} {
				for _, group := range c.words {
					named := false
					for word := range strings.SplitSeq(group, "|") {
						named = named || strings.Contains(text, word)
					}
					check.True(t, named, "the cause (%s) is not named in: %s", group, text)
				}
				check.True(t, command.MatchString(text), "no command to type in: %s", text)
			}
			if c.goes != nil {
				c.goes(s)
			}
			s.run(message, c.given)
			if c.mended {
				s.token("app")
			}
		})
	}
}

// An API has refused a token, which was replaced, and rotate/ has replaced the one after it.
func TestStatus_TokenAfterRotateWasNotRejected(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(2 * time.Minute)
		a, err := s.ask(t.Context(), "app", reject(first.id))
		check.Require(t, err == nil && a.id != first.id, "the rejected token was not replaced: %v", err)
		advance(30 * time.Second)
		s.mustRotate()
		message := text(t, s.status(), "message")
		check.True(t, !strings.Contains(message, "the last one was refused by an API"),
			"the last one was replaced by rotate/, and status/ says: %s", message)
	})
}
