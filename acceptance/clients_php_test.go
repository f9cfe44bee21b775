// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestPHPFPM_TokenSharedInAPCu has requests to a real php-fpm issue invoices: its workers share one read of Vault.
func TestPHPFPM_TokenSharedInAPCu(t *testing.T) {
	t.Parallel()
	fpm := phpFPM(t)
	w := newTestVault(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	c := w.exampleClient(t, "fpm", nil)
	dir := t.TempDir()
	socket := c.startFPM(t, fpm, dir)
	api := httptest.NewServer(c.api)
	defer api.Close()
	client := check.Value(filepath.Abs("../examples/clients/php/mastersindia_client.php"))(t)
	page := filepath.Join(dir, "page.php")
	source := fmt.Sprintf(`<?php
require '%s';
$reply = (new MastersIndiaClient('fpm'))->call('%s/accepted', 'POST', '%s');
echo getmypid(), ' ', json_decode($reply)->results->status, "\n";
`, client, api.URL, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(invoice))
	check.NoError(t, os.WriteFile(page, []byte(source), 0o600))
	workers := map[string]bool{}
	for n := range 6 {
		request := exec.CommandContext(t.Context(), "cgi-fcgi", "-bind", "-connect", socket)
		request.Env = append(os.Environ(), "SCRIPT_FILENAME="+page, "REQUEST_METHOD=GET")
		out, err := request.CombinedOutput()
		check.Require(t, err == nil && strings.Contains(string(out), " Success\n"), "request %d: %v\n%s", n, err, out)
		_, body, _ := strings.Cut(string(out), "\r\n\r\n")
		workers[strings.Fields(body)[0]] = true
	}
	check.Equal(t, c.readsByName(t)["token-fpm"], 1, "N reads of Vault by 6 requests")
	check.True(t, len(workers) >= 2, "all requests came to one worker: nothing is proved of several")
}

// TestClients_ArgumentsOfWrongType checks that what others take as body or headers is refused in words: among it the false of a
// json_encode that has failed, and a list of headers, whose numbers PHP would take for their names.
func TestClients_ArgumentsOfWrongType(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	for program, try := range map[string]struct {
		args []string
		want string
	}{
		"php": {[]string{"-r", `require '../examples/clients/php/mastersindia_client.php';
try { MastersIndiaClient::check('https://api.example.com/', null, ['Productid: arap']); } catch (MastersIndiaError $e) { echo $e->getMessage(), "\n"; }
foreach ([['Gstin: A', 'X-Request-Id' => 'b'], ['Gstin' => ['A']], ['Gstin' => true]] as $headers) {
  try { MastersIndiaClient::check('https://api.example.com/', null, $headers); echo 'accepted,'; } catch (MastersIndiaError $e) { echo 'refused,'; }
}
try { (new MastersIndiaClient('billing'))->call('https://api.example.com/', 'POST', json_encode(["Z\xfcrich"])); }
catch (MastersIndiaError $e) { echo strtok($e->getMessage(), ','); }`},
			"header: must be given as ['NAME' => 'VALUE']\nrefused,refused,refused,body: is false: json_encode failed: Malformed UTF-8 characters"},
		"python3": {[]string{"-B", "-c", `import os, sys
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client, ClientError, check
os.environ.pop("VAULT_ADDR", None)
for call in (lambda: Client(None), lambda: Client(7), lambda: Client("billing").call(None), lambda: Client("billing").call(b"https://[/"), lambda: Client("billing").call("https://[/", None)):
    try:
        call()
    except ClientError as error:
        print(str(error).partition(":")[0])
for body, headers in (({"a": 1}, None), (b"{}", None), ("{}", ["Productid: arap"]), ("{}", {"Gstin": ["A"]})):
    try:
        check("https://api.example.com/", body, headers)
    except ClientError as error:
        print(error)`},
			strings.Repeat("role\n", 2) + strings.Repeat("URL\n", 2) + "set VAULT_ADDR to the URL of Vault\n" + strings.Repeat("body: must be a str: give json.dumps(...)\n", 2) +
				"header: must be given as {'NAME': 'VALUE'}\nheader: must be one line, NAME: VALUE, with a name of letters, digits, _ and -\n"},
		"node": {[]string{"--input-type=module", "-e", `import { Client, check } from "../examples/clients/node/mastersindia-client.mjs";
for (const headers of [["Gstin: A"], new Headers({ Gstin: "A" }), new Map([["Gstin", "A"]]), { Gstin: ["A"] }, { Gstin: undefined }]) {
  try { check("https://api.example.com/", undefined, headers); } catch (problem) { console.log(problem.message); }
}
for (const body of [{ a: 1 }, null, new URLSearchParams("a=1")]) {
  try { check("https://api.example.com/", body, { "Content-Type": "text/plain" }); } catch (problem) { console.log(problem.message.slice(0, 22)); }
}
try { check(new URL("https://api.example.com/")); } catch (problem) { console.log(problem.message.slice(0, 4)); }
try { new Client(undefined); } catch (problem) { console.log(problem.message.slice(0, 5)); }
check("https://api.example.com/", undefined, Object.assign(Object.create(null), { Gstin: "A" }));`},
			strings.Repeat("header: must be given as { \"NAME\": \"VALUE\" }\n", 5) + strings.Repeat("body: must be a string\n", 3) + "URL:\nrole:\n"},
	} {
		if !runtimeOf(t, program, program) {
			continue
		}
		out, err := exec.CommandContext(t.Context(), program, try.args...).CombinedOutput()
		check.True(t, err == nil && string(out) == try.want, "%s: %v: it says %q, want %q", program, err, out, try.want)
	}
}

// TestClients_StoredObjectHasNoToken has the clients read a token, and stores them as sessions, queues and caches do. VAULT_ADDR
// is where a framework of PHP puts what is in a file .env.
func TestClients_StoredObjectHasNoToken(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	var reads atomic.Int64
	vault := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		reads.Add(1)
		_, _ = io.WriteString(rw, `{"lease_duration": 0, "data": {"authorization": "JWT the-token", "access_token": "the-token",
			"token_id": "0123456789abcdef", "ttl": 60, "expires_in": 60}}`) // a client that has gone shows in its own output
	}))
	defer vault.Close()
	for language, args := range map[string][]string{
		"php": {"php", "-r", `require '../examples/clients/php/mastersindia_client.php';
$_ENV['VAULT_ADDR'] = '` + vault.URL + `';
$client = new MastersIndiaClient('billing');
$client->token();
$client->token();
$stored = serialize($client);
unserialize($stored)->token();
echo $stored, var_export($client, true), print_r((array) $client, true), json_encode($client), print_r($client, true);`},
		"python3": {"python3", "-B", "-c", `import copy, os, pickle, sys
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client
os.environ["VAULT_ADDR"] = "` + vault.URL + `"
client = Client("billing")
client.token(), client.token()
stored = pickle.dumps(client)
pickle.loads(stored).token()
print(stored, vars(client), vars(copy.copy(client)))`},
	} {
		if !runtimeOf(t, language, language) {
			continue
		}
		reads.Store(0)
		command := exec.CommandContext(t.Context(), args[0], args[1:]...)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_TOKEN=hvs.invented"}
		out, err := command.CombinedOutput()
		check.True(t, err == nil && strings.Contains(string(out), "billing") && !strings.Contains(string(out), "the-token") && reads.Load() == 2,
			"%s: %v after %d reads, want 2:\n%s", language, err, reads.Load(), out)
	}
}

