// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// youngest is the age from which the engine believes that a token was refused: a minute, and the second that times in
	// answers are cut to.
	youngest = 62 * time.Second
	// exampleLease is that of a role whose readers shall come back soon.
	exampleLease = 2 * time.Second
	// exampleTimeout bounds one run of a client. The vault command alone takes seconds to start on a loaded machine.
	exampleTimeout = 90 * time.Second
)

// exampleClient is a client of examples/clients, with an account of its own: the engine makes one rotation in five minutes for
// tokens that were refused.
type exampleClient struct {
	*world

	name    string
	command []string
	account simulator.Account
	token   string // of Vault
	issued  time.Time
	api     *pickyAPI
}

// exampleCommands are the commands that run the clients, by name and as their README has them. Each takes a role and URLs.
func exampleCommands(t *testing.T) map[string][]string {
	t.Helper()
	dir, err := filepath.Abs("../examples/clients")
	if err != nil {
		t.Fatal(err)
	}
	goClient := filepath.Join(t.TempDir(), "client")
	if err := harness.BuildProgram(t.Context(), os.Stderr, "./examples/clients/go", goClient); err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"shell":  {filepath.Join(dir, "shell/mastersindia-call")},
		"python": {filepath.Join(dir, "python/mastersindia_client.py")},
		"php":    {"php", filepath.Join(dir, "php/mastersindia_client.php")},
		"node":   {filepath.Join(dir, "node/mastersindia-client.mjs")},
		"go":     {goClient},
	}
}

// interpreters are the programs that run the clients, by name.
func interpreters() map[string]string {
	return map[string]string{"shell": "sh", "python": "python3", "php": "php", "node": "node", "go": "go"}
}

// TestTheExampleClientsGetOverATokenThatDied runs each client against an API that refuses tokens: one that is too young for the
// engine to believe it, and one that upstream has killed.
//
//nolint:tparallel // upstream's logins are counted, so one client after the other
func TestTheExampleClientsGetOverATokenThatDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	var clients []*exampleClient
	for name, command := range exampleCommands(t) {
		if runtimeOf(t, name, interpreters()[name]) {
			clients = append(clients, w.exampleClient(t, name, command))
		}
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			c.givesUpOnASecondRefusal(t)
			c.isToldOfARefusal(t)
			c.isToldWhatVaultSays(t)
			c.readsAgainWhenItsLeaseHasEnded(t)
		})
	}
	for _, c := range clients {
		t.Run(c.name+"/old", c.replacesATokenThatWasKilled)
	}
}

// runtimeOf reports whether the program of a client is here. Where everything must be tested it has to be.
func runtimeOf(t *testing.T, name, program string) bool {
	t.Helper()
	_, err := exec.LookPath(program)
	if err == nil {
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Errorf("the client %s cannot be run: %v; scripts/get-runtimes installs what is missing", name, err)
		return false
	}
	t.Run(name, func(t *testing.T) { t.Skipf("%v; scripts/get-runtimes installs what is missing", err) })
	return false
}

// exampleClient stores an account for a client, with two roles, and starts an API for it.
func (w *world) exampleClient(t *testing.T, name string, command []string) *exampleClient {
	t.Helper()
	c := &exampleClient{world: w, name: name, command: command, account: w.account(t, simulator.JWT)}
	w.writeConfig(t, name, c.account)
	w.writeRole(t, name, name)
	w.writeRole(t, name+"-short", name, "max_ttl="+exampleLease.String())
	c.token = w.tokenFor(t, "-policy=examples", "-display-name="+name)
	c.api = &pickyAPI{client: c}
	server := httptest.NewServer(c.api)
	t.Cleanup(server.Close)
	c.api.url = server.URL
	return c
}

