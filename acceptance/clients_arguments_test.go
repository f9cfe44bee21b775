// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"cmp"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestClients_RefusedInputsSendNothing gives each client arguments that it must refuse before it asks Vault or calls the API.
func TestClients_RefusedInputsSendNothing(t *testing.T) { //nolint:tparallel // the cases of a client share its counters
	t.Parallel()
	const secret = "s3cret-of-the-caller"
	const key = "-----BEGIN PRIVATE KEY-----\n" + secret
	refusedBefore := map[string]string{"csharp": "Cannot determine the text encoding"}                                      // by mono itself
	place := map[string]string{"shell": " at line 1", "python": " at line 1", "node": " at position 1", "go": " at byte 2"} // as their parsers say
	w := newTestVault(t)
	w.policy(t, "examples", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	for name, content := range map[string]string{
		"latin1.json": "{\"name\": \"Z\xfcrich\"}", "empty.json": "", "bom.json": "\ufeff" + invoice, "rare.json": rareJSON(),
		"zero.json": invoice + "\x00", "broken.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		"openbao": "s.Invented0Token0Of0OpenBao\n",
		"utf16":   "\xff\xfeh\x00v\x00s\x00.\x00x\x00", // as PowerShell writes a file
	} {
		check.NoError(t, os.WriteFile(w.file(name), []byte(content), 0o600))
	}
	for name, command := range exampleCommands(t) {
		c := w.exampleClient(t, name, command)
		good := c.api.url + "/accepted"
		ofProxy := func(said string) string {
			if name == "node" || name == "java" { // which use none
				return "vault.invalid"
			}
			return said
		}
		ofVaultsProxy := "vault.invalid"
		if name == "go" { // the others do not heed it
			ofVaultsProxy = "VAULT_PROXY_ADDR is not a URL that can be used; percent-encode"
		}
		for _, try := range []struct {
			name string
			said string
			args []string
			env  []string
		}{
			{"two lines in a URL", "URL:", []string{"-d", invoice, name, good + "\n" + good}, nil},
			{"a blank in the second URL", "URL:", []string{"-d", invoice, name, good, good + "?token=" + secret + " x"}, nil},
			{"a URL without scheme", "URL:", []string{"-d", invoice, name, good, strings.TrimPrefix(good, "http://") + "?token=" + secret}, nil},
			{"a URL in clear text", "clear text", []string{"-d", invoice, name, good, "http://api.invalid/?token=" + secret}, nil},
			{"a host whose name begins as a local one", "clear text", []string{"-d", invoice, name, "http://127.0.0.1.api.invalid/"}, nil},
			{"another host in clear text", "clear text", []string{"-d", invoice, name, "http://localhost.invalid:80"}, nil},
			{"a body as the method", "method: must be a word in capitals such as POST", []string{"-X", invoice, name, good}, nil},
			{"a method in lower case", "method: must be a word in capitals such as POST", []string{"-X", "post", "-d", invoice, name, good}, nil},
			{"a URL with a password", "URL:", []string{"-d", invoice, name, "https://me:" + secret + "@127.0.0.1/"}, nil},
			{"an option behind the URL", "", []string{"-d", invoice, name, good, "-H"}, nil},
			{"an unknown option behind the URL", "", []string{"-d", invoice, name, good, "--insecure"}, nil},
			{"-data", "", []string{"-data", invoice, name, good}, nil},
			{"--data=", "", []string{"--data=" + invoice, name, good}, nil},
			{"an invoice as the role", "role:", []string{invoice, good}, nil},
			{"role and URL interchanged", "role:", []string{"-d", invoice, good, name}, nil},
			{"a hyphen of a document", "hyphen of the keyboard", []string{"–d", invoice, name, good}, nil},
			{"a dash behind the URL", "hyphen of the keyboard", []string{"-d", invoice, name, good, "—X", "GET"}, nil},
			{"a role above its path", "role:", []string{"-d", invoice, "../gst", good}, nil},
			{"a role with two dots", "role:", []string{"-d", invoice, "gst/token/..", good}, nil},
			{"a role with a slash too many", "role:", []string{"-d", invoice, "mastersindia//token/" + name, good}, nil},
			{"a URL as the role", "role:", []string{"https://vault/v1/mastersindia/token/x", good}, nil},
			{"a Vault token as the role", "role:", []string{"-d", invoice, "hvs." + secret, good}, nil},
			{"a token of OpenBao as the role", "role:", []string{"-d", invoice, "s." + secret, good}, nil},
			{"a token of the vendor in the role", "role:", []string{"-d", invoice, "mastersindia/token/eyJ" + secret, good}, nil},
			{"a Vault token as the field", "field:", []string{"-d", invoice, "-f", "hvs." + secret, name, good}, nil},
			{"a token of the vendor as the field", "field:", []string{"-d", invoice, "-f", "eyJ" + secret, name, good}, nil},
			{"a token of the older API as the field", "field:", []string{"-d", invoice, "-f", strings.ReplaceAll(secret, "-", "") + "0123456789", name, good}, nil},
			{"two lines as the field", "field:", []string{"-d", invoice, "-f", "access_token\n" + secret, name, good}, nil},
			{"a token as the file of the body", "name of a file", []string{"-d", "@eyJ" + secret, name, good}, nil},
			{"a header without a colon", "header:", []string{"-d", invoice, "-H", "X-Key " + secret, name, good}, nil},
			{"a header without a name", "header:", []string{"-d", invoice, "-H", ": " + secret, name, good}, nil},
			{"a header file", "header:", []string{"-d", invoice, "-H", "@headers", name, good}, nil},
			{"a header of two lines", "header:", []string{"-d", invoice, "-H", "X-Key: a\nX-Other: " + secret, name, good}, nil},
			{"the header of the token", "header:", []string{"-d", invoice, "-H", "authorization: JWT " + secret, name, good}, nil},
			{"the header of the client_id", "header:", []string{"-d", invoice, "-H", "Client_Id: " + secret, name, good}, nil},
			{"a header of the connection", "header:", []string{"-d", invoice, "-H", "content-length: 3", name, good}, nil},
			{"a header of the encoding", "header:", []string{"-d", invoice, "-H", "Accept-Encoding: gzip", name, good}, nil},
			{"the header of the Vault token", "header:", []string{"-d", invoice, "-H", "x-vault-token: hvs." + secret, name, good}, nil},
			{"a Vault token in a header", "for Vault alone", []string{"-d", invoice, "-H", "X-Key: hvs." + secret, name, good}, nil},
			{"a Vault token in the URL", "for Vault alone", []string{"-d", invoice, name, good + "?key=hvb." + secret}, nil},
			{"a Vault token in the body", "for Vault alone", []string{"-d", `{"key": "hvs.` + secret + `"}`, name, good}, nil},
			{
				"its own token of OpenBao in a header", "for Vault alone", []string{"-d", invoice, "-H", "X-Key: s.Invented0Token0Of0OpenBao", name, good},
				[]string{"VAULT_TOKEN=s.Invented0Token0Of0OpenBao"},
			},
			{
				"a token of OpenBao from its file in a header", "for Vault alone", []string{"-d", invoice, "-H", "X-Key: s.Invented0Token0Of0OpenBao", name, good},
				[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + w.file("openbao")},
			},
			{"a letter beyond ASCII in the URL", "percent-encode", []string{"-d", invoice, name, good + "?name=é"}, nil},
			{"a percent sign of its own in the URL", "percent-encode", []string{"-d", invoice, name, good + "?key=" + secret + "&of=100%"}, nil},
			{"a body encoded twice", "is it encoded twice?", []string{"-d", strconv.Quote(`{"user_gstin": "29ABCDE1234F2Z5"}`), name, good}, nil},
			{"a body of nothing", "is it encoded twice?", []string{"-d", " null", name, good}, nil},
			{"a value that is no number", "body: is not JSON", []string{"-d", `{"value": NaN}`, name, good}, nil},
			{"an infinite value", "body: is not JSON", []string{"-d", `{"of": "\"", "value": [-Infinity]}`, name, good}, nil},
			{"a file without its @", "body: is not JSON", []string{"-d", "invoice.json", name, good}, nil},
			{"a file with a byte order mark", "byte order mark", []string{"-d", "@" + w.file("bom.json"), name, good}, nil},
			{"a comma too many", "body: is not JSON", []string{"-d", `{"value": [1, 2,], "of": "` + secret + `"}`, name, good}, nil},
			{"a name without quotes", "body: is not JSON" + place[name], []string{"-d", `{value: 1}`, name, good}, nil},
			{"two invoices", "body: is not JSON", []string{"-d", invoice + invoice, name, good}, nil},
			{"a type that others send too", "body: is not JSON", []string{"-d", "invoice.json", "-H", "content-type: application/JSON", name, good}, nil},
			{"a header glued to its option", "usage: ", []string{"-HX-Of: " + secret, "-d", invoice, name, good}, nil},
			{"a zero byte", "body: is not", []string{"-d", "@" + w.file("zero.json"), name, good}, nil},
			{"a URL twice", "URL: is given twice", []string{"-d", invoice, name, good, good + "?2", good}, nil},
			{"two bodies", "-d: is given twice", []string{"-d", invoice, "-d", invoice, name, good}, nil},
			{"a header twice", "-H: a header is given twice", []string{"-d", invoice, "-H", "gstin: a", "-H", "Gstin: b", name, good}, nil},
			{"a directory as the file of the Vault token", "VAULT_TOKEN_FILE", []string{"-d", invoice, name, good}, []string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=/tmp"}},
			{"two methods", "-X: is given twice", []string{"-X", "POST", "-X", "PUT", "-d", invoice, name, good}, nil},
			{"a file without a name", "", []string{"-d", "@", name, good}, nil},
			{"an invoice again and again", "", []string{"-every=1s", "-d", invoice, name, good}, nil},
			{"a time below zero", "", []string{"-every=-1s", name, good}, nil},
			{"an empty body", "body:", []string{"-d", "", name, good}, nil},
			{"an empty file", "body:", []string{"-d", "@" + w.file("empty.json"), name, good}, nil},
			{"a file that is not there", "none.json", []string{"-d", "@none.json", name, good}, nil},
			{"a file whose name the locale has not", "", []string{"-d", "@bill-ü.json", name, good}, []string{"LC_ALL=C"}},
			{
				"a file of the Vault token whose name the locale has not", "VAULT_TOKEN_FILE", []string{"-d", "{}", name, good},
				[]string{"LC_ALL=C", "VAULT_TOKEN=", "VAULT_TOKEN_FILE=/none/töken"},
			},
			{"a directory", "", []string{"-d", "@/tmp", name, good}, nil},
			{"a body that is not UTF-8", "body:", []string{"-d", "@" + w.file("latin1.json"), name, good}, nil},
			{"an argument that is not UTF-8", cmp.Or(refusedBefore[name], "body:"), []string{"-d", "{\"name\": \"Z\xfcrich\"}", name, good}, nil},
			{
				"an address without scheme", "VAULT_ADDR:", []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=" + strings.TrimPrefix(c.Addr, "http://")},
			},
			{"an address of two lines", "VAULT_ADDR:", []string{"-d", invoice, name, good}, []string{"VAULT_ADDR=" + c.Addr + "\n" + c.Addr}},
			{"an address whose host is none", "", []string{"-d", invoice, name, good}, []string{"VAULT_ADDR=https://[zz]"}},
			{"an address with a port that is none", "", []string{"-d", invoice, name, good}, []string{"VAULT_ADDR=http://127.0.0.1:99999"}},
			{
				"a Vault token in UTF-16", map[bool]string{true: "403", false: "byte order mark"}[name == "csharp"], // .NET reads that
				[]string{"-d", invoice, name, good},
				[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + w.file("utf16")},
			},
			{
				"a Vault token as its file", "must be the name of a file", []string{"-d", invoice, name, good},
				[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=hvs." + secret},
			},
			{
				"a Vault token in quotes as its file", "VAULT_TOKEN_FILE", []string{"-d", invoice, name, good},
				[]string{"VAULT_TOKEN=", `VAULT_TOKEN_FILE="hvs.` + secret + `"`},
			},
			{
				"a key as the file of the Vault token", "VAULT_TOKEN_FILE: must be the name of a file", []string{"-d", invoice, name, good},
				[]string{"VAULT_TOKEN=", "VAULT_TOKEN_FILE=" + key},
			},
			{"a key as the CA of Vault", "VAULT_CACERT: must be the name of a file", []string{"-d", invoice, name, good}, []string{"VAULT_CACERT=" + key}},
			{
				"a broken file as the CA of Vault", w.file("broken.pem"), []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=" + c.upstream.url, "VAULT_CACERT=" + w.file("broken.pem")},
			},
			{"a Vault token in quotes", "no Vault token has", []string{"-d", invoice, name, good}, []string{`VAULT_TOKEN="` + c.token + `"`}},
			{
				"a proxy whose password is not encoded", ofProxy("https_proxy is not a URL that can be used; percent-encode"), []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=https://vault.invalid", "https_proxy=http://erp:" + secret + "#1@127.0.0.1:1"},
			},
			{
				"a proxy whose password has an @", ofProxy("https_proxy is not a URL that can be used; percent-encode"), []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=https://vault.invalid", "https_proxy=http://erp:Pr0xy@" + secret + "#1@127.0.0.1:1"},
			},
			{
				"a proxy whose password has a slash", ofProxy("http_proxy is not a URL that can be used; percent-encode"), []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=http://vault.invalid", "http_proxy=http://erp:" + secret + "/1@127.0.0.1:1"},
			},
			{
				"a proxy whose password has a percent sign", ofProxy("https_proxy is not a URL that can be used; percent-encode"),
				[]string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=https://vault.invalid", "https_proxy=http://erp:" + secret + "%Part@127.0.0.1:1"},
			},
			{
				"a proxy for Vault alone", ofVaultsProxy, []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=https://vault.invalid", "VAULT_PROXY_ADDR=http://erp:" + secret + "%Part@127.0.0.1:1"},
			},
			{
				"a proxy that is not there", ofProxy("the proxy of https_proxy"), []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=https://vault.invalid", "https_proxy=http://erp:x@" + secret + ".invalid:1"},
			},
			{
				"a proxy that does not listen", ofProxy("the proxy of http_proxy"), []string{"-d", invoice, name, good},
				[]string{"VAULT_ADDR=http://vault.invalid", "http_proxy=http://erp:" + secret + "@127.0.0.1:1"},
			},
			{"an address with a password", "VAULT_ADDR:", []string{"-d", invoice, name, good}, []string{"VAULT_ADDR=http://me:" + secret + "@127.0.0.1:1"}},
		} {
			if name == "csharp" && strings.HasSuffix(try.name, "the CA of Vault") {
				continue // it trusts what the machine does
			}
			t.Run(name+"/"+try.name, func(t *testing.T) {
				seen := c.call(t, exampleCall{arguments: try.args, env: try.env})
				if seen.code == 0 || seen.calls != 0 || seen.reads != 0 || seen.logins != 0 {
					t.Errorf("exit code %d after %d calls of the API, %d reads of Vault and %d logins; want an error after none",
						seen.code, seen.calls, seen.reads, seen.logins)
				}
				output := seen.stderr + seen.stdout
				check.True(t, strings.Contains(output, try.said) && output != "", "its error does not say %q:\n%s", try.said, output)
				for _, shown := range []string{secret, strings.ReplaceAll(secret, "-", ""), "29ABCDE1234F2Z5", "Traceback", "Exception in thread", "Unhandled Exception", "Uncaught"} {
					check.True(t, !strings.Contains(seen.stdout+seen.stderr, shown), "it has shown %q:\n%s%s", shown, seen.stdout, seen.stderr)
				}
			})
		}
		t.Run(name+"/standard output closed", func(t *testing.T) {
			if slices.Contains([]string{"csharp", "go", "node"}, name) {
				t.Skip("its runtime opens /dev/null in place of it, as many programs do who want to see nothing")
			}
			closed := exampleCall{role: name, paths: []string{"/accepted"}, command: "CLIENT >&-"}
			c.call(t, closed).want(t, wanted{code: 1, said: []string{"standard output is closed"}})
		})
		t.Run(name+"/a secret in the query", func(t *testing.T) {
			seen := c.call(t, exampleCall{role: name, paths: []string{"/forbidden?token=" + secret, "/accepted"}})
			check.True(t, seen.code != 0 && seen.calls == 1 && !strings.Contains(seen.stdout+seen.stderr, secret),
				"exit code %d after %d calls:\n%s%s", seen.code, seen.calls, seen.stdout, seen.stderr)
		})
		t.Run(name+"/lenient", func(t *testing.T) {
			seen := c.call(t, exampleCall{
				arguments: []string{"-d", "<xml/>", "-H", "content-type: text/xml", " /v1/mastersindia/token/" + name, good},
				env:       []string{"VAULT_ADDR=" + c.Addr + "/v1/"},
			})
			got := c.api.lastHeader().Values("Content-Type")
			check.True(t, seen.calls != 0 && seen.reads != 0 && len(got) == 1 && got[0] == "text/xml",
				"%d calls, %d reads, Content-Type %q:\n%s", seen.calls, seen.reads, got, seen.stderr)
			ofBrowser := []string{"VAULT_ADDR=" + c.Addr + "/ui/vault/secrets", "VAULT_WRAP_TTL=60s"} // which the vault command heeds
			c.call(t, exampleCall{role: name, paths: []string{"/accepted"}, env: ofBrowser}).want(t, wanted{calls: 1, reads: 1, responses: 1})
			if seen = c.call(t, exampleCall{arguments: []string{"-d", "@" + w.file("rare.json"), name, good}}); seen.calls != 1 {
				t.Errorf("it does not send JSON of all kinds:\n%s", seen.stderr)
			}
			piped := exampleCall{arguments: []string{"-d", "@-", name, good}, stdin: invoiceInFile()}
			c.call(t, piped).want(t, wanted{calls: 1, reads: 1, responses: 1})
			for _, same := range []string{"@/dev/stdin", "@/dev/fd/0"} {
				piped.arguments[1] = same
				c.call(t, piped).want(t, wanted{calls: 1, reads: 1, responses: 1})
			}
			ofNothing := exampleCall{arguments: []string{"-H", "Content-Type: application/json", name, c.api.url + "/accepted"}}
			if seen = c.call(t, ofNothing); seen.calls != 1 {
				t.Errorf("it does not send a GET with a Content-Type:\n%s", seen.stderr)
			}
			piped.stdin = "{\"name\": \"Z\xfcrich\"}"
			c.call(t, piped).want(t, wanted{code: 1, said: []string{"body: is not UTF-8"}})
		})
		t.Run(name+"/metadata", c.refusesMetadata)
		t.Run(name+"/a field twice", func(t *testing.T) {
			placeholder := `{"user_gstin": "29ABCDE1234F2Z5", "access_token" : ""}` // the simulator would take the second one
			seen := c.call(t, exampleCall{arguments: []string{"-d", placeholder, "-f", "access_token", name + "-oauth", c.api.url + "/generateEinvoice"}})
			seen.want(t, wanted{code: 1, reads: 1, said: []string{"has a field access_token already"}})
		})
		t.Run(name+"/in doubt", c.saysWhenACallIsInDoubt)
		t.Run(name+"/a proxy that ends", c.findsThatItsProxyEnds)
		t.Run(name+"/interrupted before", func(t *testing.T) {
			if name == "csharp" {
				t.Skip("Mono reports Ctrl-C to a program in a terminal only, and no SIGTERM")
			}
			for _, by := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
				c.call(t, exampleCall{arguments: []string{"-d", "@-", name, good}, waiting: true, signal: by}).want(t, wanted{code: -1})
			}
		})
	}
}

// refusesMetadata has a role whose metadata no client can send as headers beside its own: nothing is sent, and nothing in doubt.
func (c *exampleClient) refusesMetadata(t *testing.T) {
	for _, pair := range []string{"authorization=abc", "Content-Length=3", "name=कमल"} {
		c.writeRole(t, c.name+"-metadata", c.name, "metadata="+pair)
		name, _, _ := strings.Cut(pair, "=")
		seen := c.run(t, c.name+"-metadata", "/accepted")
		seen.want(t, wanted{code: 1, reads: 1, said: []string{"metadata: " + name + " of the role", "an operator must change the role"}})
		check.True(t, !strings.Contains(seen.stderr, "may have been issued"), "nothing was sent, but it says:\n%s", seen.stderr)
	}
}

// rareJSON has all that JSON may have, and more escapes than a stack is deep.
func rareJSON() string {
	const all = `[{"": [], "b": { }, "c": [-1.5e+30, 0, 12E-2], "d": [true, false, null], "e": "{\" \\", "f": [[[[{"g": [1, [2]]}]]]], "h": "`
	return "\r\n" + all + strings.Repeat(`\u0939\n`, 20_000) + "\"}]\t\n"
}

// repeatsNothing has a POST without a body fail on a connection that was used before, which invites a runtime to send it again, and
// offers HTTP/2, where Go would.
func (c *exampleClient) repeatsNothing(t *testing.T) {
	options := []string{"-X", "POST", "-H", "Idempotency-Key: 1"}
	seen := c.call(t, exampleCall{role: c.name, paths: []string{"/charset", "/dropped"}, options: options})
	seen.want(t, wanted{code: 1, calls: 2, reads: 1, responses: 1, said: []string{"may have been issued"}})
	if c.name == "shell" { // curl may be a wrapper, whose own options come first
		dir := t.TempDir()
		check.NoError(t, os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("retry = 2\nretry-delay = 1\nretry-all-errors\n"), 0o600))
		wrapper := "#!/bin/sh\nPATH=${PATH#*:} exec curl --retry-all-errors \"$@\"\n"
		check.NoError(t, os.WriteFile(filepath.Join(dir, "curl"), []byte(wrapper), 0o700))
		env := []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CURL_HOME=" + dir}
		seen = c.call(t, exampleCall{role: c.name, paths: []string{"/dropped"}, options: options, env: env})
		seen.want(t, wanted{code: 1, calls: 1, reads: 1, said: []string{"may have been issued"}})
	}
	if c.name != "go" { // Java speaks HTTP/2, but with its own store of CAs
		return
	}
	var protocol atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		_, _ = io.WriteString(rw, "{}") // the client says whether it arrived
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ca := c.file("other.pem")
	check.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	seen = c.call(t, exampleCall{arguments: []string{"-X", "DELETE", c.name, server.URL}, env: []string{"SSL_CERT_FILE=" + ca}})
	seen.want(t, wanted{reads: 1})
	check.Equal(t, protocol.Load(), "HTTP/1.1", "the protocol, since net/http repeats requests of HTTP/2")
}

// findsThatItsProxyEnds has a proxy that accepts CONNECT and then ends: the call was not sent, and curl and Python know it.
func (c *exampleClient) findsThatItsProxyEnds(t *testing.T) {
	if c.name == "node" || c.name == "java" {
		t.Skip("it uses no proxy")
	}
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil || r.Method != http.MethodConnect {
			return
		}
		asked.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n") // the client says whether it arrived
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}))
	t.Cleanup(proxy.Close)
	through := []string{"https_proxy= " + strings.Replace(proxy.URL, "//", "//erp:p%40ss@", 1) + "\r"}
	seen := c.call(t, exampleCall{arguments: []string{"-d", invoice, c.name, "https://api.invalid/"}, env: through})
	seen.want(t, wanted{code: 1, reads: 1, said: []string{"https://api.invalid/", "the proxy of https_proxy"}})
	othersMay := c.name == "go" || c.name == "csharp"
	check.True(t, asked.Load() == 1 && (othersMay || !strings.Contains(seen.stderr, "may have been issued")),
		"%d requests of the proxy; it says:\n%s", asked.Load(), seen.stderr)
}

