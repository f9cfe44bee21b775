// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

const refreshPath = "/api/v2/api-token-refresh/"

// ksaLogin gives a pair.
func (b *bed) ksaLogin(a simulator.Account) (access, refresh string) {
	b.t.Helper()
	_, _, body := loginRequest(a)
	got := b.call(http.MethodPost, loginV2, body, ksaHeader()...)
	return got.member(b.t, "token"), got.member(b.t, "refresh_token")
}

func (b *bed) refresh(token string) response {
	b.t.Helper()
	return b.call(http.MethodPost, refreshPath, toJSON(map[string]string{"token": token}), ksaHeader()...)
}

func TestRefresh_KillsOldPair(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{typeJSON, typeForm} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			b, a := newBed(t), account(simulator.JWT, nil)
			access, refresh := b.ksaLogin(a)
			bystander, _ := b.ksaLogin(a)
			values := map[string]string{"token": refresh}
			body := toJSON(values)
			if encoding == typeForm {
				body = toForm(values)
			}
			got := b.call(http.MethodPost, refreshPath, body, append(ksaHeader(), "Content-Type", encoding)...)
			if got.status != http.StatusOK || !strings.HasPrefix(got.body, `{"token":"`) {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if b.TokenAlive(access) {
				t.Error("the old access token lives")
			}
			if !b.TokenAlive(got.member(t, "token")) || !b.TokenAlive(bystander) {
				t.Error("the new token and that of another login should live")
			}
			wantResponse(t, b.refresh(refresh), 206, `{"error":"Passing Incorrect/Invalid token"}`)
			if again := b.refresh(got.member(t, "refresh_token")); again.status != http.StatusOK {
				t.Errorf("the new refresh token: %d %s", again.status, again.body)
			}
			c := b.Counters()
			if c.Refreshes != 3 || c.RefreshesOK != 2 || c.Logins != 2 || c.Of(simulator.JWT, a.Username).RefreshesOK != 2 {
				t.Errorf("counters %+v", c)
			}
		})
	}
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	wrong := `{"error":"Passing Incorrect/Invalid token"}`
	own := func(_ *bed, _, refresh string) string { return refresh }
	tests := []struct {
		name   string
		header []string
		token  func(b *bed, access, refresh string) string
		status int
		want   string
	}{
		{"access token", ksaHeader(), func(_ *bed, access, _ string) string { return access }, 206, wrong},
		{"invented", ksaHeader(), func(*bed, string, string) string { return "x.y.z" }, 206, wrong},
		{"killed", ksaHeader(), func(b *bed, _, refresh string) string {
			b.KillTokens(simulator.JWT, "")
			return refresh
		}, 206, wrong},
		{"expired", ksaHeader(), func(b *bed, _, refresh string) string {
			b.clock.Advance(720 * time.Hour)
			return refresh
		}, 400, `{"error":"Expired Refresh token"}`},
		{"none", ksaHeader(), func(*bed, string, string) string { return "" }, 400, `{"token":["missing field"]}`},
		{"no headers", []string{"Content-Type", typeJSON}, own, 401, `{"detail":"Invalid Product"}`},
		{"no service", []string{"Content-Type", typeJSON, "Productid", "einvoicing_global"}, own, 400, `{"service":["missing field"]}`},
		{"text", append(ksaHeader(), "Content-Type", "text/plain"), own, 415,
			`{"detail":"Unsupported media type \"text/plain\" in request."}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, a := newBed(t), account(simulator.JWT, nil)
			access, refresh := b.ksaLogin(a)
			token := test.token(b, access, refresh)
			got := b.call(http.MethodPost, refreshPath, toJSON(map[string]string{"token": token}), test.header...)
			wantResponse(t, got, test.status, test.want)
			if c := b.Counters(); c.Refreshes != 1 || c.RefreshesOK != 0 {
				t.Errorf("counters %+v", c)
			}
		})
	}
}

func TestRefresh_ConcurrentOnlyOneSucceeds(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	_, refresh := b.ksaLogin(a)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { b.refresh(refresh) })
	}
	group.Wait()
	if c := b.Counters(); c.Refreshes != 8 || c.RefreshesOK != 1 {
		t.Errorf("counters %+v", c)
	}
}