// TestPython_LocalsShowNoToken fails in each function that has a token at hand, and shows the variables of all frames, as error
// reports do. It also checks that a proxy that refuses is named.
//
//nolint:tparallel // its only subtest says that Python is left out
func TestPython_LocalsShowNoToken(t *testing.T) {
	t.Parallel()
	if !runtimeOf(t, "python", "python3") {
		t.Skip("there is no python3")
	}
	vault := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		response := `{"lease_duration": 0, "data": {"authorization": "JWT the-token", "access_token": "the-token",
			"metadata": {}, "token_id": "0123456789abcdef", "config": "gst", "ttl": 60, "expires_in": 60}}`
		if strings.HasSuffix(r.URL.Path, "/other") {
			response = `{"data": {"password": "the-token"}}`
		}
		_, _ = io.WriteString(rw, response) // a client that has gone shows in its own output
	}))
	defer vault.Close()
	const code = `import os, signal, socket, sys, traceback
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client, ClientError
def show(what, **given):
    try:
        what(**given)
    except Exception as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        print("".join(report.format()))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            print([dict(value) if isinstance(value, dict) else value for value in frame.f_locals.values()])
client = Client("billing")
show(client.call, url="http://127.0.0.1:1/", body="{}")
show(client.call, url="http://127.0.0.1:1/", body="{}", field="access_token")
show(client.call, url="http://127.0.0.1:1/", body="{}", headers={"Productid": "arap"})
show(Client("kv/token/other").token)
class TimeIsOver(Exception): # as a queue raises it in a job
    pass
def over(*_): raise TimeIsOver
signal.signal(signal.SIGALRM, over)
silent = socket.create_server(("127.0.0.1", 0), backlog=0) # takes no more connections than these
waiting = [socket.socket() for _ in range(3)]
for one in waiting:
    one.setblocking(False)
    one.connect_ex(silent.getsockname())
signal.setitimer(signal.ITIMER_REAL, 3)
show(client.call, url=f"http://127.0.0.1:{silent.getsockname()[1]}/", body="{}")
os.environ.update(http_proxy="http://127.0.0.1:1", VAULT_ADDR="http://vault.invalid")
show(Client("billing").token)
os.environ["VAULT_TOKEN"] = "the-token €"
show(Client("billing").token)`
	command := exec.CommandContext(t.Context(), "python3", "-B", "-c", code)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=the-token"}
	out, err := command.CombinedOutput()
	n := strings.Count(string(out), "ClientError: ") + strings.Count(string(out), "\nTimeIsOver\n")
	if err != nil || n != 7 || strings.Contains(string(out), "the-token") {
		t.Errorf("%v after %d errors, want 7 and no token:\n%s", err, n, out)
	}
	check.True(t, strings.Contains(string(out), "through the proxy of http_proxy failed: "), "the proxy is not named:\n%s", out)
}

