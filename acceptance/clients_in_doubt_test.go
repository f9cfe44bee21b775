// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestClients_ErrorKnowsWhetherInDoubt: a program repeats what was not sent, and nothing else. The flag of the error says what its
// message does.
func TestClients_ErrorKnowsWhetherInDoubt(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	clients := check.Value(filepath.Abs("../examples/clients"))(t)
	for name, try := range map[string]struct {
		program, file, text, run string
	}{
		"php": {"php", "own.php", `<?php require getenv('CLIENTS') . '/php/mastersindia_client.php';
foreach (array_slice($argv, 1) as $call) {
  [$role, $url] = explode(',', $call);
  try { (new MastersIndiaClient($role))->call($url, 'POST', '{}'); }
  catch (MastersIndiaError $e) { echo (new MastersIndiaError($e->getMessage()))->inDoubt === $e->inDoubt ? '' : 'lost ', $e->inDoubt ? 'doubt ' : 'fine ', str_contains($e->getMessage(), 'may have been') ? "doubt\n" : "fine\n"; }
}`, `php "$DIR/own.php" "$@"`},
		"python": {"python3", "own.py", `import os, sys
sys.path.insert(0, os.environ["CLIENTS"] + "/python")
from mastersindia_client import Client, ClientError
for call in sys.argv[1:]:
    role, url = call.split(",")
    try:
        Client(role).call(url, "POST", "{}")
    except ClientError as error:
        assert ClientError(str(error)).in_doubt == error.in_doubt  # as a worker's is made anew
        print({True: "doubt", False: "fine"}[error.in_doubt], "doubt" if "may have been" in str(error) else "fine")`, `python3 -B "$DIR/own.py" "$@"`},
		"node": {"node", "own.mjs", `const { Client, ClientError } = await import(process.env.CLIENTS + "/node/mastersindia-client.mjs");
for (const call of process.argv.slice(2)) {
  const [role, url] = call.split(",");
  await new Client(role).call(url, { method: "POST", body: "{}" }).catch((error) =>
    console.log(new ClientError(error.message).inDoubt !== error.inDoubt ? "lost" : error.inDoubt ? "doubt" : "fine", error.message.includes("may have been") ? "doubt" : "fine"));
}`, `node "$DIR/own.mjs" "$@"`},
		"go": {"go", "own.go", `package main
import ("context"; "errors"; "fmt"; "os"; "strings")
func main() {
	for _, text := range os.Args[1:] {
		role, url, _ := strings.Cut(text, ",")
		c, _ := newClient(role)
		_, err := c.call(context.Background(), call{url: url, body: []byte("{}")})
		names := map[bool]string{true: "doubt", false: "fine"}
		fmt.Println(names[errors.As(err, new(InDoubtError))], names[strings.Contains(err.Error(), "may have been")])
	}
}`, `cd "$CLIENTS/go" && echo '{"Replace": {"'$PWD'/own.go": "'$DIR'/own.go"}}' >"$DIR/overlay" && go run -overlay "$DIR/overlay" own.go client.go token.go "$@"`},
		"java": {"javac", "Own.java", `public class Own { public static void main(String[] a) throws Exception { for (String call : a) {
try { new MastersIndiaClient(call.split(",")[0]).call(call.split(",")[1], "POST", "{}", java.util.Map.of(), ""); }
catch (MastersIndiaClient.ClientException e) { System.out.println((e.inDoubt() ? "doubt " : "fine ")
  + (e.getMessage().contains("may have been") ? "doubt" : "fine")); } } } }`,
			`javac -d "$DIR" "$DIR/Own.java" "$CLIENTS/java/MastersIndiaClient.java" && java -cp "$DIR" Own "$@"`},
		"csharp": {"mcs", "Own.cs", `using System;
public static class Own { public static void Main(string[] a) { foreach (var call in a) {
try { new MastersIndiaClient(call.Split(',')[0]).CallAsync(call.Split(',')[1], "POST", "{}").GetAwaiter().GetResult(); }
catch (MastersIndiaException e) { Console.WriteLine((new MastersIndiaException(e.Message).InDoubt != e.InDoubt ? "lost " : e.InDoubt ? "doubt " : "fine ") + (e.Message.Contains("may have been") ? "doubt" : "fine")); } } } }`,
			`mcs -main:Own -out:"$DIR/Own.exe" -r:System.Net.Http -r:System.Xml -r:System.Xml.Linq -r:System.Runtime.Serialization \
"$DIR/Own.cs" "$CLIENTS/csharp/MastersIndiaClient.cs" && mono "$DIR/Own.exe" "$@"`},
	} {
		if !runtimeOf(t, name, try.program) {
			continue
		}
		dir := t.TempDir()
		check.NoError(t, os.WriteFile(filepath.Join(dir, try.file), []byte(try.text), 0o600))
		for _, part := range []struct {
			gives vaultGives
			calls []string // role and URL, or path
			want  string
		}{
			{vaultGives{}, []string{",http://127.0.0.1:1/", "gst/token/same,/refuse", ",/control"}, "fine"},
			{vaultGives{}, []string{",/gateway", ",/html", ",/switching", ",/see-other", "gst/token/same,/worded", ",/worded"}, "doubt"},
			{vaultGives{second: http.StatusForbidden}, []string{",/worded"}, "doubt"},
		} {
			s := newVaultAndAPI(t, part.gives)
			program := []string{"env", "DIR=" + dir, "CLIENTS=" + clients, "bash", "-c", try.run, "bash"}
			for _, call := range part.calls {
				role, url, _ := strings.Cut(call, ",")
				if strings.HasPrefix(url, "/") {
					url = s.URL + url
				}
				program = append(program, cmp.Or(role, "billing")+","+url)
			}
			out, _ := s.run(t, program...)
			check.Equal(t, out, strings.Repeat(part.want+" "+part.want+"\n", len(part.calls)), "%s of %q", name, part.calls)
		}
	}
}