// isToldOfARefusal has the API refuse for a reason that is not the token's: the client must not ask Vault about it.
func (c *exampleClient) isToldOfARefusal(t *testing.T) {
	seen := c.run(t, c.name, "/accepted", "/forbidden")
	seen.want(t, wanted{code: 1, calls: 2, reads: 1, answers: 1, said: []string{"403", seen.tokenID}})
}

// isToldWhatVaultSays has Vault refuse.
func (c *exampleClient) isToldWhatVaultSays(t *testing.T) {
	seen := c.run(t, "nobody", "/accepted")
	// One read, since the audit log has answers of the engine that refuse as well.
	seen.want(t, wanted{code: 1, reads: 1, said: []string{
		"role", "does not exist", "vault write mastersindia/role/nobody config=<config>",
	}})
	stranger := *c
	stranger.token = "hvs.not-a-token"
	seen = stranger.run(t, c.name, "/accepted")
	seen.want(t, wanted{code: 1, said: []string{"403", "VAULT_TOKEN", "vault token lookup", "mastersindia/token/" + c.name}})
}

// readsAgainWhenItsLeaseHasEnded lets the lease end while the API takes its time.
func (c *exampleClient) readsAgainWhenItsLeaseHasEnded(t *testing.T) {
	seen := c.run(t, c.name+"-short", "/slow", "/accepted")
	seen.want(t, wanted{calls: 2, reads: 2, answers: 2})
}

// givesUpOnASecondRefusal has an API that refuses whatever comes, a token that has just been issued first: for that one the
// engine does not log in.
func (c *exampleClient) givesUpOnASecondRefusal(t *testing.T) {
	c.vault(t, "write", "-f", "mastersindia/rotate/"+c.name)
	var err error
	if c.issued, err = time.Parse(time.RFC3339, c.readToken(t, c.name).String("issued_at")); err != nil {
		t.Fatal(err)
	}
	seen := c.run(t, c.name, "/never", "/accepted")
	seen.want(t, wanted{code: 1, calls: 2, reads: 2, said: []string{"twice", seen.tokenID, "vault read mastersindia/status/" + c.name}})
}

// replacesATokenThatWasKilled has upstream kill the token between two calls. A minute must have passed since it was issued.
func (c *exampleClient) replacesATokenThatWasKilled(t *testing.T) {
	select {
	case <-time.After(time.Until(c.issued.Add(youngest))):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	seen := c.run(t, c.name, "/accepted", "/accepted", "/killed", "/accepted")
	seen.want(t, wanted{calls: 5, reads: 2, logins: 1, answers: 4})
	if got := c.api.refusals(); got != 1 {
		t.Errorf("%s: the API has refused %d calls, want 1: the scenario did not happen", c.name, got)
	}
	if seen.tokenID == seen.lastTokenID {
		t.Errorf("%s was given the same token again", c.name)
	}
	t.Logf("%s: token %s was killed, then came %s, after %d logins", c.name, seen.tokenID, seen.lastTokenID, seen.logins)
}

// run runs the client once, and counts what it does.
func (c *exampleClient) run(t *testing.T, role string, paths ...string) *exampleRun {
	t.Helper()
	c.api.forget()
	reads, logins := c.readsByName(t)["token-"+c.name], c.upstream.logins()
	args := append(append([]string{}, c.command[1:]...), role)
	for _, path := range paths {
		args = append(args, c.api.url+path)
	}
	ctx, cancel := context.WithTimeout(t.Context(), exampleTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, c.command[0], args...)
	command.Dir, command.Stdout, command.Stderr = t.TempDir(), &stdout, &stderr
	bin := t.TempDir()
	if err := os.Symlink(c.Binary(), filepath.Join(bin, "vault")); err != nil {
		t.Fatal(err)
	}
	command.Env = c.CLI.As(c.token).Env("PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"))
	command.WaitDelay = time.Second
	err := command.Run()
	if exit := (*exec.ExitError)(nil); ctx.Err() != nil || (err != nil && !errors.As(err, &exit)) {
		t.Fatalf("%s %s: %v (%v); it said: %s", c.name, strings.Join(paths, " "), err, ctx.Err(), stderr.String())
	}
	for _, finding := range c.tokens.SearchText("the output of "+c.name, append(stdout.Bytes(), stderr.Bytes()...)) {
		t.Errorf("leaked: %s", finding)
	}
	ids := c.api.tokenIDs()
	seen := &exampleRun{
		what: c.name + " " + strings.Join(paths, " "), stdout: stdout.String(), stderr: stderr.String(),
		code: command.ProcessState.ExitCode(), calls: len(ids),
		reads: c.readsByName(t)["token-"+c.name] - reads, logins: c.upstream.logins() - logins,
	}
	if len(ids) > 0 {
		seen.tokenID, seen.lastTokenID = ids[0], ids[len(ids)-1]
	}
	return seen
}