// phpFPM is the program, which has the version of PHP in its name.
func phpFPM(t *testing.T) string {
	t.Helper()
	found := check.Value(filepath.Glob("/usr/sbin/php-fpm*"))(t)
	check.Require(t, len(found) != 0 || os.Getenv("CI") != "true", "there is no php-fpm; scripts/get-runtimes installs it")
	if len(found) == 0 || !runtimeOf(t, "cgi-fcgi", "cgi-fcgi") {
		t.Skip("there is no php-fpm, or no cgi-fcgi; scripts/get-runtimes installs them")
	}
	return found[0]
}

// startFPM starts a php-fpm with two workers that have the environment of a client, and returns its socket.
func (c *exampleClient) startFPM(t *testing.T, fpm, dir string) string {
	t.Helper()
	socket, conf := filepath.Join(dir, "fpm.sock"), filepath.Join(dir, "fpm.conf")
	pool := fmt.Sprintf("[global]\nerror_log = %s/fpm.log\n[www]\nlisten = %s\npm = static\npm.max_children = 2\n"+
		"env[VAULT_ADDR] = %s\nenv[VAULT_TOKEN_FILE] = %s/vault-token\n", dir, socket, c.Addr, dir)
	for name, text := range map[string]string{conf: pool, filepath.Join(dir, "vault-token"): c.token + "\n"} {
		check.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	server := exec.CommandContext(t.Context(), fpm, "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", conf)
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	server.WaitDelay = 10 * time.Second
	check.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Cancel() // it may have ended with the test's context
		_ = server.Wait()
	})
	for range 100 {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		<-time.After(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "fpm.log")) // for the message only
	t.Fatalf("php-fpm does not listen:\n%s", log)
	return ""
}
