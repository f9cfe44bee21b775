// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestClients_AsLibrary has programs that fill their headers anew for each call, change the token that they were given, name a token
// in place of its token_id, and go to another Vault. Nothing is sent as somebody else.
func TestClients_AsLibrary(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	const tooLate = "VAULT_ADDR or VAULT_NAMESPACE has changed since this client was made"
	said := "rejected: must be the token_id of a token\n" + tooLate + "\n"
	for program, try := range map[string]struct {
		args   []string
		called []string // method, Gstin and body of the calls, sorted
	}{
		"node": {[]string{"--input-type=module", "-e", `import { inspect } from "node:util";
import { Client } from "../examples/clients/node/mastersindia-client.mjs";
const api = process.env.VAULT_ADDR + "/api", client = new Client("billing"), headers = {}, calls = [];
for (const gstin of ["A", "B"]) {
  headers.Gstin = gstin;
  calls.push(client.call(api, { method: "POST", body: "{}", headers }));
}
await Promise.all(calls);
const token = await client.token();
try { token.metadata.Gstin = "changed"; } catch { /* it is frozen */ }
if ((JSON.stringify({ token, copy: { ...token } }) + inspect(token)).includes("the-token") || token.access_token !== "the-token") console.log("it shows");
await client.call(new URL(api), { method: "DELETE", body: "{}" });
const say = (problem) => console.log(problem.message.split(/[,:] (?=16|a process)/)[0]);
await client.token("the-token").catch(say);
process.env.VAULT_ADDR = "http://127.0.0.1:1";
await client.token().catch(say);`},
			[]string{"DELETE ROLE {}", "POST A {}", "POST B {}"}},
		"python3": {[]string{"-B", "-c", `import os, re, sys
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client, ClientError
api, client = os.environ["VAULT_ADDR"] + "/api", Client("billing")
client.token()["metadata"]["Gstin"] = "changed"
client.call(api, "POST", "{}")
client.token()["metadata"]["Gstin"] = "changed"
client.call(api, "POST", "{}", {"Gstin": "A"})
client.call(api, "POST", "{}")
for address, rejected in ((os.environ["VAULT_ADDR"], "the-token"), ("http://127.0.0.1:1", "")):
    os.environ["VAULT_ADDR"] = address
    try:
        client.token(rejected)
    except ClientError as error:
        print(re.split("[,:] (?=16|a process)", str(error))[0])`},
			[]string{"POST A {}", "POST ROLE {}", "POST ROLE {}"}},
		"php": {[]string{"-r", `require '../examples/clients/php/mastersindia_client.php';
[$api, $client] = [getenv('VAULT_ADDR') . '/api', new MastersIndiaClient('billing')];
$token = $client->token();
@$token['metadata']['Gstin'] = 'changed';
try { $token['metadata'] = []; } catch (MastersIndiaError) {}
ob_start();
var_dump($token);
print_r($token);
echo json_encode([$token]);
if (str_contains(ob_get_clean(), 'the-token') || $token['access_token'] !== 'the-token' || isset($token['client_id'])) { echo 'it shows'; }
$client->call($api, 'POST', '{}');
$client->call($api, 'POST', '{}', ['Gstin' => 'A']);
foreach ([[getenv('VAULT_ADDR'), 'the-token'], ['http://127.0.0.1:1', '']] as [$address, $rejected]) {
  putenv("VAULT_ADDR=$address");
  try { $client->token($rejected); } catch (MastersIndiaError $error) { echo preg_split('/[,:] (?=16|a process)/', $error->getMessage())[0], "\n"; }
}`},
			[]string{"POST A {}", "POST ROLE {}"}},
	} {
		if !runtimeOf(t, program, program) {
			continue
		}
		var mu sync.Mutex
		var called []string
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // what has not come is not in the call
			if r.URL.Path == "/api" {
				mu.Lock()
				called = append(called, fmt.Sprintf("%s %s %s", r.Method, r.Header.Get("Gstin"), body))
				mu.Unlock()
			}
			_, _ = io.WriteString(rw, `{"lease_duration": 0, "data": {"authorization": "JWT the-token", "access_token": "the-token", "config": "gst",
				"token_id": "0123456789abcdef", "ttl": 60, "expires_in": 60, "metadata": {"Gstin": "ROLE"}}}`) // as above
		}))
		command := exec.CommandContext(t.Context(), program, try.args...)
		command.Env = append(os.Environ(), "VAULT_ADDR="+server.URL, "VAULT_TOKEN=hvs.of-the-test", "VAULT_NAMESPACE=")
		out, err := command.CombinedOutput()
		server.Close()
		slices.Sort(called)
		check.True(t, err == nil && string(out) == said, "%s: %v: it says %q, want %q", program, err, out, said)
		check.Equal(t, strings.Join(called, "\n"), strings.Join(try.called, "\n"), "%s: the calls", program)
	}
}

