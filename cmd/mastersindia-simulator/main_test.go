// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/command"
	"vault-plugin-secrets-mastersindia/simulator"
)

// runMainVariable makes the test binary be the program: signals can only be tested on a process of their own.
const runMainVariable = "MASTERSINDIA_SIMULATOR_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMainVariable) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// output is what a program writes, readable while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

type program struct {
	stdout, stderr output
	where          addresses
	stop           func() int
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	p := &program{}
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- run(ctx, append(args, "-ready-file", ready), &p.stdout, &p.stderr) }()
	p.stop = sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { p.stop() })
	p.where = waitReady(t, ready)
	return p
}

func waitReady(t *testing.T, path string) addresses {
	t.Helper()
	var where addresses
	check.Eventually(t, patience, "the program is not ready", func() bool {
		data, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		if err := json.Unmarshal(data, &where); err != nil {
			t.Fatalf("the ready file is never half written: %q %v", data, err)
		}
		return true
	})
	return where
}

// patience is for what happens in another process or behind a socket.
const patience = 30 * time.Second

func send(t *testing.T, client *http.Client, method, url, body string) (int, string) {
	t.Helper()
	request := check.Value(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))(t)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	check.NoError(t, err)
	defer response.Body.Close()
	data := check.Value(io.ReadAll(response.Body))(t)
	return response.StatusCode, string(data)
}

func newClient(t *testing.T, roots *x509.CertPool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

const demoLogin = `{"username":"demo-jwt@simulator.example","password":"demo-jwt-password"}`

func TestRun_ServesUntilSignal(t *testing.T) { //nolint:paralleltest // another test could get the port that is free again
	p := start(t, "-listen", "127.0.0.1:0")
	check.Equal(t, p.where.HTTPS, "", "no TLS was asked for")
	client := newClient(t, nil)
	status, body := send(t, client, http.MethodPost, p.where.HTTP+"/api/v1/token-auth/", demoLogin)
	var response struct{ Token string }
	if err := json.Unmarshal([]byte(body), &response); err != nil || status != http.StatusOK || response.Token == "" {
		t.Fatalf("got %d %s", status, body)
	}
	businessStatus, _, accepted, err := simulator.CallBusiness(t.Context(), p.where.HTTP, client, simulator.JWT, response.Token, "")
	check.True(t, err == nil && accepted, "got %d %v", businessStatus, err)
	send(t, client, http.MethodPost, p.where.HTTP+"/api/v1/token-auth/", strings.Replace(demoLogin, "demo-jwt@", "nobody@", 1))
	send(t, client, http.MethodPost, p.where.HTTP+"/api/v1/token-auth/", strings.Replace(demoLogin, `-password"`, `-hush"`, 1))
	client.CloseIdleConnections()
	code := p.stop()
	check.True(t, code == command.ExitOK, "exit code %d: %s", code, p.stderr.String())
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(p.where.HTTP, "http://"), time.Second); err == nil {
		t.Error("the port is still open")
	}
	wantLog(t, p.stderr.String(), response.Token)
}

// wantLog checks the four lines of TestRun_ServesUntilSignal.
func wantLog(t *testing.T, log, token string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	want := []string{
		"method=POST path=/api/v1/token-auth/ status=200 account=jwt/demo-jwt@simulator.example duration=",
		"method=POST path=/api/v1/einvoice/ status=200 account=jwt/demo-jwt@simulator.example duration=",
		"method=POST path=/api/v1/token-auth/ status=206 account=- duration=",
		"method=POST path=/api/v1/token-auth/ status=206 account=jwt/demo-jwt@simulator.example duration=",
	}
	check.Require(t, len(lines) == len(want), "want %d lines, got:\n%s", len(want), log)
	for i, line := range lines {
		check.True(t, strings.Contains(line, want[i]), "line %d: want %s\ngot %s", i+1, want[i], line)
	}
	for _, secret := range []string{token, "demo-jwt-password", "hush", "nobody"} {
		check.True(t, !strings.Contains(log, secret), "the log repeats %q:\n%s", secret, log)
	}
}

