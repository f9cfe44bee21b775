// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// upstream is a simulator in the test's own process, so that tests can order faults and read counters. All that it hands out
// is noted as something that must not leak.
type upstream struct {
	*simulator.Simulator

	url    string
	caFile string
	client *http.Client
	world  *world
	// heard counts all requests, whatever they are.
	heard atomic.Int64
}

func newUpstream(t *testing.T, w *world) *upstream {
	t.Helper()
	sim, err := simulator.New(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{Simulator: sim, world: w, caFile: w.file("ca.pem")}
	server := httptest.NewUnstartedServer(u.noteTokens(t, sim))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // Tests of certificates and of dropped connections make it talk.
	server.StartTLS()
	t.Cleanup(server.Close)
	u.url, u.client = server.URL, server.Client()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(u.caFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return u
}

// addAccount makes an account known. Credentials that are missing are made up, with the characters that encodings change, so
// that a login proves that they arrive unharmed and a leak is found in whatever form.
func (u *upstream) addAccount(t *testing.T, account simulator.Account) simulator.Account {
	t.Helper()
	made := rand.Text()[:8]
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if account.Protocol != simulator.FirstVision {
		fill(&account.Username, "user-"+made+"@example.com")
		fill(&account.Password, canary("password"))
	}
	if account.Protocol != simulator.JWT {
		fill(&account.ClientID, "client-"+made)
		fill(&account.ClientSecret, canary("client-secret"))
	}
	if account.Protocol == simulator.FirstVision {
		fill(&account.Scope, "accounts cards")
	}
	u.SetAccount(account)
	for label, secret := range map[string]string{"password": account.Password, "client_secret": account.ClientSecret} {
		if secret == "" {
			continue
		}
		if err := u.world.secrets.Add(label+" of "+account.Name(), secret); err != nil {
			t.Fatal(err)
		}
	}
	return account
}

// canary returns a new secret that is found again in whatever form.
func canary(what string) string {
	return fmt.Sprintf(`%s "<&>'+%%2B \ü€ %s`, what, rand.Text())
}

// loginURL is the URL at which accounts of the protocol log in.
func (u *upstream) loginURL(protocol simulator.Protocol) string {
	switch protocol {
	case simulator.JWT:
		return u.url + "/api/v2/token-auth/"
	case simulator.OAuth:
		return u.url + "/oauth/access_token"
	case simulator.SOAP:
		return u.url + "/api.einvoice.php"
	default:
		return u.url + "/v1/api/oauth/token"
	}
}

// logins returns how often anybody tried to log in.
func (u *upstream) logins() int { return u.Counters().Logins }

// wantLogins checks how often anybody tried to log in so far.
func (u *upstream) wantLogins(t *testing.T, want int) {
	t.Helper()
	if got := u.logins(); got != want {
		t.Errorf("upstream saw %d logins, want %d", got, want)
	}
}

// wantAccepted checks that upstream's business call accepts the token of an answer.
func (u *upstream) wantAccepted(t *testing.T, protocol simulator.Protocol, answer harness.Secret) {
	t.Helper()
	status, body, accepted, err := simulator.CallBusiness(
		t.Context(), u.url, u.client, protocol, answer.String("access_token"), answer.String("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	if !accepted {
		t.Errorf("upstream refused the token: %d %s", status, body)
	}
}

// noteTokens passes requests on and notes every token in the answers.
func (u *upstream) noteTokens(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	elements := regexp.MustCompile(`<access_token>([^<]+)</access_token>`)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u.heard.Add(1)
		answer := &recorder{ResponseWriter: rw}
		next.ServeHTTP(answer, r)
		var body map[string]any
		if err := json.Unmarshal(answer.body.Bytes(), &body); err == nil {
			for _, key := range []string{"token", "access_token"} {
				note(t, u.world.tokens.Add, "access token", body[key])
			}
			for _, key := range []string{"refresh_token", "refresh token"} {
				note(t, u.world.secrets.Add, "refresh token", body[key])
			}
		}
		for _, match := range elements.FindAllSubmatch(answer.body.Bytes(), -1) {
			note(t, u.world.tokens.Add, "access token", string(match[1]))
		}
	})
}

func note(t *testing.T, add func(label, secret string) error, label string, value any) {
	t.Helper()
	token, ok := value.(string)
	if !ok {
		return
	}
	if err := add(label, token); err != nil {
		t.Error(err)
	}
}

// recorder keeps a copy of an answer.
type recorder struct {
	http.ResponseWriter

	body bytes.Buffer
}

func (r *recorder) Write(data []byte) (int, error) {
	r.body.Write(data)
	return r.ResponseWriter.Write(data)
}

// Unwrap lets the simulator take over the connection, which it does to drop it.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