// TestClients_RunUnderAnyName starts the clients from copies with another name, from links, and from standard input, where they run
// or say that they do not. In a bundle, whose classes are not exported where they stand, the client does not run.
func TestClients_RunUnderAnyName(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	const node, php = "node/mastersindia-client.mjs", "php/mastersindia_client.php"
	for _, try := range []struct{ program, command, said string }{
		{"node", "cp " + node + " $DIR/einvoice.mjs; node $DIR/einvoice.mjs", "usage: "},
		{"node", "cp " + node + " $DIR/einvoice.js; echo '{\"type\": \"module\"}' >$DIR/package.json; node $DIR/einvoice", "usage: "},
		{"node", "ln -s $PWD/" + node + " $DIR/call; $DIR/call", "usage: "},
		{"node", "ln -s $PWD/" + node + " $DIR/call.mjs; node --preserve-symlinks-main $DIR/call.mjs", "usage: "},
		{"node", "node --input-type=module - -d {} <" + node, "not from standard input"},
		{"node", "sed 's/^export //' " + node + " >$DIR/bundle.mjs; node $DIR/bundle.mjs && echo silent >&2 && false", "silent\n"},
		{"node", "sed 's/^export //' " + node + " >$DIR/copy.mjs; node $DIR/copy.mjs -d {} billing http://127.0.0.1:1/", "nothing was sent"},
		{"node", "(sed 's/^export //' " + node + "; echo 'new Client(\"billing\")') >$DIR/own.mjs; node $DIR/own.mjs http://127.0.0.1:1/ && echo silent >&2 && false", "silent\n"},
		{"php", "cp " + php + " $DIR/einvoice; php $DIR/einvoice", "usage: "},
		{"php", "ln -s $PWD/" + php + " $DIR/call; php $DIR/call", "usage: "},
		{"php", "php <" + php, "not from standard input"},
		{"php", "echo '<?php echo \"a page\\n\"; exit(3);' >$DIR/page.php; php -d auto_prepend_file=$PWD/" + php + " $DIR/page.php", "a page"},
		{"php", "php -- -d {} billing http://127.0.0.1:1/ <" + php, "not from standard input"},
		{"python3", "cp python/mastersindia_client.py $DIR/einvoice; python3 -B $DIR/einvoice", "usage: "},
		{"python3", "python3 -B - <python/mastersindia_client.py", "usage: "},
		{"java", "cp java/MastersIndiaClient.java $DIR/Einvoice.java; java $DIR/Einvoice.java", "usage: "},
		{"jq", "cp shell/mastersindia-call $DIR/einvoice; $DIR/einvoice", "usage: "},
	} {
		if !runtimeOf(t, try.program, try.program) {
			continue
		}
		command := exec.CommandContext(t.Context(), "bash", "-c", try.command)
		command.Dir, command.Env = "../examples/clients", append(os.Environ(), "DIR="+t.TempDir())
		out, err := command.CombinedOutput()
		check.True(t, err != nil && strings.Contains(string(out), try.said) && strings.Count(string(out), "\n") == 1,
			"%s: %v: it does not say %q alone:\n%s", try.command, err, try.said, out)
	}
}

// TestPython_InterruptionAfterTheResponse interrupts a call between its response and what is done with it.
func TestPython_InterruptionAfterTheResponse(t *testing.T) {
	t.Parallel()
	skipWithout(t, "python3")
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"lease_duration": 0, "data": {"authorization": "JWT the-token", "access_token": "the-token",
			"token_id": "0123456789abcdef", "ttl": 60, "expires_in": 60}}`) // a client that has gone shows in its own output
	}))
	defer server.Close()
	const code = `import os, signal, sys
