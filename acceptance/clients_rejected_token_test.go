// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/shell"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// youngest is the age from which the engine accepts that a token was refused: a minute, plus the second to which times in
	// responses are rounded.
	youngest = 62 * time.Second
	// exampleLease is that of a role whose readers shall come back soon.
	exampleLease = 2 * time.Second
	// exampleTimeout bounds one run of a client. The vault command alone takes seconds to start on a loaded machine.
	exampleTimeout = 90 * time.Second
)

// exampleClient is a client of examples/clients, with an account of its own: the engine makes one rotation in five minutes for
// tokens that were refused.
type exampleClient struct {
	*testVault

	name    string
	command []string
	account simulator.Account
	oauth   simulator.Account // of the older API
	token   string            // of Vault
	issued  time.Time
	api     *testAPI
}

// exampleCommands are the commands that run the clients, by name and as their README has them: each takes a role and URLs. Those
// that are compiled first are, and a client whose programs are not here is left out.
func exampleCommands(t *testing.T) map[string][]string {
	t.Helper()
	dir := check.Value(filepath.Abs("../examples/clients"))(t)
	built := t.TempDir()
	commands := map[string][]string{
		"shell":  {filepath.Join(dir, "shell/mastersindia-call")},
		"python": {filepath.Join(dir, "python/mastersindia_client.py")},
		"php":    {"php", filepath.Join(dir, "php/mastersindia_client.php")},
		"node":   {filepath.Join(dir, "node/mastersindia-client.mjs")},
		"go":     {filepath.Join(built, "client")},
		"java":   {"java", "-cp", built, "MastersIndiaClient"},
		"csharp": {"mono", filepath.Join(built, "MastersIndiaClient.exe")},
	}
	for name, programs := range map[string][]string{
		"shell": {"sh", "curl", "jq"}, "python": {"python3"}, "php": {"php"}, "node": {"node"}, "go": {"go"},
		"java": {"java", "javac"}, "csharp": {"mono", "mcs"},
	} {
		if !runtimeOf(t, name, programs...) {
			delete(commands, name)
		}
	}
	for name, compiler := range map[string][]string{
		"go":   {"go", "build", "-o", built + "/client", dir + "/go/main.go", dir + "/go/client.go", dir + "/go/token.go"},
		"java": {"javac", "-Xlint:all,-serial", "-Werror", "-d", built, dir + "/java/MastersIndiaClient.java"},
		"csharp": {"mcs", "-warnaserror", "-out:" + built + "/MastersIndiaClient.exe", "-r:System.Net.Http", "-r:System.Xml",
			"-r:System.Xml.Linq", "-r:System.Runtime.Serialization", dir + "/csharp/MastersIndiaClient.cs"},
	} {
		if commands[name] == nil {
			continue
		}
		if out, err := exec.CommandContext(t.Context(), compiler[0], compiler[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("compiling the client %s: %v\n%s", name, err, out)
		}
	}
	return commands
}

// TestClients_RecoverFromRejectedToken runs each client against an API that refuses tokens: one that is too young for the
// engine to believe it, and one that upstream has killed.
//
//nolint:tparallel // upstream's logins are counted, so one client after the other
func TestClients_RecoverFromRejectedToken(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	check.NoError(t, os.WriteFile(w.file("invoice.json"), []byte(invoiceInFile()), 0o600))
	var clients []*exampleClient
	for name, command := range exampleCommands(t) {
		clients = append(clients, w.exampleClient(t, name, command))
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			c.givesUpOnASecondRefusal(t)
			c.isToldOfARefusal(t)
			c.isToldWhatVaultSays(t)
			c.readsAgainWhenItsLeaseHasEnded(t)
			c.sendsTheTokenWhereItsHostWantsIt(t)
			c.sendsMetadata(t)
			c.findsItsVaultToken(t)
			c.trustsItsVaultAlone(t)
			c.saysWhyTLSFails(t)
			c.doesNotFeelThatVaultIsDown(t)
		})
	}
	for _, c := range clients {
		t.Run(c.name+"/old", c.replacesATokenThatWasKilled)
	}
}