func TestRun_TLS(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	p := start(t, "-listen", "", "-tls-listen", "127.0.0.1:0", "-tls-ca-out", ca)
	check.Equal(t, p.where.HTTP, "", "no plain HTTP was asked for")
	pem := check.Value(os.ReadFile(ca))(t)
	roots := x509.NewCertPool()
	check.Require(t, roots.AppendCertsFromPEM(pem), "no certificate: %s", pem)
	status, body := send(t, newClient(t, roots), http.MethodPost, p.where.HTTPS+"/api/v1/token-auth/", demoLogin)
	check.True(t, status == http.StatusOK, "got %d %s", status, body)
	localhost := strings.Replace(p.where.HTTPS, "127.0.0.1", "localhost", 1)
	if status, _ := send(t, newClient(t, roots), http.MethodGet, localhost+"/_simulator/", ""); status != http.StatusOK {
		t.Errorf("localhost: got %d", status)
	}
	if response, err := newClient(t, x509.NewCertPool()).Get(p.where.HTTPS); err == nil {
		response.Body.Close()
		t.Error("a client without trusted roots should not connect")
	}
	check.Contains(t, p.stdout.String(), "ca_cert=@"+ca, "token_url="+p.where.HTTPS+"/api/v1/token-auth/")
	check.True(t, !strings.Contains(p.stdout.String(), "allow_http"), "without plain HTTP the commands need no allow_http")
}

func TestRun_DropsSlowRequestsAtEnd(t *testing.T) {
	t.Parallel()
	p := start(t, "-listen", "127.0.0.1:0")
	client := newClient(t, nil)
	send(t, client, http.MethodPost, p.where.HTTP+"/_simulator/fault", `{"kind":"slow","delay":"1h"}`)
	done := make(chan error, 1)
	go func() {
		response, err := client.Post(p.where.HTTP+"/api/v1/token-auth/", "application/json", strings.NewReader(demoLogin))
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	check.Eventually(t, patience, "the slow request does not arrive", func() bool {
		_, body := send(t, client, http.MethodGet, p.where.HTTP+"/_simulator/counters", "")
		return strings.Contains(body, `"logins":1,`)
	})
	client.CloseIdleConnections() // a server that ends waits for connections without a request
	began := time.Now()
	if code := p.stop(); code != command.ExitOK || time.Since(began) > shutdownTimeout {
		t.Errorf("exit code %d after %s: %s", code, time.Since(began), p.stderr.String())
	}
	if err := <-done; err == nil {
		t.Error("the slow request succeeded")
	}
	check.Contains(t, p.stderr.String(), "status=dropped")
}

func TestRun_Banner(t *testing.T) {
	t.Parallel()
	p := start(t, "-listen", "127.0.0.1:0")
	text := p.stdout.String()
	words := strings.NewReplacer(")", " ", ",", " ", "\n", " ").Replace(text)
	for _, a := range simulator.DemoAccounts() {
		for name, value := range values(t, a) {
			check.True(t, strings.Contains(words, value+" "),
				"the banner lacks the %s of %s: add it to credentialArgs in banner.go", name, a.Protocol)
		}
	}
	check.Contains(t, text,
		"This is a simulator.",
		"nothing\nleaves this machine",
		p.where.HTTP,
		"POST /api/v2/api-token-refresh/",
		"printf %s demo-jwt-password | vault write mastersindia/config/demo-jwt \\\n"+
			"      preset=einvoice-sandbox allow_http=true token_url="+p.where.HTTP+"/api/v1/token-auth/ \\\n"+
			"      username=demo-jwt@simulator.example password=-\n",
		"preset=ksa-qa allow_http=true token_url="+p.where.HTTP+"/api/v2/token-auth/ \\\n"+
			"      refresh_url="+p.where.HTTP+"/api/v2/api-token-refresh/ username=",
		"config/demo-oauth \\\n      preset=oauth-verification",
		"client_secret=@<(printf %s demo-oauth-client-secret)",
		"config/demo-soap \\\n      preset=einvoice-soap-staging",
		"printf %s demo-firstvision-client-secret | vault write mastersindia/config/demo-firstvision \\\n"+
			"      preset=firstvision-sandbox allow_http=true token_url="+p.where.HTTP+"/sandbox/v1/api/oauth/token \\\n"+
			"      client_id=demo-firstvision-client client_secret=- scope='accounts cards'\n",
		"preset=firstvision-emea-sandbox allow_http=true token_url="+p.where.HTTP+"/api/fs/fv_emea/security/v1/token/jwt/generate",
		"protocol=firstvision request_format=form headers=apikey=demo-firstvision-client",
	)
}

// values are the fields of an account, by the names that its JSON has.
func values(t *testing.T, a simulator.Account) map[string]string {
	t.Helper()
	data := check.Value(json.Marshal(a))(t)
	var named map[string]string
	check.NoError(t, json.Unmarshal(data, &named))
	return named
}

func TestRun_AccountsFromFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "accounts.json")
	accounts := `[{"protocol":"jwt","username":"o'erp","password":"hush-one"},` +
		`{"protocol":"firstvision","client_id":"fv","client_secret":"hush-two","scope":"cards loans"}]`
	check.NoError(t, os.WriteFile(file, []byte(accounts), 0o600))
	p := start(t, "-listen", "127.0.0.1:0", "-accounts", file)
	client := newClient(t, nil)
	login := `{"username":"o'erp","password":"hush-one"}`
	if status, body := send(t, client, http.MethodPost, p.where.HTTP+"/api/v1/token-auth/", login); status != http.StatusOK {
		t.Errorf("got %d %s", status, body)
	}
	if status, _ := send(t, client, http.MethodPost, p.where.HTTP+"/api/v1/token-auth/", demoLogin); status == http.StatusOK {
		t.Error("the demo account is served as well")
	}
	text := p.stdout.String()
	check.Contains(t, text, `printf %s "$PASSWORD" | vault write mastersindia/config/account-1`, `username='o'\''erp' password=-`,
		`client_secret=- scope=cards`)
	check.True(t, !strings.Contains(text, "hush"), "the banner shows a secret that is not ours:\n%s", text)
}