sys.path.insert(0, "../examples/clients/python")
import mastersindia_client as program
api = os.environ["VAULT_ADDR"] + "/api"
def interrupted(*_): os.kill(os.getpid(), signal.SIGINT)
def run(name):
    own = getattr(program, name)
    setattr(program, name, interrupted)
    try:
        program.Client("billing").call(api, "POST", "{}")
    except KeyboardInterrupt as interrupt:
        print(interrupt, file=sys.stderr)
    setattr(program, name, own)
run("_refused")
run("_hidden")
program._print, sys.argv = interrupted, ["", "-d", "{}", "billing", api]
program.main()`
	command := exec.CommandContext(t.Context(), "python3", "-B", "-c", code)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + server.URL, "VAULT_TOKEN=hvs.of-the-test"}
	out, err := command.CombinedOutput()
	failed := "calling " + server.URL + "/api failed: interrupted"
	doubt := ". It may have been issued: look it up before you repeat it\n"
	check.True(t, err != nil && string(out) == failed+doubt+failed+"\nmastersindia_client: "+failed+doubt, "%v; it says:\n%s", err, out)
}

// TestPython_FrappeSnippetImports: nothing else than its import tells whether what it needs of the client is still there.
func TestPython_FrappeSnippetImports(t *testing.T) {
	t.Parallel()
	skipWithout(t, "python3")
	const code = `import sys, types
sys.path.insert(0, "../examples/clients")
sys.modules["frappe"] = types.ModuleType("frappe")
import python.frappe_snippet`
	out, err := exec.CommandContext(t.Context(), "python3", "-B", "-c", code).CombinedOutput()
	check.True(t, err == nil, "examples/clients/python/frappe_snippet.py: %v\n%s", err, out)
}

// TestPHP_TraceShowsNoToken gives tokens in place of other arguments, and shows the traces with their arguments, as error reports do.
func TestPHP_TraceShowsNoToken(t *testing.T) {
	t.Parallel()
	skipWithout(t, "php")
	out, err := exec.CommandContext(t.Context(), "php", "-d", "zend.exception_ignore_args=0", "-r", `require '../examples/clients/php/mastersindia_client.php';