// missing is why one of the programs cannot be run here. Where everything must be tested, each has to be there.
func missing(t *testing.T, programs ...string) error {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			err = fmt.Errorf("%w; scripts/get-runtimes installs what is missing", err)
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			return err
		}
	}
	return nil
}

// skipWithout skips a test whose programs are not here.
func skipWithout(t *testing.T, programs ...string) {
	t.Helper()
	if err := missing(t, programs...); err != nil {
		t.Skip(err)
	}
}

// runtimeOf reports whether the programs of a client are here. The test of one that is left out is shown as skipped.
func runtimeOf(t *testing.T, name string, programs ...string) bool {
	t.Helper()
	err := missing(t, programs...)
	if err != nil {
		t.Run(name, func(t *testing.T) { t.Skip(err) })
	}
	return err == nil
}

// exampleClient stores an account for a client, with two roles, and starts an API for it.
func (w *testVault) exampleClient(t *testing.T, name string, command []string) *exampleClient {
	t.Helper()
	c := &exampleClient{testVault: w, name: name, command: command, account: w.account(t, simulator.JWT)}
	w.writeConfig(t, name, c.account)
	w.writeRole(t, name, name)
	w.writeRole(t, name+"-short", name, "max_ttl="+exampleLease.String())
	c.token = w.tokenFor(t, "-policy=examples", "-display-name="+name)
	c.oauth = w.account(t, simulator.OAuth)
	w.writeConfig(t, name+"-oauth", c.oauth)
	w.writeRole(t, name+"-oauth", name+"-oauth")
	c.api = &testAPI{client: c, once: make(map[string]bool), hanging: make(chan struct{}, 1)}
	server := httptest.NewServer(c.api)
	t.Cleanup(server.Close)
	c.api.url = server.URL
	return c
}

// isToldOfARefusal has the API refuse for a reason that is not the token's: the client must not ask Vault about it.
func (c *exampleClient) isToldOfARefusal(t *testing.T) {
	seen := c.run(t, c.name, "/accepted", "/forbidden")
	seen.want(t, wanted{code: 1, calls: 2, reads: 1, responses: 1, said: []string{"403", seen.tokenID}})
	seen = c.run(t, c.name, "/moved")
	seen.want(t, wanted{code: 1, calls: 1, reads: 1, said: []string{"307", seen.tokenID, c.api.url + "/accepted"}})
	check.True(t, !strings.Contains(seen.stderr, "of-the-query"), "%s has shown the query of where it was sent on to:\n%s", c.name, seen.stderr)
}

// isToldWhatVaultSays has Vault refuse.
func (c *exampleClient) isToldWhatVaultSays(t *testing.T) {
	seen := c.run(t, "nobody", "/accepted")
	// One read, since the audit log has responses of the engine that refuse as well.
	seen.want(t, wanted{code: 1, reads: 1, said: []string{
		"role", "does not exist", "vault write mastersindia/role/nobody config=<config>",
	}})
	seen = c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, env: []string{"VAULT_TOKEN=hvs.not-a-token"}})
	seen.want(t, wanted{code: 1, said: []string{"403", "is the Vault token in VAULT_TOKEN valid", "mastersindia/token/" + c.name}})
	vendors := "VAULT_TOKEN=eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl" // as a token of the vendor looks
	seen = c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, env: []string{vendors}})
	seen.want(t, wanted{code: 1, said: []string{"is what is in VAULT_TOKEN a Vault token (hvs.…)?"}})
	c.hidesTheVaultTokenThatIsRepeated(t)
}

// hidesTheVaultTokenThatIsRepeated has what is taken for Vault repeat the Vault token, which has another form than Vault's own.
func (c *exampleClient) hidesTheVaultTokenThatIsRepeated(t *testing.T) {
	const own = "s.ofOpenBao"
	for _, format := range []string{`{"errors": ["bad token %s"]}`, "<p>X-Vault-Token: %s</p>"} {
		repeats := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, format, r.Header.Get("X-Vault-Token")) //nolint:gosec // to a client that is no browser
		}))
		seen := c.call(t, exampleCall{
			role: c.name, paths: []string{"/accepted"}, env: []string{"VAULT_ADDR=" + repeats.URL, "VAULT_TOKEN=" + own},
		})
		repeats.Close()
		seen.want(t, wanted{code: 1, said: []string{"403", "<token>"}})
		check.True(t, !strings.Contains(seen.stderr+seen.stdout, own), "%s has shown its Vault token:\n%s", c.name, seen.stderr)
	}
}

