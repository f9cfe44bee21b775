// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// vaultAndAPI is a Vault and an API on one server. The token of Vault's first response is the-token.
type vaultAndAPI struct {
	*httptest.Server
	gives vaultGives

	mu      sync.Mutex
	heard   heard
	process *os.Process // the client, and those that it has started
}

// vaultGives is what Vault responds.
type vaultGives struct {
	ttl, life int // seconds, 60 unless they are set
	second    int // status of the second response, and of those behind it; 0 for 200
}

const interrupts = -1 // the client, in place of a response

// heard is what has come to the server so far.
type heard struct {
	reads   int      // of Vault
	calls   []string // method, path, Gstin and body
	cookies []string
	code    int // of the exit, when the client has ended
}

func newVaultAndAPI(t *testing.T, gives vaultGives) *vaultAndAPI {
	t.Helper()
	gives.ttl, gives.life = cmp.Or(gives.ttl, 60), cmp.Or(gives.life, 60)
	s := &vaultAndAPI{gives: gives}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *vaultAndAPI) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what has not come is not in the call
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		s.heard.calls = append(s.heard.calls, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Gstin"), body))
		s.heard.cookies = append(s.heard.cookies, r.Header.Get("Cookie"))
	}
	if broken := brokenResponses()[path.Base(r.URL.Path)]; broken != "" {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, strings.ReplaceAll(broken, "SENT", r.Header.Get("Authorization")+r.Header.Get("X-Vault-Token"))) // as below
			_ = conn.Close()
		}
		return
	}
	status, response := http.StatusOK, "{}"
	switch sent := r.Header.Get("Authorization"); {
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		status, response = s.read(r)
	case r.URL.Path == "/page":
		response = "<html>you sent " + sent
	case r.URL.Path == "/number": // as of a chunk whose length is taken for the response
		response = "38"
	case r.URL.Path == "/worded":
		response = `{"message":"Invalid access token"}`
	case r.URL.Path == "/duplicate": // the first call was executed
		if response = `{"message":"Invalid access token"}`; len(s.heard.calls) > 1 {
			status, response = http.StatusUnprocessableEntity, `{"message":"duplicate"}`
		}
	case r.URL.Path == "/refuse":
		status, response = http.StatusUnauthorized, `{"detail":"no such token: `+sent+`"}`
	case r.URL.Path == "/storing":
		status, response = http.StatusInternalServerError, `{"error":true,"message":"could not store the access token"}`
	case r.URL.Path == "/control":
		status, response = http.StatusBadRequest, "you are\x1b[2J gone\rwelcome\r\n"
	case strings.Contains(r.URL.Path, "#"):
		response = "a part of the page was sent"
	case r.URL.Path == "/slow":
		<-time.After(2500 * time.Millisecond)
	default:
		http.SetCookie(rw, &http.Cookie{Name: "sessionid", Value: "of-another", Path: "/"}) //nolint:gosec // G124: it is not to be kept
	}
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, response) //nolint:gosec // G705: no browser reads it; a client that has gone shows in its own output
}

// brokenResponses are by the last part of a path. SENT is the token that has come.
func brokenResponses() map[string]string {
	return map[string]string{
		"html":      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
		"gateway":   "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
		"switching": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
		"see-other": "HTTP/1.1 303 See Other\r\nLocation: /accepted\r\nContent-Length: 0\r\n\r\n",
		"endless":   "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{",
		"line":      "SENT\r\n\r\n",
	}
}