putenv('VAULT_ADDR');
$token = 'eyJ-the-token';
$client = new MastersIndiaClient('billing');
foreach ([
  fn () => new MastersIndiaClient($token), fn () => $client->token($token), fn () => $client->call('https://api.example.com/', $token),
  fn () => $client->call('https://api.example.com/', 'POST', '{}', [], $token),
  fn () => $client->call($token), fn () => MastersIndiaClient::contents('-d', $token),
] as $call) {
  try { $call(); } catch (MastersIndiaError $error) { echo get_class($error), "\n"; print_r($error->getTrace()); }
}`).CombinedOutput()
	n := strings.Count(string(out), "MastersIndiaError\n")
	check.True(t, err == nil && n == 6 && !strings.Contains(string(out), "the-token"), "%v after %d errors, want 6 and no token:\n%s", err, n, out)
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
catch (MastersIndiaError $e) { echo strtok($e->getMessage(), ','); }
try { MastersIndiaClient::check('https://api.example.com/', http_build_query(['a' => 1])); } catch (MastersIndiaError $e) { echo "\n", strtok($e->getMessage(), ','); }
set_error_handler(fn ($level, $message) => throw new ErrorException($message));
putenv('VAULT_ADDR=http://127.0.0.1:1');
putenv('VAULT_TOKEN=');
putenv('VAULT_TOKEN_FILE=/none');
foreach (['', '/none'] as $ca) {
  putenv("VAULT_CACERT=$ca");
  try { (new MastersIndiaClient('billing'))->token(); } catch (MastersIndiaError $e) { echo "\n", $e->getMessage(); }
}
ini_set('open_basedir', '/nowhere');
putenv('VAULT_CACERT');
try { (new MastersIndiaClient('billing'))->token(); } catch (MastersIndiaError $e) { echo "\n", $e->getMessage(); }`},
			"header: must be given as ['NAME' => 'VALUE']\nrefused,refused,refused,body: is false: json_encode failed: Malformed UTF-8 characters" +
				"\nbody: is not JSON: give json_encode(...)" +
				"\nVAULT_TOKEN_FILE cannot be read: /none: No such file or directory: is Vault Agent running?" +
				"\nVAULT_CACERT cannot be used: /none: No such file or directory" +
				"\nVAULT_TOKEN_FILE cannot be read: /none: open_basedir forbids it: is Vault Agent running?"},
		"python3": {[]string{"-B", "-c", `import os, sys
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client, ClientError, check
os.environ.pop("VAULT_ADDR", None)
for call in (lambda: Client(None), lambda: Client(7), lambda: Client("billing").call(None), lambda: Client("billing").call(b"https://[/"), lambda: Client("billing").call("https://[/", None), lambda: Client("billing").call("https://api.example.com/", {"a": 1})):
    try:
        call()
    except ClientError as error:
        print(str(error).partition(":")[0])
for body, headers in (({"a": 1}, None), (b"{}", None), (str({"a": 1}), None), ("{}", ["Productid: arap"]), ("{}", {"Gstin": ["A"]})):
    try:
        check("https://api.example.com/", body, headers)
    except ClientError as error:
        print(str(error).partition(", or")[0])`},
			strings.Repeat("role\n", 2) + strings.Repeat("URL\n", 2) + "set VAULT_ADDR to the URL of Vault\nmethod\n" + strings.Repeat("body: must be a str: give json.dumps(...)\n", 2) +
				"body: is not JSON at line 1, column 2: give json.dumps(...)\nheader: must be given as {'NAME': 'VALUE'}\nheader: must be one line, NAME: VALUE, with a name of letters, digits, _ and -\n"},
		"node": {[]string{"--input-type=module", "-e", `import { Client, check } from "../examples/clients/node/mastersindia-client.mjs";
for (const headers of [["Gstin: A"], new Headers({ Gstin: "A" }), new Map([["Gstin", "A"]]), { Gstin: ["A"] }, { Gstin: undefined }]) {
  try { check("https://api.example.com/", undefined, headers); } catch (problem) { console.log(problem.message); }
}
for (const body of [{ a: 1 }, null, new URLSearchParams("a=1")]) {
  try { check("https://api.example.com/", body, { "Content-Type": "text/plain" }); } catch (problem) { console.log(problem.message.slice(0, 22)); }
}
for (const url of [new URL("https://api.example.com/"), "api.example.com", new URL("http://api.example.com/")]) {
  try { check(url, "a=1"); } catch (problem) { console.log(problem.message.split(/ would|,| http/)[0]); }
}
await new Client("billing").call("https://api.example.com/", { body: "{}", field: 7 }).catch((problem) => console.log(problem.message.slice(0, 6)));
try { new Client(undefined); } catch (problem) { console.log(problem.message.slice(0, 5)); }
check("https://api.example.com/", undefined, Object.assign(Object.create(null), { Gstin: "A" }));`},
			strings.Repeat("header: must be given as { \"NAME\": \"VALUE\" }\n", 5) + strings.Repeat("body: must be a string\n", 3) + "body: is not JSON: give JSON.stringify(...)\nURL: must begin with\nURL:\nfield:\nrole:\n"},
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
func TestPython_LocalsShowNoToken(t *testing.T) {
	t.Parallel()
	skipWithout(t, "python3")
	vault := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		response := `{"lease_duration": 0, "data": {"authorization": "JWT the-token", "access_token": "the-token",
			"metadata": {}, "token_id": "0123456789abcdef", "config": "gst", "ttl": 60, "expires_in": 60}}`
		switch {
		case strings.HasSuffix(r.URL.Path, "/other"):
			response = `{"data": {"password": "the-token"}}`
		case strings.HasSuffix(r.URL.Path, "/bilings"):
			rw.WriteHeader(http.StatusBadRequest)
			response = `{"errors": ["role \"bilings\" does not exist"]}`
		}
		_, _ = io.WriteString(rw, response) // a client that has gone shows in its own output
	}))
	defer vault.Close()
	const code = `import http.client, os, signal, socket, sys, traceback
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client, ClientError
def show(what, **given):
    try:
        what(**given)
    except Exception as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        print("".join(report.format()))
        while error: # as Rollbar goes on, also where "from None" ends it
            for frame, _ in traceback.walk_tb(error.__traceback__):
                print(texts(frame.f_locals))
            error = error.__cause__ or error.__context__
def texts(value): # Frappe keeps a variable that is a text as it is
    return [texts(v) for v in value.values()] if isinstance(value, dict) else str.__str__(value) if isinstance(value, str) else value
http.client.HTTPConnection.debuglevel = 1 # as of others in the same program
client = Client("billing")
show(client.call, url="http://127.0.0.1:1/", body="{}")
show(client.call, url="https://api..example.invalid/", body="{}")
show(client.call, url="https://127.0.0.1:12a/", body="{}")
show(client.call, url="http://127.0.0.1:1/", body="{}", field="access_token")
show(client.call, url="http://127.0.0.1:1/", body="{}", headers={"Productid": "arap"})
show(Client("kv/token/other").token)
show(Client("bilings").call, url="http://127.0.0.1:1/")
print([client.token()["access_token"][:9]]) # as rich cuts off long texts
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
os.environ.update(http_proxy="http:/joe:the-token@127.0.0.1:1", VAULT_ADDR="http://vault.invalid")
show(Client("billing").token)
os.environ["http_proxy"] = "http://127.0.0.1:1"
show(Client("billing").token)
os.environ["VAULT_TOKEN"] = "the-token €"
show(Client("billing").token)`
	command := exec.CommandContext(t.Context(), "python3", "-B", "-c", code)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=the-token"}
	out, err := command.CombinedOutput()
	n := strings.Count(string(out), "ClientError: ") + strings.Count(string(out), "\nTimeIsOver\n")
	if err != nil || n != 11 || strings.Contains(string(out), "the-token") {
		t.Errorf("%v after %d errors, want 11 and no token:\n%s", err, n, out)
	}
	inDoubt := regexp.MustCompile(`ClientError: calling https:.*(api\.\.example|:12a).*may have been issued`)
	check.True(t, !inDoubt.Match(out), "nothing was sent to what is no host, but it says:\n%s", inDoubt.Find(out))
	check.True(t, strings.Contains(string(out), "through the proxy of http_proxy failed: "), "the proxy is not named:\n%s", out)
}