// saysWhenACallIsInDoubt has calls that may have issued something although they failed, and calls that cannot have.
func (c *exampleClient) saysWhenACallIsInDoubt(t *testing.T) {
	post, get := []string{"-d", invoice}, []string{"-X", "GET"}
	ofOthers := append([]string{"-H", "Content-Type: application/json; charset=utf-8"}, post...)
	for _, try := range []struct {
		url     string
		calls   int
		doubt   bool
		options []string
		signal  syscall.Signal
	}{
		{c.api.url + "/dropped", 1, true, post, 0},
		{c.api.url + "/cut", 1, true, post, 0},
		{c.api.url + "/gateway", 1, true, post, 0},
		{c.api.url + "/timeout", 1, true, post, 0},
		{c.api.url + "/empty", 1, true, post, 0},
		{c.api.url + "/garbled", 1, true, post, 0},
		{c.api.url + "/garbled", 1, true, ofOthers, 0},
		{c.api.url + "/echo", 1, true, post, 0},
		{c.api.url + "/hanging", 1, true, post, syscall.SIGINT},
		{c.api.url + "/hanging", 1, true, post, syscall.SIGTERM},
		{c.api.url + "/hanging", 1, false, get, syscall.SIGINT},
		{c.api.url + "/gateway", 1, false, get, 0},
		{c.api.url + "/length", 1, true, post, 0},
		{c.api.url + "/forbidden", 1, false, post, 0},
		{"http://127.0.0.1:1", 0, false, post, 0},
		{"https://" + strings.Repeat("a", 64) + ".invalid/", 0, false, post, 0},
		{strings.Replace(c.api.url, "http:", "https:", 1), 0, false, post, 0},
		{c.upstream.url, 0, false, post, 0}, // whose certificate is not trusted
	} {
		hanging := try.signal != 0
		if hanging && c.name == "csharp" {
			continue // Mono reports Ctrl-C to a program in a terminal only, and no SIGTERM
		}
		seen := c.call(t, exampleCall{arguments: append(slices.Clone(try.options), c.name, try.url), signal: try.signal})
		want := wanted{code: 1, calls: try.calls, reads: 1, said: []string{try.url}}
		if hanging {
			want.said = append(want.said, "interrupted")
			want.code = -1 // by the signal, without which a shell goes on with a loop
		}
		seen.want(t, want)
		if c.name == "java" && strings.HasPrefix(try.url, "https:") && strings.Contains(seen.stderr, "received no bytes") {
			continue // Java does not tell that from a call that was sent, where the server has gone before the failed handshake is seen
		}
		check.True(t, strings.Contains(seen.stderr, "may have been issued") == try.doubt,
			"%s %s: doubt wanted: %t; it says:\n%s", try.options[0], try.url, try.doubt, seen.stderr)
	}
	c.repeatsNothing(t)
	loop := c.call(t, exampleCall{
		role: c.name, paths: []string{"/hanging"}, command: "for invoice in 1 2; do CLIENT; done", terminal: true,
	})
	check.True(t, loop.calls == 1 && strings.Contains(loop.stdout, "interrupted. It may have been issued"),
		"%d invoices of a shell's loop were posted in spite of Ctrl-C at the first; it says:\n%s", loop.calls, loop.stdout)
	written := c.call(t, exampleCall{role: c.name, paths: []string{"/large"}, command: "for invoice in 1 2; do CLIENT; done | (trap '' INT; sleep 5; tail -c 9)", terminal: true})
	check.True(t, written.calls == 1, "%d invoices of a shell's loop were posted in spite of Ctrl-C while the first response was being written; it says:\n%s",
		written.calls, written.stdout)
	late := exampleCall{role: c.name, paths: []string{"/late"}, signal: syscall.SIGHUP} // where the terminal is lost
	if c.name != "csharp" && c.name != "java" {
		c.call(t, late).want(t, wanted{calls: 1, reads: 1, responses: 1})
	}
	names := c.call(t, exampleCall{
		role: c.name, paths: []string{"/names"}, options: []string{"-d", "{}"}, env: []string{"LC_ALL=C", "PYTHONIOENCODING=ascii"},
	})
	if names.want(t, wanted{calls: 1, reads: 1, responses: 1}); !strings.Contains(names.stdout, namesOfIndia) {
		t.Errorf("%s: the names of the response have changed:\n%s", c.name, names.stdout)
	}
	empty := exampleCall{role: c.name, paths: []string{"/empty"}, options: []string{"-X", "OPTIONS"}}
	c.call(t, empty).want(t, wanted{calls: 1, reads: 1})
	lost := wanted{code: 1, calls: 1, reads: 1, said: []string{"the response cannot be written", "may have been issued"}}
	c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, stdout: "/dev/full"}).want(t, lost)
	c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, command: "CLIENT | true; exit ${PIPESTATUS[0]}"}).want(t, lost)
	full := c.call(t, exampleCall{role: c.name, paths: []string{"/accepted"}, command: "CLIENT > /dev/full 2> /dev/full"})
	check.True(t, full.code == 3 && full.calls == 1, "exit code %d after %d calls, where nothing can be written anywhere", full.code, full.calls)
	storing := c.run(t, c.name, "/storing") // the token may be old enough to be replaced
	check.True(t, storing.code == errorCode(storing.stderr) && storing.calls == 1 && strings.Contains(storing.stderr, "may have been issued"),
		"exit code %d after 500 with the words of a refusal, and it says:\n%s", storing.code, storing.stderr)
	c.run(t, c.name, "/charset").want(t, wanted{calls: 1, reads: 1, responses: 1})
	switch c.name {
	case "csharp": // waits a minute for what has come
	case "python": // takes the hints for the response
		c.run(t, c.name, "/hints").want(t, wanted{code: 1, calls: 1, reads: 1, said: []string{"may have been issued"}})
	default:
		c.run(t, c.name, "/hints").want(t, wanted{calls: 1, reads: 1, responses: 1})
	}
}