// exampleRun is what was seen of one run of a client.
type exampleRun struct {
	what, stdout, stderr string
	code                 int
	calls, reads, logins int
	tokenID, lastTokenID string // of the first call and of the last one
}

// wanted is what a run should look like: reads are those that the engine has answered.
type wanted struct {
	code, calls, reads, logins, answers int
	said                                []string
}

func (r *exampleRun) want(t *testing.T, want wanted) {
	t.Helper()
	got := wanted{code: r.code, calls: r.calls, reads: r.reads, logins: r.logins, answers: strings.Count(r.stdout, answered)}
	if got.code != want.code || got.calls != want.calls || got.reads != want.reads || got.logins != want.logins ||
		got.answers != want.answers {
		t.Errorf("%s: exit code %d after %d calls of the API, %d reads of Vault, %d logins and %d answers; "+
			"want %d after %d, %d, %d and %d; it said:\n%s", r.what, got.code, got.calls, got.reads, got.logins, got.answers,
			want.code, want.calls, want.reads, want.logins, want.answers, r.stderr)
	}
	for _, words := range want.said {
		if words == "" || !strings.Contains(r.stderr, words) {
			t.Errorf("%s: its error does not say %q:\n%s", r.what, words, r.stderr)
		}
	}
	if lines := strings.Count(strings.TrimSpace(r.stderr), "\n"); want.code != 0 && lines > 12 {
		t.Errorf("%s: its error is of %d lines:\n%s", r.what, lines+1, r.stderr)
	}
}

// answered is the body of an answer.
const answered = `{"invoice":"accepted"}`

// pickyAPI is an API in front of upstream's: it tries each token there, and its paths say what goes wrong besides.
type pickyAPI struct {
	client *exampleClient
	url    string

	mu      sync.Mutex
	ids     []string // of the tokens of the calls
	refused int
	killed  bool
}

func (p *pickyAPI) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	c := p.client
	token, isJWT := strings.CutPrefix(r.Header.Get("Authorization"), "JWT ")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = append(p.ids, tokenID(token))
	switch r.URL.Path {
	case "/forbidden":
		rw.WriteHeader(http.StatusForbidden)
		return
	case "/never":
		rw.WriteHeader(http.StatusUnauthorized)
		return
	case "/slow":
		<-time.After(exampleLease + time.Second)
	case "/killed":
		if !p.killed {
			c.upstream.KillTokens(simulator.JWT, c.account.Name())
			p.killed = true
		}
	}
	_, _, accepted, err := simulator.CallBusiness(r.Context(), c.upstream.url, c.upstream.client, simulator.JWT, token, "")
	if err != nil || !isJWT || !accepted || r.Header.Get("X-Vault-Token") != "" {
		p.refused++
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = fmt.Fprint(rw, answered) // A client that has gone shows in its own output.
}

// tokenID names a token as the engine does.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])[:16]
}

// forget starts the counts anew.
func (p *pickyAPI) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids, p.refused = nil, 0
}

func (p *pickyAPI) tokenIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.ids...)
}

func (p *pickyAPI) refusals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}
