// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// secure is a mount whose upstream speaks TLS with a certificate for host, and the roots that vouch for it.
func secure(t *testing.T, host string, change func(*tls.Config)) (*testMount, string) {
	t.Helper()
	ca, err := simulator.NewCA()
	check.NoError(t, err)
	config, err := ca.ServerTLS(host)
	check.NoError(t, err)
	change(config)
	return newTestMountWith(t, func(w *testMount) { w.TLS = config }, oauth().account), string(ca.CertPEM())
}

// verifiedOAuth is secureOAuth with a login.
func verifiedOAuth(more ...any) map[string]any {
	return with(with(secureOAuth(), "verify_connection", true), more...)
}

func TestTransport_TLSNeedsTrustedRoots(t *testing.T) {
	t.Parallel()
	timed(t, "the right ones", func(t *testing.T) {
		w, roots := secure(t, "upstream.test", func(*tls.Config) {})
		w.loggingIn(1, func() { w.write("config/gst", verifiedOAuth("ca_cert", roots)) })
	})
	for name, bad := range map[string]struct {
		host   string
		change func(*tls.Config)
		roots  func(own string) string
	}{
		"the system's":         {"upstream.test", func(*tls.Config) {}, func(string) string { return "" }},
		"another's":            {"upstream.test", func(*tls.Config) {}, func(string) string { return roots(t) }},
		"for another host":     {"elsewhere.test", func(*tls.Config) {}, func(own string) string { return own }},
		"but a TLS of old age": {"upstream.test", func(c *tls.Config) { c.MaxVersion, c.MinVersion = tls.VersionTLS11, tls.VersionTLS10 }, func(own string) string { return own }},
	} {
		timed(t, name, func(t *testing.T) {
			w, own := secure(t, bad.host, bad.change)
			w.loggingIn(0, func() {
				r := w.upstreamRefusal(logical.UpdateOperation, "config/gst", verifiedOAuth("ca_cert", bad.roots(own)), http.StatusBadGateway)
				w.says(r.message, "gst", "verify_connection=false")
			})
			check.True(t, len(w.Network.Dialed()) != 0, "the upstream was not even dialled")
			check.Equal(t, len(w.storedUnder("config/")), 0, "entries under config/")
		})
	}
}

func TestTransport_ProxyOfConfig(t *testing.T) {
	eachNamed(t, map[string]string{
		"": "upstream.test:80", "http://proxy.test:3128": "proxy.test:3128", "http://proxy.test": "proxy.test:80",
	}, func(t *testing.T, proxy, address string) {
		w := newTestMount(t, oauth().account)
		w.loggingIn(1, func() { w.write("config/gst", with(oauth().config, "proxy_url", proxy)) })
		check.Equal(t, w.Network.Dialed(), []string{address}, "dialled")
	})
}

// Connections stall. Once new ones work, a reader waits for no more than the attempt under way and one hold.
func TestHTTP2_FirstSuccessAfterStall(t *testing.T) {
	t.Parallel()
	for _, speaks := range []string{"h2", "http/1.1"} {
		timed(t, speaks+", one connection", func(t *testing.T) {
			w := stalling(t, speaks)
			began := time.Now()
			w.Simulator.SetFault(simulator.OAuth, simulator.Fault{Kind: simulator.FaultStall, Remaining: 1})
			failures, waited := readUntilSuccess(t, w), time.Since(began)
			check.True(t, failures >= 1 && waited <= 15*time.Second+1250*time.Millisecond+time.Second,
				"%d reads failed, and the first success came after %s, want it after one timeout and one hold", failures, waited)
		})
		timed(t, speaks+", every connection for five minutes", func(t *testing.T) {
			w := stalling(t, speaks)
			began := time.Now()
			w.Simulator.SetFault(simulator.OAuth, simulator.Fault{Kind: simulator.FaultStall})
			recovery := time.AfterFunc(5*time.Minute, func() {
				began = time.Now()
				w.Simulator.SetFault(simulator.OAuth, simulator.Fault{})
			})
			defer recovery.Stop()
			// Holds have grown to 60 s by now, give or take a quarter.
			failures, waited := readUntilSuccess(t, w), time.Since(began)
			check.True(t, failures >= 100 && waited <= 15*time.Second+75*time.Second+time.Second,
				"%d reads failed, and the first success came %s after the end of the stall", failures, waited)
		})
	}
}

// stalling is a mount whose upstream may stop responding.
func stalling(t *testing.T, speaks string) *testMount {
	t.Helper()
	w, roots := secure(t, "upstream.test", func(c *tls.Config) { c.NextProtos = []string{speaks} })
	w.write("config/gst", with(secureOAuth(), "ca_cert", roots, "verify_connection", false))
	w.write("role/app", map[string]any{"config": "gst"})
	return w
}

// readUntilSuccess reads once a second and returns how many reads failed.
func readUntilSuccess(t *testing.T, w *testMount) int {
	t.Helper()
	for failures := range 3600 {
		_, err := w.tryRead("token/app", nil)
		if err == nil {
			return failures
		}
		check.Require(t, strings.Contains(err.Error(), "in time"), "%v", err)
		<-time.After(time.Second)
	}
	t.Fatal("no read has succeeded")
	return 0
}

// overTLS is a mount whose upstream has a certificate of an authority of its own.
func overTLS(t *testing.T, ca *simulator.CA) *testMount {
	t.Helper()
	config, err := ca.ServerTLS("upstream.test")
	check.NoError(t, err)
	s := newTestMountWith(t, func(m *testMount) { m.TLS, m.Upstream.Latency = config, time.Nanosecond }, jwtAccount(withTTL(time.Hour)))
	s.write("config/gst", jwtConfig(
		"token_url", strings.Replace(upstreamURL, "http:", "https:", 1)+"/api/v1/token-auth/", "verify_connection", false,
	))
	s.write("role/app", map[string]any{"config": "gst"})
	return s
}
