// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const examples = "../../examples/kubernetes"

// server is a Vault with the engine at mastersindia/ and a listener with TLS, and an upstream.
type server struct {
	*harness.Vault

	// url is that of the listener with TLS, whose certificate ca has signed.
	url string
	ca  *authority

	sim      *simulator.Simulator
	upstream *httptest.Server
}

func startServer(t *testing.T) *server {
	t.Helper()
	binaries := check.Value(harness.FindBinaries(t.Context(), os.Stderr))(t)
	sim := check.Value(simulator.New(simulator.Options{}))(t)
	s := &server{ca: newAuthority(t), sim: sim, upstream: httptest.NewTLSServer(sim)}
	t.Cleanup(s.upstream.Close)
	address := freeAddress(t)
	s.url = "https://" + address
	cert, key := s.ca.issue(t, "vault")
	s.Vault = check.Value(harness.StartVaultWith(t.Context(), binaries, t.TempDir(), harness.Settings{
		Storage: harness.StorageRaft, LogLevel: "debug", Audit: true,
		More: fmt.Sprintf("listener \"tcp\" {\n  address = %q\n  cluster_address = %q\n  tls_cert_file = %q\n  tls_key_file = %q\n}\n",
			address, freeAddress(t), cert, key),
	}))(t)
	harness.EndWith(t, s.Vault)
	check.NoError(t, s.Install(t.Context(), harness.PluginName))
	s.haveKubernetesAuth(t)
	return s
}

// haveKubernetesAuth puts the auth method in the catalog where it is not built into this Vault.
func (s *server) haveKubernetesAuth(t *testing.T) {
	t.Helper()
	if _, err := s.CLI.Must(t.Context(), "", "read", "sys/plugins/catalog/auth/kubernetes"); err == nil {
		return
	}
	text := check.Value(os.ReadFile(program(t, "KUBERNETES_AUTH_BIN")))(t)
	check.NoError(t, os.WriteFile(filepath.Join(s.Dir, "plugins", "kubernetes"), text, 0o700))
	sum := sha256.Sum256(text)
	s.must(t, "plugin", "register", "-sha256="+hex.EncodeToString(sum[:]), "-command=kubernetes", "auth", "kubernetes")
}

func (s *server) must(t *testing.T, args ...string) string {
	t.Helper()
	return check.Value(s.CLI.Must(t.Context(), "", args...))(t)
}

// addAccount makes an account upstream with tokens of the given life, and a config of the same name for it.
func (s *server) addAccount(t *testing.T, name string, life time.Duration, settings ...string) {
	t.Helper()
	account := simulator.Account{Protocol: simulator.JWT, Username: name, Password: rand.Text(), TokenTTL: life}
	s.sim.SetAccount(account)
	ca := s.ca.write(t, "upstream.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.upstream.Certificate().Raw}))
	args := append([]string{
		"write", "mastersindia/config/" + name, "protocol=jwt", "token_url=" + s.upstream.URL + "/api/v2/token-auth/",
		"ca_cert=@" + ca, "username=" + name, "password=-",
	}, settings...)
	check.Value(s.CLI.Must(t.Context(), account.Password, args...))(t)
}

func (s *server) accepted(ctx context.Context, token string) (bool, error) {
	_, _, ok, err := simulator.CallBusiness(ctx, s.upstream.URL, s.upstream.Client(), simulator.JWT, token, "")
	return ok, err
}

// runReadme runs the commands of the examples' README, after the files that it tells to make were made.
func (s *server) runReadme(t *testing.T, c *cluster) {
	t.Helper()
	text := check.Value(os.ReadFile(filepath.Join(examples, "README.md")))(t)
	block := regexp.MustCompile("(?s)```console\n(.*?)```").FindSubmatch(text)
	check.Require(t, block != nil, "the README shows no commands")
	dir := t.TempDir()
	for name, content := range map[string]string{
		"vault-reviewer.jwt": c.accountToken(t, "kube-system", "vault-reviewer"), "kubernetes-ca.crt": string(c.ca.CertPEM()),
	} {
		check.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	check.NoError(t, os.Symlink(s.VaultBinary(), filepath.Join(dir, "vault")))
	script := "set -eu\n" + strings.ReplaceAll("\n"+string(block[1]), "\n$ ", "\n")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir, cmd.Env = dir, s.CLI.Env("KUBERNETES="+c.url, "PATH="+dir+":"+os.Getenv("PATH"))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		t.Fatalf("the commands of the README: %v\n%s", err, output.String())
	}
}

func (s *server) leases(t *testing.T, path string) int {
	t.Helper()
	client := check.Value(s.Client(s.Token))(t)
	list := check.Value(client.Logical().ListWithContext(t.Context(), "sys/leases/lookup/"+path))(t)
	if list == nil {
		return 0
	}
	keys, _ := list.Data["keys"].([]any)
	return len(keys)
}
