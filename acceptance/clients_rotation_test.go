// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// clientLife is that of the upstream's tokens. They are rotated after 66 % of it, and leases end five seconds before them.
	// Half a minute would do for all but the shell loop on a loaded machine, where the vault command takes seconds to start.
	clientLife     = 40 * time.Second
	rotationsSeen  = 6
	clientsTimeout = 210 * time.Second
	// sampleEvery is how often a client's token is tried upstream.
	sampleEvery = 100 * time.Millisecond
	useDocument = "../docs/use.md"
	// readsPerLogin bounds the reads of one client: more would be the spiral of ever shorter leases.
	readsPerLogin = 4
)

// TestClients_AlwaysHaveAcceptedToken runs the clients of the documents, as these have them, over several rotations of
// short-lived tokens.
func TestClients_AlwaysHaveAcceptedToken(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	began := time.Now()
	account := w.upstream.addAccount(t, simulator.Account{Protocol: simulator.JWT, TokenTTL: clientLife})
	w.writeConfig(t, "gst", account)
	w.writeRole(t, "billing", "gst")
	w.writeRole(t, "kiosk", "gst", "lease=false")
	w.policy(t, "billing", `path "mastersindia/token/+" { capabilities = ["read"] }`)
	clients := []*clientToken{
		w.startAgent(t, "agent", documented(t, "", "{{ with secret")),
		w.startAgent(t, "agent-kiosk", strings.ReplaceAll(documented(t, "", "{{ with secret"), "/billing", "/kiosk")),
		w.startGoClient(t),
	}
	if err := missing(t, "jq"); err != nil {
		t.Logf("the shell loop is left out: %v", err)
	} else {
		clients = append(clients, w.startShell(t))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watches, searches sync.WaitGroup
	defer searches.Wait()
	defer watches.Wait()
	defer cancel()
	for _, h := range clients {
		watches.Go(func() { h.watch(ctx) })
		searches.Go(func() { h.searchCommands(ctx) })
	}
	w.readWrapped(t)
	w.readWithBatchTokens(t)
	watches.Wait()
	cancel()
	searches.Wait()
	lasted, logins := time.Since(began), w.upstream.logins()
	reads := w.readsByName(t)
	t.Logf("%d logins in %s", logins, lasted.Round(time.Second))
	for _, h := range clients {
		h.report(t)
		got := reads["token-"+h.name]
		t.Logf("%s: %d reads", h.name, got)
		if most := readsPerLogin * logins; got == 0 || got > most {
			t.Errorf("%s has read %d times, want at most %d", h.name, got, most)
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	}
	if most := int(lasted/(clientLife*66/100)) + 1; logins > most {
		t.Errorf("upstream saw %d logins in %s, want at most %d", logins, lasted, most)
	}
	w.waitForNoLeases(t, "mastersindia/token/")
	w.wantNoLeases(t)
}

// startAgent lets Vault Agent render the template.
func (w *testVault) startAgent(t *testing.T, name, template string) *clientToken {
	t.Helper()
	agent := check.Value(w.StartAgent(filepath.Join(w.Dir, name), w.tokenFor(t, "-policy=billing", "-display-name="+name), template))(t)
	return w.hold(t, &clientToken{name: name, file: agent.Rendered, ended: agent.Err, stop: agent.Stop})
}

// startShell runs the loop of the document.
func (w *testVault) startShell(t *testing.T) *clientToken {
	t.Helper()
	shell := check.Value(exec.LookPath("sh"))(t)
	h := w.startProgram(t, harness.ProgramSpec{Name: "shell", Path: shell, Args: []string{"-c", documented(t, "sh", "while")}})
	h.file = filepath.Join(w.file(h.name), "header.billing")
	return h
}

// startGoClient runs the example.
func (w *testVault) startGoClient(t *testing.T) *clientToken {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "go-client")
	check.NoError(t, harness.BuildProgram(t.Context(), os.Stderr, "./examples/clients/go", binary))
	var h atomic.Pointer[clientToken]
	called := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := h.Load(); h != nil && !h.take(r.Context(), r.Header.Get("Authorization")) {
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(called.Close)
	h.Store(w.startProgram(t, harness.ProgramSpec{
		Name: "go-client", Path: binary, Args: []string{"-every=" + sampleEvery.String(), "billing", called.URL},
	}))
	return h.Load()
}

// startProgram starts a client with a Vault token of its own. Its own files are the client's business; its output is searched.
func (w *testVault) startProgram(t *testing.T, spec harness.ProgramSpec) *clientToken {
	t.Helper()
	spec.Token = w.tokenFor(t, "-policy=billing", "-display-name="+spec.Name)
	spec.Dir, spec.Log = w.file(spec.Name), filepath.Join(w.Dir, spec.Name+".log")
	program := check.Value(w.StartProgram(spec))(t)
	return w.hold(t, &clientToken{name: spec.Name, pid: program.PID(), ended: program.Err, stop: program.Stop})
}

// hold takes charge of a client that was just started.
func (w *testVault) hold(t *testing.T, h *clientToken) *clientToken {
	t.Helper()
	h.testVault, h.stop = w, sync.OnceValue(h.stop)
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// readWrapped reads with response wrapping: the token comes out once, and its lease ends like any other.
func (w *testVault) readWrapped(t *testing.T) {
	t.Helper()
	wrapped := w.readJSON(t, "read", "-wrap-ttl=60s", "-format=json", "mastersindia/token/billing")
	check.Require(t, wrapped.WrapInfo != nil && wrapped.Data == nil, "the response is not wrapped: %v", wrapped.WrapInfo)
	response := w.readJSON(t, "unwrap", "-format=json", wrapped.WrapInfo.Token)
	w.upstream.wantAccepted(t, simulator.JWT, response)
	w.refused(t, "unwrap", wrapped.WrapInfo.Token)
	w.wantLeaseBeforeToken(t, response)
	w.waitForLeaseEnd(t, response.LeaseID)
}

// readWithBatchTokens reads with batch tokens: their leases end with them, or with the token that made them.
func (w *testVault) readWithBatchTokens(t *testing.T) {
	t.Helper()
	w.policy(t, "parent", `path "mastersindia/token/+" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }`)
	parent := w.tokenFor(t, "-policy=parent")
	out := check.Value(w.CLI.As(parent).Must(t.Context(), "", "token", "create", "-field=token", "-type=batch", "-ttl=10m", "-policy=parent"))(t)
	child := w.readAccepted(t, strings.TrimSpace(out))
	w.wantLeaseBeforeToken(t, child)
	w.vault(t, "token", "revoke", parent)
	w.waitForLeaseEnd(t, child.LeaseID)
	w.upstream.wantAccepted(t, simulator.JWT, child) // Others use the same token.

	const life = 8 * time.Second
	orphan := w.tokenFor(t, "-type=batch", "-orphan", "-policy=billing", "-ttl="+life.String())
	response := w.readAccepted(t, orphan)
	got := time.Duration(response.LeaseDuration) * time.Second
	check.True(t, got > 0 && got <= life, "a batch token of %s got a lease of %s", life, got)
	w.waitForLeaseEnd(t, response.LeaseID)
}

// readAccepted reads a token with a leased role and checks that it is accepted.
func (w *testVault) readAccepted(t *testing.T, vaultToken string) harness.Secret {
	t.Helper()
	response := w.readAs(t, vaultToken, "billing")
	w.upstream.wantAccepted(t, simulator.JWT, response)
	return response
}

// wantLeaseBeforeToken checks, by Vault's own word, that a lease ends before its token does.
func (w *testVault) wantLeaseBeforeToken(t *testing.T, response harness.Secret) {
	t.Helper()
	lease := check.Value(w.lookUpLease(t, response.LeaseID))(t)
	ends := check.Value(time.Parse(time.RFC3339Nano, fmt.Sprint(lease.Data["expire_time"])))(t)
	dies := check.Value(time.Parse(time.RFC3339, response.String("expires_at")))(t)
	check.True(t, ends.Before(dies), "the lease ends at %s and its token dies at %s", ends, dies)
}

func (w *testVault) lookUpLease(t *testing.T, id string) (*api.Secret, error) {
	t.Helper()
	client := w.rootClient(t)
	return client.Sys().LookupWithContext(t.Context(), id)
}

// waitForLeaseEnd waits until Vault does not know the lease any more, which must be within the life of a token.
func (w *testVault) waitForLeaseEnd(t *testing.T, id string) {
	t.Helper()
	what := fmt.Sprintf("the lease %s does not end by itself; the server's log is %s", id, w.ServerLog())
	check.Eventually(t, 2*clientLife, what, func() bool {
		_, err := w.lookUpLease(t, id)
		check.Require(t, err == nil || statusOf(err) == http.StatusBadRequest, "looking up the lease %s: %v", id, err)
		return err != nil
	})
}

// waitForNoLeases waits until all leases below the path have ended by themselves.
func (w *testVault) waitForNoLeases(t *testing.T, path string) {
	t.Helper()
	client := w.rootClient(t)
	check.Eventually(t, 2*clientLife, "leases below "+path+" do not end by themselves", func() bool {
		return check.Value(client.Logical().ListWithContext(t.Context(), "sys/leases/lookup/"+path))(t) == nil
	})
}
