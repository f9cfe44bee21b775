// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

const (
	// timeout is the request_timeout where a trick is to run into it, the least there is, and patience where it is not: a machine
	// that has much else to do must not make a timeout of everything. grace is what a response may take on top.
	timeout  = time.Second
	patience = 30 * time.Second
	grace    = 15 * time.Second

	username, password = "clerk-of-hostile", "pass-of-hostile-clerk"
	secondPassword     = "second-" + password
	clientSecret       = "secret-of-hostile-app"
)

// Mount is an engine under test, in process or over gRPC.
type Mount interface {
	// Do sends a request as Vault's core would.
	Do(ctx context.Context, operation logical.Operation, path string, data map[string]any) (*logical.Response, error)
}

// Result is the outcome of a trick.
type Result struct {
	Trick   *Trick
	Took    time.Duration
	Code    int
	Kind    string
	Message string
	// Asked, Conns and Trapped are the requests and connections that the one read has caused, here and elsewhere.
	Asked, Conns, Trapped int64
}

func (m Result) String() string {
	return fmt.Sprintf("%-48s %6s  %3d  %-11s  %d requests  %d connections",
		m.Trick.Name, m.Took.Round(10*time.Millisecond), m.Code, m.Kind, m.Asked, m.Conns)
}

// Play runs a trick against the config "<name>": one read, and checks of its result. Then the server behaves normally, and
// the engine must log in at once with new credentials.
func Play(t *testing.T, m Mount, s *Server, name string) Result {
	t.Helper()
	trick := s.trick
	p := &play{t: t, mount: m}
	p.must(logical.CreateOperation, "config/"+name, trick.config(s, map[string]any{"verify_connection": false}))
	p.must(logical.CreateOperation, "role/"+name, map[string]any{"config": name})

	began := time.Now()
	code, message := p.send(logical.ReadOperation, "token/"+name, nil)
	result := Result{
		Trick: trick, Took: time.Since(began), Code: code, Message: message,
		Asked: s.Asked(), Conns: s.Conns(), Trapped: s.Trapped(),
	}
	status := p.must(logical.ReadOperation, "status/"+name, nil)
	result.Kind, _ = status["last_error_kind"].(string)
	p.check(result, status)
	if trick.Kind != "" {
		p.again(s, name)
	}

	s.Heal()
	p.must(logical.UpdateOperation, "config/"+name, map[string]any{"password": secondPassword, "request_timeout": patience.String()})
	if code, message := p.send(logical.ReadOperation, "token/"+name, nil); code != http.StatusOK {
		t.Errorf("after the upstream had turned honest: %d %s", code, message)
	}
	if trapped := s.Trapped(); trapped != 0 {
		t.Errorf("%d connections were made to another host", trapped)
	}
	return result
}

func (trick *Trick) config(s *Server, more map[string]any) map[string]any {
	data := map[string]any{
		"protocol": "jwt", "token_url": s.URL(), "username": username, "password": password,
		"request_timeout": trick.timeout().String(),
	}
	if trick.Speaks == Plain {
		data["allow_http"] = true
	} else {
		data["ca_cert"] = s.CA()
	}
	if trick.SOAP {
		data["protocol"], data["client_id"], data["client_secret"] = "soap", "hostile-app", clientSecret
	}
	maps.Copy(data, more)
	return data
}

func (trick *Trick) timeout() time.Duration {
	if trick.Code == http.StatusGatewayTimeout {
		return timeout
	}
	return patience
}

// WaitClosed waits until the engine has let go of all connections, as it must when it is stopped. One on which the server has
// said goodbye in HTTP/2 without closing it is out of the transport's reach, and goes when it has been idle for half a minute, or
// when nothing has come for so long and a request's time.
func (s *Server) WaitClosed(t *testing.T) {
	t.Helper()
	const idle = 30 * time.Second
	for deadline := time.Now().Add(idle + s.trick.timeout() + grace); s.Open() > 0; {
		if time.Now().After(deadline) {
			t.Errorf("%d connections stay open", s.Open())
			return
		}
		<-time.After(5 * time.Millisecond)
	}
}

type play struct {
	t     *testing.T
	mount Mount
}

// check checks the one read against what the trick is known for.
func (p *play) check(m Result, status map[string]any) {
	p.t.Helper()
	if m.Code != m.Trick.Code || m.Kind != m.Trick.Kind {
		p.t.Errorf("returned %d and sorted as %q, want %d and %q: %s", m.Code, m.Kind, m.Trick.Code, m.Trick.Kind, m.Message)
	}
	if m.Took > m.Trick.timeout()+grace {
		p.t.Errorf("responded after %s, with a request_timeout of %s", m.Took, m.Trick.timeout())
	}
	if m.Asked > 1 || m.Conns == 0 {
		p.t.Errorf("the credentials were sent %d times over %d connections, want once", m.Asked, m.Conns)
	}
	if m.Trick.Unheard && m.Asked > 0 {
		p.t.Error("the credentials were sent to a server that is not the right one")
	}
	if m.Trick.Kind == "" {
		return
	}
	if !strings.Contains(m.Message, "hostile") {
		p.t.Errorf("the message does not name the config: %s", m.Message)
	}
	if len(m.Message) > 1000 {
		p.t.Errorf("a message of %d bytes", len(m.Message))
	}
	next, err := time.Parse(time.RFC3339, fmt.Sprint(status["next_attempt_at"]))
	if err != nil || time.Until(next) > time.Hour+time.Second { // it is rounded up
		p.t.Errorf("the next attempt is at %v, want within an hour", status["next_attempt_at"])
	}
}

// again reads once more, within the pause: the response comes from memory.
func (p *play) again(s *Server, name string) {
	p.t.Helper()
	before := s.Conns()
	code, message := p.send(logical.ReadOperation, "token/"+name, nil)
	if code < http.StatusBadRequest || code == http.StatusForbidden {
		p.t.Errorf("the second read got %d %s", code, message)
	}
	// The pause after an outage may be over by now; what counts is that one read causes one login at most.
	if conns := s.Conns() - before; conns > 1 {
		p.t.Errorf("the second read made %d connections", conns)
	}
}

// send sends a request and gives the HTTP status that Vault would respond with, and the message.
func (p *play) send(operation logical.Operation, path string, data map[string]any) (code int, message string) {
	p.t.Helper()
	response, err := p.mount.Do(p.t.Context(), operation, path, data)
	code, message = http.StatusOK, ""
	switch coded, ok := err.(logical.HTTPCodedError); { //nolint:errorlint // a code counts only where it is the error itself
	case ok:
		code, message = coded.Code(), err.Error()
	case err != nil:
		code, message = http.StatusInternalServerError, err.Error()
	case response.IsError():
		code, message = http.StatusBadRequest, response.Error().Error()
	}
	for _, secret := range []string{password, clientSecret, unspeakable} {
		if strings.Contains(message, secret) {
			p.t.Errorf("%s %s: the message holds a secret", operation, path)
			message = "(withheld)"
		}
	}
	if strings.ContainsFunc(message, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		p.t.Errorf("the message is no plain text: %q", message)
	}
	return code, message
}

// must sends a request that has to succeed, and gives the data of its response.
func (p *play) must(operation logical.Operation, path string, data map[string]any) map[string]any {
	p.t.Helper()
	response, err := p.mount.Do(p.t.Context(), operation, path, data)
	if err == nil && response.IsError() {
		err = response.Error()
	}
	if err != nil {
		p.t.Fatalf("%s %s: %v", operation, path, err)
	}
	if response == nil {
		return nil
	}
	return response.Data
}