// TestPython_UnmadeConnectionIsNotInDoubt: nothing was sent, whatever the reason. Of what comes behind it, that is not known.
func TestPython_UnmadeConnectionIsNotInDoubt(t *testing.T) {
	t.Parallel()
	skipWithout(t, "python3")
	out, _ := newVaultAndAPI(t, vaultGives{}).run(t, "python3", "-B", "-c", `import errno, os, socket, struct, sys, threading
sys.path.insert(0, "../examples/clients/python")
import mastersindia_client as program
program.CONNECT_TIMEOUT = 1
client, api = program.Client("billing"), os.environ["VAULT_ADDR"]
client.token()
def try_to(what, url):
    try:
        client.call(url, "POST", "{}")
    except (program.ClientError, program.Interrupted) as error:
        print(what, "%s=%s" % ("doubt" if error.in_doubt else "fine", "doubt" if "may have been" in str(error) else "fine"))
def listening(backlog):
    listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    return listener, "%s:%d" % listener.getsockname()
def reset(listener):
    connection = listener.accept()[0]
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
for scheme in ("https", "http"):
    listener, address = listening(1)
    threading.Thread(target=reset, args=(listener,)).start()
    try_to("reset of " + scheme, scheme + "://" + address + "/")
full, address = listening(0)
waiting = []
for _ in range(3):
    waiting.append(socket.socket())
    waiting[-1].setblocking(False)
    waiting[-1].connect_ex(full.getsockname())
try_to("timeout", "https://" + address + "/")
own = socket.create_connection
for problem in (OSError(errno.EHOSTUNREACH, "No route to host"), KeyboardInterrupt()):
    def fails(*_, **__):
        raise problem
    socket.create_connection = fails
    try_to(type(problem).__name__, api + "/accepted")
socket.create_connection = own
try_to("response", api + "/gateway")`)
	check.Equal(t, out, "reset of https fine=fine\nreset of http doubt=doubt\ntimeout fine=fine\nOSError fine=fine\n"+
		"KeyboardInterrupt fine=fine\nresponse doubt=doubt\n", "it says")
}