func TestRun_InvalidOptionsRefused(t *testing.T) {
	t.Parallel()
	taken := check.Value(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { _ = taken.Close() }) // the parallel cases outlive this function
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	check.NoError(t, os.WriteFile(bad, []byte(`[{"protocol":"jwt","username":"u"}]`), 0o600))
	twice := filepath.Join(dir, "twice.json")
	one := `{"protocol":"jwt","username":"u","password":"p"}`
	check.NoError(t, os.WriteFile(twice, []byte(`[`+one+`,`+one+`]`), 0o600))
	const others = "can be reached from other machines; the simulator serves loopback addresses only"
	nowhere := filepath.Join(dir, "no", "such", "file")
	free := []string{"-listen", "127.0.0.1:0"}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"all addresses", []string{"-listen", "0.0.0.0:8270"}, command.ExitUsage, `-listen: "0.0.0.0:8270" ` + others},
		{"no host", []string{"-listen", ":8270"}, command.ExitUsage, others},
		{"all addresses 6", []string{"-listen", "[::]:8270"}, command.ExitUsage, others},
		{"LAN", []string{"-tls-listen", "192.168.1.2:443"}, command.ExitUsage, `-tls-listen: "192.168.1.2:443" ` + others},
		{"name", []string{"-listen", "example.com:80"}, command.ExitUsage, others},
		{"no port", []string{"-listen", "127.0.0.1"}, command.ExitUsage, "is not an address such as 127.0.0.1:8270"},
		{"nothing", []string{"-listen", ""}, command.ExitUsage, "nothing to listen on"},
		{
			"one name for two files", []string{"-tls-listen", "127.0.0.1:0", "-tls-ca-out", "./x", "-ready-file", "x"}, command.ExitUsage,
			"-tls-ca-out and -ready-file name the same file",
		},
		{"CA without TLS", []string{"-tls-ca-out", "ca.pem"}, command.ExitUsage, "-tls-ca-out needs -tls-listen"},
		{"unknown option", []string{"-port", "1"}, command.ExitUsage, "flag provided but not defined: -port"},
		{"argument", []string{"serve"}, command.ExitUsage, `unexpected argument "serve"`},
		{"no accounts file", append(free, "-accounts", nowhere), command.ExitFailed, "-accounts: open"},
		{"bad accounts file", append(free, "-accounts", bad), command.ExitFailed, `account 1: field "password": required for protocol jwt`},
		{"account twice", append(free, "-accounts", twice), command.ExitFailed, "-accounts: " + twice + `: account "jwt/u" is given twice`},
		{"port taken", []string{"-listen", taken.Addr().String()}, command.ExitFailed, "address already in use"},
		{"TLS port taken", append(free, "-tls-listen", taken.Addr().String()), command.ExitFailed, "-tls-listen: listen tcp"},
		{"no such folder", append(free, "-ready-file", nowhere), command.ExitFailed, "-ready-file: open " + nowhere + ":"},
		{"no such CA folder", append(free, "-tls-listen", "127.0.0.1:0", "-tls-ca-out", nowhere), command.ExitFailed, "-tls-ca-out: open " + nowhere + ":"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr output
			if code := run(t.Context(), test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit code: want %d, got %d", test.code, code)
			}
			check.Contains(t, stderr.String(), test.want)
		})
	}
}