// sendsTheTokenWhereItsHostWantsIt issues an e-invoice by the older API, which wants the token in the body, and asks the
// verification API, which wants the client_id beside it.
func (c *exampleClient) sendsTheTokenWhereItsHostWantsIt(t *testing.T) {
	role := "mastersindia/token/" + c.name + "-oauth/" // a full path is taken as well, and a slash at the end
	seen := c.call(t, exampleCall{
		role: role, paths: []string{"/generateEinvoice"}, options: []string{"-d", invoice, "-f", "access_token"},
	})
	seen.want(t, wanted{calls: 1, reads: 1, responses: 1})
	if got := c.api.lastHeader(); got.Get("Authorization") != "" || got.Get("client_id") != "" {
		t.Errorf("%s has sent headers that the host does not want", c.name)
	}
	seen = c.call(t, exampleCall{role: role, paths: []string{"/commonapis/searchgstin?gstin=29ABCDE1234F2Z5&pages[]=[1-3]&of=%5B"}, options: []string{"-X", "GET"}})
	seen.want(t, wanted{calls: 1, reads: 1, responses: 1})
	check.Equal(t, c.api.lastHeader().Get("client_id"), c.oauth.ClientID, "%s has sent the client_id", c.name)
	seen = c.run(t, c.name, "/worded", "/misspelt")
	c.noteIssued(t)
	seen.want(t, wanted{code: 1, calls: 3, reads: 2, logins: 1, responses: 1, said: []string{"401", "not about the token", "Invalid Product"}})
}

// sendsMetadata has a role with metadata, whose names are no reason to take them for anything else.
func (c *exampleClient) sendsMetadata(t *testing.T) {
	role := c.name + "-metadata"
	c.writeRole(t, role, c.name, "metadata=Gstin=29ABCDE1234F2Z5", "metadata=productid=arap", "metadata=ttl=1", "metadata=token_id=none")
	seen := c.call(t, exampleCall{
		role: role, paths: []string{"/accepted", "/accepted?2"},
		options: []string{"-d", "@" + c.file("invoice.json"), "-H", "productid: enterprises", "-H", "7: seven"},
	})
	seen.want(t, wanted{calls: 2, reads: 1, responses: 2})
	got := c.api.lastHeader()
	check.True(t, got.Get("Gstin") == "29ABCDE1234F2Z5" && got.Get("productid") == "enterprises" && got.Get("7") == "seven",
		"%s has sent Gstin %q, productid %q and 7 %q", c.name, got.Get("Gstin"), got.Get("productid"), got.Get("7"))
}

// findsItsVaultToken gives the Vault token with a newline, in a file, not at all, and with what no token has in it.
func (c *exampleClient) findsItsVaultToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault-token")
	for name, text := range map[string]string{file: c.token + "\n", file + "-empty": "\n", file + "-old": "hvs.not-a-token\n",
		filepath.Join(filepath.Dir(file), ".curlrc"): "output = /dev/full\n"} {
		check.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	for _, try := range []struct {
		env  []string
		want wanted
	}{
		{[]string{"VAULT_TOKEN=" + c.token + "\n"}, wanted{calls: 1, reads: 1, responses: 1}},
		{
			[]string{"VAULT_ADDR=" + c.Addr + "\r", "VAULT_TOKEN= \r", "VAULT_TOKEN_FILE= " + file + "\r\n", "VAULT_NAMESPACE= \r", "VAULT_SKIP_VERIFY=\r"},
			wanted{calls: 1, reads: 1, responses: 1}, // as from a .env file of Windows
		},
		{[]string{"http_proxy=http://127.0.0.1:1", "all_proxy=http://127.0.0.1:1"}, wanted{calls: 1, reads: 1, responses: 1}}, // not for this machine
		{[]string{"CURL_HOME=" + filepath.Dir(file)}, wanted{calls: 1, reads: 1, responses: 1}},
		{[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + file}, wanted{calls: 1, reads: 1, responses: 1}},
		{[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + file + "-none"}, wanted{code: 1, said: []string{"VAULT_TOKEN_FILE", "is Vault Agent running?"}}},
		{[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + file + "-empty"}, wanted{code: 1, said: []string{file + "-empty", "is empty", "is Vault Agent running?"}}},
		{[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + file + "-old"}, wanted{code: 1, said: []string{"is the Vault token in VAULT_TOKEN_FILE valid"}}},
		{[]string{"VAULT_TOKEN="}, wanted{code: 1, said: []string{"set VAULT_TOKEN"}}},
		{[]string{"VAULT_TOKEN=" + c.token + "\nX: y"}, wanted{code: 1, said: []string{"VAULT_TOKEN", "no Vault token has"}}},
		{[]string{"VAULT_TOKEN=" + c.token + " " + "€"}, wanted{code: 1, said: []string{"VAULT_TOKEN", "no Vault token has"}}},
	} {
		c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, env: try.env}).want(t, try.want)
	}
}

