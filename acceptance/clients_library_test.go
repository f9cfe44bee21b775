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
	"slices"
	"strings"
	"sync"
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
		"node": {[]string{"--input-type=module", "-e", `import { Client } from "../examples/clients/node/mastersindia-client.mjs";
const api = process.env.VAULT_ADDR + "/api", client = new Client("billing"), headers = {}, calls = [];
for (const gstin of ["A", "B"]) {
  headers.Gstin = gstin;
  calls.push(client.call(api, { method: "POST", body: "{}", headers }));
}
await Promise.all(calls);
try { (await client.token()).metadata.Gstin = "changed"; } catch { /* it is frozen */ }
await client.call(api, { method: "DELETE", body: "{}" });
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
$token['metadata']['Gstin'] = 'changed';
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
