// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// cause is a way in which a login fails, and the message that an operator must get.
type cause struct {
	kind, state string
	// words must be in the message, one of each group separated by |.
	words []string
	mount func(t *testing.T) *testMount // nil: gstMount
	// happens is what makes logins fail, and goes makes the upstream as the command expects it; either may be nil.
	happens, goes func(s *testMount)
	// given are the values that the command wants from the operator.
	given map[string]any
	// mended says that after the command a read succeeds; otherwise the command is one that shows something.
	mended bool
}

func causes() map[string]cause {
	faulted := func(f simulator.Fault) func(s *testMount) {
		return func(s *testMount) { s.Simulator.SetFault(simulator.JWT, f) }
	}
	card := firstVision()
	card.account.Scope = "accounts"
	authority := map[string]any{"password": "pass-of-clerk"} // its certificate is added when it is made, in the bubble's year
	return map[string]cause{
		"wrong password": {
			kind: "rejected", state: "rejected", words: []string{"refused the credentials|password"},
			happens: (*testMount).changePassword, given: map[string]any{"password": "another-password"}, mended: true,
		},
		"wrong scope": {
			kind: "rejected", state: "rejected", words: []string{"scope"},
			mount: func(t *testing.T) *testMount { t.Helper(); return card.mounted(t, "scope", "cards") },
			given: map[string]any{"scope": "accounts", "client_secret": card.config["client_secret"]}, mended: true,
		},
		"upstream down": {
			kind: "unavailable", state: "backing_off", words: []string{"cannot be reached|closed|no response"},
			happens: faulted(simulator.Fault{Kind: simulator.FaultDown}), goes: faulted(simulator.Fault{}), mended: true,
		},
		"TLS not trusted": {
			kind: "unavailable", state: "backing_off", words: []string{"certificate", "trusted"},
			mount: func(t *testing.T) *testMount {
				t.Helper()
				ca := check.Value(simulator.NewCA())(t)
				authority["ca_cert"] = string(ca.CertPEM())
				return overTLS(t, ca)
			},
			given: authority, mended: true,
		},
		"name not resolved": {
			kind: "unavailable", state: "backing_off", words: []string{"upstream.test", "resolve"},
			happens: func(s *testMount) { s.unresolved("upstream.test") },
		},
		"throttled": {
			kind: "throttled", state: "backing_off", words: []string{"slow down|throttled|too many"},
			happens: faulted(simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour}),
		},
		"response not understood": {
			kind: "malformed", state: "backing_off", words: []string{"cannot be understood"},
			happens: faulted(simulator.Fault{Kind: simulator.FaultGarbage}),
		},
		"paused": {
			state: "paused", words: []string{"paused", "moving house"}, mended: true,
			happens: func(s *testMount) {
				s.write("config/gst", map[string]any{"paused": true, "pause_reason": "moving house"})
			},
		},
	}
}

// unresolved has a name not resolve.
func (s *testMount) unresolved(name string) {
	s.FailDials(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}})
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
	each(t, causes(), func(t *testing.T, c cause) {
		mount := c.mount
		if mount == nil {
			mount = func(t *testing.T) *testMount { t.Helper(); return gstMount(t, time.Hour) }
		}
		s := mount(t)
		if c.happens != nil {
			c.happens(s)
		}
		read, status := s.failure("app"), s.status()
		message := text(t, status, "message")
		check.Equal[any](t, status["state"], c.state, "state")
		check.Equal[any](t, status["last_error_kind"], c.kind, "last_error_kind")
		for _, text := range []string{message, read.Error()} {
			for _, group := range c.words {
				named := slices.ContainsFunc(strings.Split(group, "|"), func(word string) bool { return strings.Contains(text, word) })
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