// trustsItsVaultAlone has a Vault whose certificate comes from a CA of its own, in a namespace.
func (c *exampleClient) trustsItsVaultAlone(t *testing.T) {
	vault := check.Value(url.Parse(c.Addr))(t)
	var namespace atomic.Value
	proxy := httputil.NewSingleHostReverseProxy(vault)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		namespace.Store(r.Header.Get("X-Vault-Namespace"))
		r.Header.Del("X-Vault-Namespace")
		proxy.ServeHTTP(rw, r)
	})
	plain, server := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	t.Cleanup(plain.Close)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	dir := t.TempDir()
	own, other := filepath.Join(dir, "own.pem"), filepath.Join(dir, "other.pem")
	for _, file := range []string{other, own} {
		ca := check.Value(simulator.NewCA())(t)
		server.TLS = check.Value(ca.ServerTLS())(t)
		check.NoError(t, os.WriteFile(file, ca.CertPEM(), 0o600))
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	withEnv := func(env ...string) *exampleRun {
		return c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, env: append([]string{"VAULT_ADDR=" + server.URL}, env...)})
	}
	withEnv("VAULT_ADDR="+plain.URL, "VAULT_NAMESPACE= team\r").want(t, wanted{calls: 1, reads: 1, responses: 1})
	check.Equal(t, namespace.Load(), "team", "%s has asked in the namespace", c.name)
	withEnv("VAULT_SKIP_VERIFY=true").want(t, wanted{code: 1, said: []string{"VAULT_SKIP_VERIFY is not supported", "the CA of your Vault"}})
	if c.name == "csharp" { // trusts what the machine does
		withEnv("VAULT_CACERT="+own).want(t, wanted{code: 1, said: []string{"does not read VAULT_CACERT"}})
		return
	}
	withEnv("VAULT_CACERT= "+own+"\r").want(t, wanted{calls: 1, reads: 1, responses: 1})
	for _, file := range []string{own + "-none", os.DevNull} {
		withEnv("VAULT_CACERT="+file).want(t, wanted{code: 1, said: []string{"VAULT_CACERT cannot be used", file}})
	}
	seen := withEnv("VAULT_CACERT=" + other)
	seen.want(t, wanted{code: 1})
	check.True(t, strings.Contains(strings.ToLower(seen.stderr), "cert"),
		"%s does not say that the certificate is not trusted:\n%s", c.name, seen.stderr)
}

// saysWhyTLSFails has a Vault whose certificate is not trusted.
func (c *exampleClient) saysWhyTLSFails(t *testing.T) {
	seen := c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, env: []string{"VAULT_ADDR=" + c.upstream.url, "NODE_TLS_REJECT_UNAUTHORIZED=0"}})
	seen.want(t, wanted{code: 1})
	check.True(t, strings.Contains(strings.ToLower(seen.stderr), "certif") && !strings.Contains(seen.stderr, "returned"),
		"%s does not say that the certificate is not trusted:\n%s", c.name, seen.stderr)
}