func (s *vaultAndAPI) read(r *http.Request) (status int, response string) {
	s.heard.reads++
	if s.heard.reads > 1 && s.gives.second == interrupts {
		_ = syscall.Kill(-s.process.Pid, syscall.SIGTERM) // what it did shows in the output
		<-r.Context().Done()
	}
	if s.heard.reads > 1 && s.gives.second > 0 {
		return s.gives.second, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`
	}
	id, token := "0123456789abcdef", "the-token"
	if r.URL.Query().Get("rejected_token_id") != "" && !strings.HasSuffix(r.URL.Path, "/same") {
		id, token = "fedcba9876543210", "the-token-behind-it"
	}
	return http.StatusOK, fmt.Sprintf(`{"lease_duration": 0, "data": {"authorization": "JWT %[1]s", "access_token": "%[1]s", "config": "gst",
		"token_id": "%[2]s", "ttl": %[3]d, "expires_in": %[4]d, "metadata": {"Gstin": "ROLE"}}}`, token, id, s.gives.ttl, s.gives.life)
}

// run runs a program with this Vault, and returns what it says, and what has come since the run before.
func (s *vaultAndAPI) run(t *testing.T, program ...string) (said string, came heard) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program[0], program[1:]...)
	command.Env = append(os.Environ(), "VAULT_ADDR="+s.URL, "VAULT_TOKEN=hvs.of-the-test", "VAULT_NAMESPACE=")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	s.mu.Lock()
	err := command.Start()
	s.process = command.Process
	s.mu.Unlock()
	check.NoError(t, err)
	_ = command.Wait() // most are to fail
	s.mu.Lock()
	defer s.mu.Unlock()
	came, s.heard = s.heard, heard{}
	came.code = command.ProcessState.ExitCode()
	return out.String(), came
}

// TestClients_Promises are those that each client makes, whatever its language.
func TestClients_Promises(t *testing.T) {
	t.Parallel()
	for name, command := range exampleCommands(t) {
		for what, promise := range map[string]struct {
			gives vaultGives
			role  string
			more  []string
			paths []string
			calls int
			says  string
		}{
			"a page that repeats the token is not shown":     {paths: []string{"/page"}, calls: 1, says: "no JSON"},
			"what is no object leaves doubt":                 {paths: []string{"/number"}, calls: 1, says: "may have been issued"},
			"a refusal that repeats the token is not shown":  {role: "gst/token/same", paths: []string{"/refuse"}, calls: 1, says: "no newer token yet"},
			"a PUT that may have been executed is sent once": {more: []string{"-X", "PUT"}, paths: []string{"/storing"}, calls: 1, says: "may have been issued"},
			"Vault's refusal counts, not what is kept": {vaultGives{ttl: 1, second: http.StatusForbidden},
				"", nil, []string{"/slow", "/accepted"}, 1, "permission denied"},
			"a token past its end is not sent": {vaultGives{ttl: 1, life: 6, second: http.StatusServiceUnavailable},
				"", nil, []string{"/slow", "/accepted"}, 1, "503"},
			"what comes in place of a response leaves doubt": {paths: []string{"/switching"}, calls: 1, says: "may have been issued"},
			"a refusal in words leaves doubt where Vault refuses, too": {vaultGives{second: http.StatusForbidden},
				"", nil, []string{"/worded"}, 1, "may have been issued"},
			"a refusal in words leaves doubt where Vault is waited for": {vaultGives{second: interrupts},
				"", nil, []string{"/worded"}, 1, "may have been issued"},
			"a second call leaves the doubt of the first": {paths: []string{"/duplicate"}, calls: 2, says: "may have been issued"},
			"a response longer than any leaves doubt":     {paths: []string{"/endless"}, calls: 1, says: "may have been issued"},
			"a redirect leaves doubt":                     {paths: []string{"/see-other"}, calls: 1, says: "may have been issued"},
			"a status line with the token is not shown":   {paths: []string{"/line"}, calls: 1, says: "may have been issued"},
			"Vault's with the Vault token is not shown":   {role: "gst/token/line", paths: []string{"/accepted"}, says: "gst/token/line"},
			"what is behind # is not sent":                {paths: []string{"/accepted#part"}, calls: 1, says: "{}"},
			"no message commands the terminal":            {paths: []string{"/control"}, calls: 1, says: "you are?[2J gone?welcome"},
			"a cookie of one call is not in the next":     {paths: []string{"/accepted", "/accepted?2"}, calls: 2},
		} {
			if name == "csharp" && promise.gives.second == interrupts {
				continue // Mono reports no SIGTERM to a program
			}
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				s := newVaultAndAPI(t, promise.gives)
				args := append(slices.Concat(command, promise.more), "-d", "{}", cmp.Or(promise.role, "billing"))
				for _, path := range promise.paths {
					args = append(args, s.URL+path)
				}
				out, came := s.run(t, args...)
				check.True(t, len(came.calls) == promise.calls && strings.Contains(out, promise.says) && !regexp.MustCompile("the-token|of-the-test").MatchString(out),
					"%q, want %d of them; it says, and not %q or a token:\n%s", came.calls, promise.calls, promise.says, out)
				check.Equal(t, strings.Join(came.cookies, ""), "", "cookies")
				if came.code > 0 { // neither fine nor ended by a signal
					check.Equal(t, came.code, errorCode(out), "the exit code")
				}
			})
		}
		t.Run(name+"/the query of an address is not shown", func(t *testing.T) {
			t.Parallel()
			out, _ := newVaultAndAPI(t, vaultGives{}).run(t, append(slices.Clone(command), "-d", "{}", "billing", "http://127.0.0.1:1/?key=s3cret")...)
			check.True(t, strings.Contains(out, "127.0.0.1:1") && !strings.Contains(out, "s3cret"), "it says:\n%s", out)
		})
	}
}

// TestClients_CACertReplacesTheSystems: a server that the system trusts, and VAULT_CACERT does not, is not sent the Vault token. Java
// and C# know no SSL_CERT_FILE.
func TestClients_CACertReplacesTheSystems(t *testing.T) {
	t.Parallel()
	s := newVaultAndAPI(t, vaultGives{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	dir := t.TempDir()
	ofSystem, other := filepath.Join(dir, "system.pem"), filepath.Join(dir, "other.pem")
	for _, file := range []string{other, ofSystem} {
		ca := check.Value(simulator.NewCA())(t)
		server.TLS = check.Value(ca.ServerTLS())(t)
		check.NoError(t, os.WriteFile(file, ca.CertPEM(), 0o600))
	}
	server.StartTLS()
	defer server.Close()
	for name, command := range exampleCommands(t) {
		if name == "java" || name == "csharp" {
			continue
		}
		env := []string{"env", "VAULT_ADDR=" + server.URL, "VAULT_CACERT=" + other, "SSL_CERT_FILE=" + ofSystem}
		out, came := s.run(t, append(slices.Concat(env, command), "-d", "{}", "billing", s.URL+"/accepted")...)
		check.True(t, came.reads == 0 && strings.Contains(strings.ToLower(out), "cert"), "%s: %d reads of Vault; it says:\n%s", name, came.reads, out)
	}
}

// TestJava_PropertiesAreRefused: some of the JDK make its client repeat a POST, or send a token to the server of another.
func TestJava_PropertiesAreRefused(t *testing.T) {
	t.Parallel()
	skipWithout(t, "java", "javac")
	s := newVaultAndAPI(t, vaultGives{})
	for _, set := range []string{"jdk.httpclient.enableAllMethodRetry", "jdk.internal.httpclient.disableHostnameVerification=true"} {
		name, _, _ := strings.Cut(set, "=")
		out, came := s.run(t, "java", "-D"+set, "../examples/clients/java/MastersIndiaClient.java", "-d", "{}", "billing", s.URL+"/accepted")
		check.True(t, came.reads+len(came.calls) == 0 && strings.Contains(out, name+" is not supported: it would send"),
			"%s: %d reads of Vault and %d calls; it says:\n%s", set, came.reads, len(came.calls), out)
		_, came = s.run(t, "java", "-D"+name+"=false", "../examples/clients/java/MastersIndiaClient.java", "-d", "{}", "billing", s.URL+"/accepted")
		check.Equal(t, len(came.calls), 1, "%s=false: the calls", name)
	}
}

// TestClients_FileSizeLimit: a response that the limit of a file's size cuts off is an error, and no end by SIGXFSZ. C# does not start.
func TestClients_FileSizeLimit(t *testing.T) {
	t.Parallel()
	s, dir := newVaultAndAPI(t, vaultGives{}), t.TempDir()
	for name, command := range exampleCommands(t) {
		if name == "csharp" {
			continue
		}
		limited := []string{"env", "DIR=" + dir, "bash", "-c", `ulimit -f 0; "$@" >"$DIR/lost"`, "bash"}
		out, came := s.run(t, append(slices.Concat(limited, command), "-d", "{}", "billing", s.URL+"/accepted")...)
		check.True(t, len(came.calls) == 1 && strings.Contains(out, "the response cannot be written") && strings.Contains(out, "may have been issued"),
			"%s: %q; it says:\n%s", name, came.calls, out)
		check.Equal(t, came.code, 3, "%s: the exit code", name)
	}
}

// TestClients_LongBodiesInHindi: what takes a body in pieces breaks a character where one ends, wherever that is.
func TestClients_LongBodiesInHindi(t *testing.T) {
	t.Parallel()
	s, file := newVaultAndAPI(t, vaultGives{}), filepath.Join(t.TempDir(), "invoice.json")
	for name, command := range exampleCommands(t) {
		for _, length := range []int{5_000, 100_000} {
			for offset := range len("₹") {
				body := fmt.Sprintf(`{"remarks":"%s%s"}`, strings.Repeat("x", offset), strings.Repeat(namesOfIndia, length/len(namesOfIndia)))
				check.NoError(t, os.WriteFile(file, []byte(body), 0o600))
				out, came := s.run(t, append(slices.Clone(command), "-d", "@"+file, "billing", s.URL+"/accepted")...)
				check.True(t, len(came.calls) == 1 && came.calls[0] == "POST /accepted ROLE "+body && came.code == 0,
					"%s: %d bytes: %d calls, of another body or with exit code %d; it says:\n%.300s", name, len(body), len(came.calls), came.code, out)
			}
		}
	}
}

// TestShell_BodyIsNotUTF8 has what looks like UTF-8: a form too long, half a pair, a character beyond the last one, and parts of one.
func TestShell_BodyIsNotUTF8(t *testing.T) {
	t.Parallel()
	skipWithout(t, "curl", "jq")
	s, file := newVaultAndAPI(t, vaultGives{}), filepath.Join(t.TempDir(), "invoice.json")
	for _, wrong := range []string{"\xc0\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xe0\xa4", "Z\xfcrich"} {
		check.NoError(t, os.WriteFile(file, []byte(`{"remarks":"`+namesOfIndia+wrong+`"}`), 0o600))
		out, came := s.run(t, "../examples/clients/shell/mastersindia-call", "-d", "@"+file, "billing", s.URL+"/accepted")
		check.True(t, came.reads+len(came.calls) == 0 && strings.Contains(out, "body: is not UTF-8"), "%q: it says:\n%s", wrong, out)
	}
}

// TestClients_ProxyThatAnswersIsNamed: a Vault that is not reached is the proxy's, not that of VAULT_ADDR.
func TestClients_ProxyThatAnswersIsNamed(t *testing.T) {
	t.Parallel()
	proxy := newVaultAndAPI(t, vaultGives{})
	for name, command := range exampleCommands(t) {
		if name == "node" || name == "java" {
			continue // they use none
		}
		for what, role := range map[string]string{"returned 502": "gst/token/gateway", "but with no JSON": "gst/token/html"} {
			env := []string{"env", "VAULT_ADDR=http://vault.invalid", "http_proxy=" + proxy.URL}
			out, _ := proxy.run(t, append(slices.Concat(env, command), "-d", "{}", role, "https://api.invalid/")...)
			check.True(t, strings.Contains(out, what) && strings.Contains(out, "through the proxy of http_proxy"), "%s: it says:\n%s", name, out)
		}
	}
}

// TestPHP_DisabledFunctionIsNamed: hosts that many share disable curl_exec, and a program catches the client's own errors.
func TestPHP_DisabledFunctionIsNamed(t *testing.T) {
	t.Parallel()
	skipWithout(t, "php")
	out, _ := newVaultAndAPI(t, vaultGives{}).run(t, "php", "-d", "disable_functions=curl_exec", "../examples/clients/php/mastersindia_client.php",
		"-d", "{}", "billing", "http://127.0.0.1:1/")
	check.True(t, strings.HasPrefix(out, "mastersindia_client: curl_exec is in disable_functions") && strings.Count(out, "\n") == 1, "it says:\n%s", out)
}

// TestJava_NoProxyForThisMachine: http.nonProxyHosts may leave out what Java itself puts there.
func TestJava_NoProxyForThisMachine(t *testing.T) {
	t.Parallel()
	skipWithout(t, "java", "javac")
	s, proxy := newVaultAndAPI(t, vaultGives{}), newVaultAndAPI(t, vaultGives{})
	_, port, _ := strings.Cut(strings.TrimPrefix(proxy.URL, "http://"), ":")
	out, came := s.run(t, "java", "-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort="+port, "-Dhttp.nonProxyHosts=",
		"../examples/clients/java/MastersIndiaClient.java", "-d", "{}", "billing", s.URL+"/accepted")
	check.True(t, came.reads == 1 && len(came.calls) == 1 && proxy.heard.reads == 0,
		"%d reads of Vault, %d of them through the proxy, and %d calls; it says:\n%s", came.reads, proxy.heard.reads, len(came.calls), out)
}

// TestClients_CompiledAsLibrary is TestClients_AsLibrary for Go, Java and C#.
func TestClients_CompiledAsLibrary(t *testing.T) { //nolint:tparallel // its only subtests say that a language is left out
	t.Parallel()
	clients := check.Value(filepath.Abs("../examples/clients"))(t)
	for name, try := range map[string]struct {
		program, file, text, run string
	}{
		"go": {"go", "own.go", `package main
import ("context"; "fmt"; "net/http"; "os"; "strings")
func main() {
	ctx, address := context.Background(), os.Getenv("VAULT_ADDR") + "/accepted"
	c, err := newClient("billing")
	t, _ := c.token(ctx, "")
	t.Metadata["Gstin"] = "changed"
	for _, header := range []http.Header{nil, {"gstin": {"A"}}} {
		_, err = c.call(ctx, call{url: address, body: []byte("{}"), header: header})
	}
	fmt.Println(err, t)
	os.Setenv("VAULT_NAMESPACE", "team")
	_, err = c.token(ctx, "")
	fmt.Println(strings.Contains(fmt.Sprint(err), "has changed since"))
}`, `cd "$CLIENTS/go" && echo '{"Replace": {"'$PWD'/own.go": "'$DIR'/own.go"}}' >"$DIR/overlay" && go run -overlay "$DIR/overlay" own.go client.go token.go`},
		"java": {"javac", "Own.java", `public class Own { public static void main(String[] a) throws Exception {
String address = System.getenv("VAULT_ADDR") + "/accepted";
var client = new MastersIndiaClient("billing"); var headers = new java.util.HashMap<String, String>();
try { client.token().metadata().put("Gstin", "changed"); } catch (UnsupportedOperationException e) { }
client.call(address, "POST", "{}", headers, "");
headers.put("Gstin", "A");
client.call(address, "POST", "{}", headers, "");
System.out.println("null " + client.token()); System.out.println(true); } }`,
			`javac -d "$DIR" "$DIR/Own.java" "$CLIENTS/java/MastersIndiaClient.java" && java -cp "$DIR" Own`},
		"csharp": {"mcs", "Own.cs", `using System; using System.Collections.Generic; using System.Threading.Tasks;
public static class Own { public static void Main() { Run().GetAwaiter().GetResult(); }
static async Task Run() {
var address = Environment.GetEnvironmentVariable("VAULT_ADDR") + "/accepted";
var client = new MastersIndiaClient("billing"); var headers = new Dictionary<string, string>();
var token = await client.TokenAsync();
try { ((IDictionary<string, string>)token.Metadata)["Gstin"] = "changed"; } catch (NotSupportedException) { }
var first = client.CallAsync(address, "POST", "{}", headers); headers["Gstin"] = "A";
await first; await client.CallAsync(address, "POST", "{}", headers);
Console.WriteLine("null " + token);
Environment.SetEnvironmentVariable("VAULT_NAMESPACE", "team");
try { await client.TokenAsync(); } catch (MastersIndiaException e) { Console.WriteLine(e.Message.Contains("has changed since").ToString().ToLower()); }
} }`, `mcs -main:Own -out:"$DIR/Own.exe" -r:System.Net.Http -r:System.Xml -r:System.Xml.Linq -r:System.Runtime.Serialization \
"$DIR/Own.cs" "$CLIENTS/csharp/MastersIndiaClient.cs" && mono "$DIR/Own.exe"`},
	} {
		if !runtimeOf(t, name, try.program) {
			continue
		}
		s, dir := newVaultAndAPI(t, vaultGives{}), t.TempDir()
		check.NoError(t, os.WriteFile(filepath.Join(dir, try.file), []byte(try.text), 0o600))
		out, came := s.run(t, "env", "DIR="+dir, "CLIENTS="+clients, "bash", "-c", try.run)
		said := strings.ReplaceAll(strings.ReplaceAll(out, "<nil>", "null"), "MastersIndiaToken", "token 0123456789abcdef")
		check.Equal(t, said, "null token 0123456789abcdef\ntrue\n", "%s says", name)
		check.Equal(t, strings.Join(came.calls, "\n"), "POST /accepted ROLE {}\nPOST /accepted A {}", "%s: the calls", name)
	}
}

// TestPHP_CacheIsOfOneCaller: what APCu keeps is of one role, Vault token and namespace.
func TestPHP_CacheIsOfOneCaller(t *testing.T) {
	t.Parallel()
	skipWithout(t, "php")
	s := newVaultAndAPI(t, vaultGives{})
	out, came := s.run(t, "php", "-d", "apc.enable_cli=1", "-r", `require '../examples/clients/php/mastersindia_client.php';
$read = fn ($role) => (new MastersIndiaClient($role))->token();
$read('billing'); $read('billing');
$read('other');
putenv('VAULT_TOKEN=hvs.of-another'); $read('billing');
putenv('VAULT_NAMESPACE=team'); $read('billing');`)
	check.Equal(t, came.reads, 4, "reads of Vault, one for each role, Vault token and namespace: %s", out)
}

// TestPython_ReplyShowsNoToken: what the API says is in the error, but for the token.
func TestPython_ReplyShowsNoToken(t *testing.T) {
	t.Parallel()
	skipWithout(t, "python3")
	s := newVaultAndAPI(t, vaultGives{})
	out, _ := s.run(t, "python3", "-B", "-c", `import os, sys
sys.path.insert(0, "../examples/clients/python")
from mastersindia_client import Client, ClientError
for role, path in (("billing", "page"), ("gst/token/same", "refuse"), ("billing", "refuse")):
    try:
        Client(role).call(os.environ["VAULT_ADDR"] + "/" + path, "POST", "{}")
    except ClientError as error:
        print(error.status, error.reply)`)
	check.True(t, strings.Count(out, "<token>") == 3 && !strings.Contains(out, "the-token"), "the replies:\n%s", out)
}

// TestPHP_TraceOfACallShowsNoToken: error reports show the arguments of each function that an error went through.
func TestPHP_TraceOfACallShowsNoToken(t *testing.T) {
	t.Parallel()
	skipWithout(t, "php")
	s := newVaultAndAPI(t, vaultGives{})
	out, _ := s.run(t, "php", "-d", "zend.exception_ignore_args=0", "-r", `require '../examples/clients/php/mastersindia_client.php';
$show = function ($call) {
  try { $call(); } catch (MastersIndiaError $error) { echo get_class($error), "\n"; print_r($error->getTrace()); }
};
foreach (['http://127.0.0.1:1/', getenv('VAULT_ADDR') . '/page', getenv('VAULT_ADDR') . '/refuse'] as $url) {
  foreach (['', 'access_token'] as $field) {
    $show(fn () => (new MastersIndiaClient('billing'))->call($url, 'POST', '{}', [], $field));
  }
}
putenv('VAULT_ADDR=http://127.0.0.1:1');
$show(fn () => (new MastersIndiaClient('billing'))->token());`)
	n := strings.Count(out, "MastersIndiaError\n")
	check.True(t, n == 7 && !strings.Contains(out, "the-token") && !strings.Contains(out, "hvs.of"), "%d errors, want 7 and no token:\n%s", n, out)
}