// TestClients_TrustNoMoreThanTheyDecide runs clients in programs that have turned verification off for all that uses the defaults
// of the runtime.
func TestClients_TrustNoMoreThanTheyDecide(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	var asked atomic.Int64
	vault := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"lease_duration": 0, "data": {"authorization": "JWT the-token", "access_token": "the-token",
			"token_id": "0123456789abcdef", "ttl": 60, "expires_in": 60}}`) // a client that has gone shows in its own output
	}))
	defer vault.Close()
	other := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	other.Config.ErrorLog = log.New(io.Discard, "", 0)
	other.StartTLS()
	defer other.Close()
	dir := t.TempDir()
	clients := check.Value(filepath.Abs("../examples/clients"))(t)
	for name, text := range map[string]string{
		"recipe.cjs": `require("https").globalAgent.options.rejectUnauthorized = false;`,
		"recipe.go": `package main
import ("crypto/tls"; "net/http")
func init() { http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true} }`,
		"overlay.json": fmt.Sprintf(`{"Replace": {%q: %q}}`, clients+"/go/recipe.go", dir+"/recipe.go"),
	} {
		check.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for program, args := range map[string][]string{
		"node": {"-r", dir + "/recipe.cjs", clients + "/node/mastersindia-client.mjs"},
		"go":   {"run", "-overlay", dir + "/overlay.json", "../examples/clients/go"},
	} {
		if !runtimeOf(t, program, program) {
			continue
		}
		for _, address := range []string{vault.URL, other.URL} {
			command := exec.CommandContext(t.Context(), program, append(slices.Clone(args), "-d", "{}", "billing", other.URL+"/api")...)
			command.Env = append(os.Environ(), "VAULT_ADDR="+address, "VAULT_TOKEN=hvs.of-the-test", "VAULT_NAMESPACE=")
			out, err := command.CombinedOutput()
			check.True(t, err != nil && strings.Contains(string(out), "certificate") && asked.Load() == 0,
				"%s: %v after %d requests with a token to anyone:\n%s", program, err, asked.Load(), out)
		}
	}
}