// doesNotFeelThatVaultIsDown lets the lease end while Vault is sealed, or a page stands in for it: the token lives, and is sent.
// The shell client keeps it to the end of its lease only.
func (c *exampleClient) doesNotFeelThatVaultIsDown(t *testing.T) {
	c.doesNotFeel(t, http.StatusServiceUnavailable, `{"errors":["Vault is sealed"]}`, "503", "Vault is sealed")
	c.doesNotFeel(t, http.StatusTooManyRequests, `{"errors":["rate limit quota exceeded"]}`, "429", "rate limit quota exceeded")
	c.doesNotFeel(t, http.StatusTemporaryRedirect, "", "VAULT_ADDR Vault's?")
	c.doesNotFeel(t, http.StatusOK, "<html>", "but with no JSON: is VAULT_ADDR Vault's? It was sent the Vault token")
}

func (c *exampleClient) doesNotFeel(t *testing.T, status int, response string, said ...string) {
	vault := check.Value(url.Parse(c.Addr))(t)
	var reads, taken atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken.Add(1) }))
	t.Cleanup(other.Close)
	proxy := httputil.NewSingleHostReverseProxy(vault)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if reads.Add(1) == 1 {
			proxy.ServeHTTP(rw, r)
			return
		}
		if status == http.StatusTemporaryRedirect {
			rw.Header().Set("Location", other.URL)
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, response) // a client that has gone shows in its own output
	}))
	t.Cleanup(server.Close)
	seen := c.call(t, exampleCall{
		role: c.name + "-short", paths: []string{"/slow", "/accepted"}, env: []string{"VAULT_ADDR=" + server.URL}, anew: func() { reads.Store(0) },
	})
	want := wanted{calls: 2, reads: 1, responses: 2}
	if c.name == "shell" {
		want = wanted{code: 1, calls: 1, reads: 1, responses: 1, said: said}
	}
	seen.want(t, want)
	check.True(t, reads.Load() >= 2, "%s has not asked Vault again: nothing is proved", c.name)
	seen = c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, env: []string{"VAULT_ADDR=" + server.URL}})
	seen.want(t, wanted{code: 1, said: said})
	check.True(t, taken.Load() == 0, "%s has followed Vault's redirect, with the Vault token", c.name)
}

// readsAgainWhenItsLeaseHasEnded lets the lease end while the API takes its time.
func (c *exampleClient) readsAgainWhenItsLeaseHasEnded(t *testing.T) {
	seen := c.run(t, c.name+"-short", "/slow", "/accepted")
	seen.want(t, wanted{calls: 2, reads: 2, responses: 2})
}

// givesUpOnASecondRefusal has an API that refuses whatever comes: a token that was revoked and the one after it, and then one that
// has just been issued, for which the engine does not log in.
func (c *exampleClient) givesUpOnASecondRefusal(t *testing.T) {
	status := "vault read mastersindia/status/" + c.name
	seen := c.run(t, c.name, "/revoked", "/accepted")
	seen.want(t, wanted{code: 1, calls: 2, reads: 2, logins: 1, said: []string{
		"a second token", seen.lastTokenID, "it was sent in the header Authorization", status,
	}})
	c.renew(t)
	seen = c.run(t, c.name, "/never", "/accepted")
	seen.want(t, wanted{code: 1, calls: 1, reads: 2, said: []string{
		"refuses token_id " + seen.tokenID, "Vault has no newer token yet", "Try again", status, "It returned 401: ", "is disabled",
	}})
	seen = c.run(t, c.name, "/half", "/accepted") // it was issued, and has the words of a refusal
	seen.want(t, wanted{code: 1, calls: 1, reads: 2, said: []string{"refuses token_id " + seen.tokenID, "It returned 200. It may have been issued", "0123"}})
	seen = c.call(t, exampleCall{role: c.name, paths: []string{"/never"}, options: []string{"-d", invoice, "-f", "access_token"}})
	seen.want(t, wanted{code: 1, calls: 1, reads: 2, said: []string{"refuses token_id " + seen.tokenID, "it was sent in the body field access_token"}})
	seen = c.run(t, c.name, "/forbidden//api-platform.example") // where 403 is of a dead token
	seen.want(t, wanted{code: 1, calls: 1, reads: 2, said: []string{"refuses token_id " + seen.tokenID, "It returned 403"}})
}