// TestRun_OverwritesNoOtherFile: a mistaken name costs nothing.
func TestRun_OverwritesNoOtherFile(t *testing.T) {
	t.Parallel()
	ca := check.Value(simulator.NewCA())(t)
	accounts := filepath.Join(t.TempDir(), "accounts.json")
	others := map[string]string{
		accounts: `[{"protocol":"jwt","username":"u","password":"p"}]`,
		filepath.Join(t.TempDir(), "settings.json"): `{"http_proxy":"http://127.0.0.1:3128"}`,
		filepath.Join(t.TempDir(), "company.pem"):   "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		filepath.Join(t.TempDir(), "bundle.pem"):    string(ca.CertPEM()) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	}
	refused := map[string]string{t.TempDir(): "is no file"}
	for file, content := range others {
		check.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		refused[file] = "holds something else"
	}
	for _, option := range []string{"-ready-file", "-tls-ca-out"} {
		for name, want := range refused {
			var stdout, stderr output
			args := []string{"-listen", "127.0.0.1:0", "-tls-listen", "127.0.0.1:0", "-accounts", accounts, option, name}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // one that is not refused serves until then
			check.Equal(t, run(ctx, args, &stdout, &stderr), command.ExitFailed, "%s: exit code", option)
			cancel()
			if want = option + ": " + name + " " + want; !strings.Contains(stderr.String(), want) {
				t.Errorf("want %q, got %q", want, stderr.String())
			}
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %v", option, err)
			}
		}
		for file, content := range others {
			if got, err := os.ReadFile(file); err != nil || string(got) != content {
				t.Errorf("%s: %s is %q now: %v", option, file, got, err)
			}
		}
	}
}

func TestRun_RemovesStaleReadyFile(t *testing.T) {
	t.Parallel()
	ready := filepath.Join(t.TempDir(), "ready.json")
	check.NoError(t, os.WriteFile(ready, []byte(`{"http":"http://stale"}`), 0o600))
	var stdout, stderr output
	// The run fails after the point where the stale file has to be gone.
	code := run(t.Context(), []string{"-listen", "127.0.0.1:99999", "-ready-file", ready}, &stdout, &stderr)
	_, err := os.Stat(ready)
	check.True(t, code == command.ExitFailed && os.IsNotExist(err), "exit code %d, stat: %v", code, err)
}

func TestRun_FailsWithoutReader(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	check.NoError(t, r.Close())
	var stderr output
	code := run(t.Context(), []string{"-listen", "127.0.0.1:0"}, w, &stderr)
	check.True(t, code == command.ExitFailed, "exit code %d: %s", code, stderr.String())
}

// TestHelp_NamesEveryOption keeps the help, which is written by hand, and the options together.
func TestHelp_NamesEveryOption(t *testing.T) {
	t.Parallel()
	_, flags := newFlags()
	flags.VisitAll(func(f *flag.Flag) {
		check.True(t, strings.Contains(help(), "\n  -"+f.Name+"\n") || strings.Contains(help(), "\n  -"+f.Name+"=<"),
			"the help lacks -%s", f.Name)
	})
}

// TestHelp_NamesEveryAccountField: the help has each field of an account, and no other.
func TestHelp_NamesEveryAccountField(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(help(), "An account has ")
	text, _, _ = strings.Cut(text, ". The default")
	named := regexp.MustCompile(`\([^)]*\)|, and, all optional`).ReplaceAllString(text, "")
	var want []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[simulator.Account]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	got := regexp.MustCompile(`[a-z0-9_]+`).FindAllString(named, -1)
	slices.Sort(got)
	slices.Sort(want)
	check.True(t, slices.Equal(got, want), "the help names %v, want %v", got, want)
}

// TestHelp_ExampleAccounts runs the accounts that the help shows.
func TestHelp_ExampleAccounts(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(help(), "$ cat accounts.json\n")
	example, _, _ := strings.Cut(rest, "\n")
	if _, err := simulator.ParseAccounts([]byte(example)); err != nil {
		t.Errorf("%s: %v", example, err)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			self := check.Value(os.Executable())(t)
			ready := filepath.Join(t.TempDir(), "ready.json")
			command := exec.CommandContext(t.Context(), self, "-listen", "127.0.0.1:0", "-ready-file", ready)
			command.Env = append(os.Environ(), runMainVariable+"=1")
			check.NoError(t, command.Start())
			where := waitReady(t, ready)
			status, _ := send(t, newClient(t, nil), http.MethodGet, where.HTTP+"/_simulator/", "")
			check.True(t, status == http.StatusOK, "got %d", status)
			check.NoError(t, command.Process.Signal(signal))
			if err := command.Wait(); err != nil {
				t.Errorf("want exit code 0, got %v", err)
			}
			if _, err := os.Stat(ready); !os.IsNotExist(err) {
				t.Errorf("the ready file is still there: %v", err)
			}
		})
	}
}