// renew has the engine issue a token that is too young for it to believe that the API refuses it.
func (c *exampleClient) renew(t *testing.T) {
	t.Helper()
	c.vault(t, "write", "-f", "mastersindia/rotate/"+c.name)
	c.noteIssued(t)
}

// noteIssued keeps when the current token was issued.
func (c *exampleClient) noteIssued(t *testing.T) {
	t.Helper()
	c.issued = check.Value(time.Parse(time.RFC3339, c.readToken(t, c.name).String("issued_at")))(t)
}

// replacesATokenThatWasKilled has upstream kill the token between two calls. A minute must have passed since it was issued.
func (c *exampleClient) replacesATokenThatWasKilled(t *testing.T) {
	select {
	case <-time.After(time.Until(c.issued.Add(youngest))):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	seen := c.run(t, c.name, "/accepted", "/accepted?2", "/killed", "/accepted?3")
	seen.want(t, wanted{calls: 5, reads: 2, logins: 1, responses: 4})
	check.Equal(t, c.api.refusals(), 1, "%s: the API has refused N calls", c.name)
	check.True(t, seen.tokenID != seen.lastTokenID, "%s was given the same token again", c.name)
	t.Logf("%s: token %s was killed, then came %s, after %d logins", c.name, seen.tokenID, seen.lastTokenID, seen.logins)
}

// exampleCall is one run of a client. Without options it issues an invoice at each path of the API.
type exampleCall struct {
	role                string
	paths, options, env []string
	arguments           []string // instead of role, paths and options
	stdin               string
	waiting             bool           // standard input does not end; the signal comes then
	stdout              string         // a file, instead of what is kept
	signal              syscall.Signal // what a call that hangs is ended by
	command             string         // of bash, in which CLIENT stands for the client
	terminal            bool           // Ctrl-C is typed in one when a call hangs
	again               bool           // after Mono has crashed
	anew                func()         // before that, where the test itself counts
}

// run runs the client once, with an invoice, and counts what it does.
func (c *exampleClient) run(t *testing.T, role string, paths ...string) *exampleRun {
	t.Helper()
	return c.call(t, exampleCall{role: role, paths: paths})
}

func (c *exampleClient) call(t *testing.T, call exampleCall) *exampleRun {
	t.Helper()
	c.api.forget()
	reads, logins := c.readsByName(t)["token-"+c.name], c.upstream.logins()
	if call.options == nil {
		call.options = []string{"-d", invoice}
	}
	args := append(append(append([]string{}, c.command[1:]...), call.options...), call.role)
	for _, path := range call.paths {
		args = append(args, c.api.url+path)
	}
	if call.arguments != nil {
		args = append(append([]string{}, c.command[1:]...), call.arguments...)
	}
	program := c.command[0]
	if call.command != "" {
		for n := range args {
			args[n] = shell.Quote(args[n])
		}
		command := strings.ReplaceAll(call.command, "CLIENT", program+" "+strings.Join(args, " "))
		program, args = "bash", []string{"-c", command}
		if call.terminal {
			program, args = "script", []string{"-qec", "bash -c " + shell.Quote(command), "/dev/null"}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), exampleTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.Stdin, command.Stdout, command.Stderr = t.TempDir(), strings.NewReader(call.stdin), &stdout, &stderr
	if call.waiting {
		command.Stdin = nil
		stdin := check.Value(command.StdinPipe())(t) // which Wait closes
		go func() {
			if _, err := stdin.Write(bytes.Repeat([]byte(" "), 1<<20)); err == nil { // more than fits into a pipe: the client reads
				<-time.After(time.Second) // until the client waits for more
				c.api.hanging <- struct{}{}
			}
		}()
	}
	if call.stdout != "" {
		file := check.Value(os.OpenFile(call.stdout, os.O_WRONLY, 0))(t)
		defer func() { _ = file.Close() }()
		command.Stdout = file
	}
	command.Env = append(c.CLI.As(c.token).Env("PATH="+os.Getenv("PATH")), call.env...)
	command.WaitDelay = time.Second
	interrupt := func() { _ = syscall.Kill(-command.Process.Pid, call.signal) }
	if call.terminal {
		command.Stdin = nil
		terminal := check.Value(command.StdinPipe())(t)
		interrupt = func() { _, _ = io.WriteString(terminal, "\x03") }
	}
	err := c.api.interruptHanging(ctx, command, interrupt)
	if exit := (*exec.ExitError)(nil); ctx.Err() != nil || (err != nil && !errors.As(err, &exit)) {
		t.Fatalf("%s %s: %v (%v); it said: %s", c.name, strings.Join(call.paths, " "), err, ctx.Err(), stderr.String())
	}
	if !call.again && strings.Contains(stderr.String(), "External Debugger Dump") {
		t.Log("Mono itself has crashed, and is run again")
		call.again = true
		if call.anew != nil {
			call.anew()
		}
		return c.call(t, call)
	}
	for _, finding := range c.tokens.SearchText("the output of "+c.name, append(stdout.Bytes(), stderr.Bytes()...)) {
		t.Errorf("leaked: %s", finding)
	}
	check.True(t, !strings.Contains(stdout.String()+stderr.String(), c.token), "%s has shown its Vault token", c.name)
	ids := c.api.tokenIDs()
	seen := &exampleRun{
		what: c.name + " " + strings.Join(call.paths, " "), stdout: stdout.String(), stderr: stderr.String(),
		code: command.ProcessState.ExitCode(), calls: len(ids),
		reads: c.readsByName(t)["token-"+c.name] - reads, logins: c.upstream.logins() - logins,
	}
	if len(ids) > 0 {
		seen.tokenID, seen.lastTokenID = ids[0], ids[len(ids)-1]
	}
	return seen
}

// errorCode is the exit code of a client that says this: a script must tell what it may repeat.
func errorCode(said string) int {
	if strings.Contains(said, "may have been issued") {
		return 3
	}
	return 1
}

// exampleRun is what was seen of one run of a client.
type exampleRun struct {
	what, stdout, stderr string
	code                 int
	calls, reads, logins int
	tokenID, lastTokenID string // of the first call and of the last one
}

// wanted is what a run should look like: reads are those that the engine has served, and code is 1 for an error, which is 3 where the
// error says that the call may have been executed.
type wanted struct {
	code, calls, reads, logins, responses int
	said                                  []string
}

func (r *exampleRun) want(t *testing.T, want wanted) {
	t.Helper()
	if want.code == 1 {
		want.code = errorCode(r.stderr)
	}
	got := wanted{code: r.code, calls: r.calls, reads: r.reads, logins: r.logins, responses: strings.Count(r.stdout, `"status":"Success"`) + strings.Count(r.stdout, `"sts":"Active"`)}
	if got.code != want.code || got.calls != want.calls || got.reads != want.reads || got.logins != want.logins ||
		got.responses != want.responses {
		t.Errorf("%s: exit code %d after %d calls of the API, %d reads of Vault, %d logins and %d responses; "+
			"want %d after %d, %d, %d and %d; it said:\n%s", r.what, got.code, got.calls, got.reads, got.logins, got.responses,
			want.code, want.calls, want.reads, want.logins, want.responses, r.stderr)
	}
	for _, words := range want.said {
		check.True(t, words != "" && strings.Contains(r.stderr, words), "%s: its error does not say %q:\n%s", r.what, words, r.stderr)
	}
	own := strings.TrimSpace(r.stderr)                         // an API may end its text as it likes
	if n := strings.Index(own, "mastersindia-call: "); n > 0 { // behind what curl says
		own = own[n:]
	}
	check.True(t, !strings.Contains(own, "\n\n") && !strings.Contains(own, "\n:"),
		"%s: its error has an empty line, or goes on after one:\n%s", r.what, r.stderr)
	if lines := strings.Count(strings.TrimSpace(r.stderr), "\n"); want.code != 0 && lines > 12 {
		t.Errorf("%s: its error is of %d lines:\n%s", r.what, lines+1, r.stderr)
	}
}
