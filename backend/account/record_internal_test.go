// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// For two months a damaged page takes nothing of what the ledger is told. An entry of storage holds 1 MiB at most.
func TestRecord_FitsStorageThoughTheLedgerIsDamaged(t *testing.T) {
	t.Parallel()
	now := Reading{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	account := &transition{State: State{Known: known, Generation: "one"}}
	last := ""
	for n := range 60 * 24 * 6 { // one login every ten minutes
		token := NewToken(&upstream.Token{
			AccessToken: fmt.Sprint("token-", n), IssuedAt: now.Wall, ExpiresAt: now.Wall.Add(15 * time.Minute),
		}, now, &Account{Generation: "one"}, ReasonRotation)
		account.addToOutbox(token, 720*time.Hour)
		now.Wall, now.Elapsed = now.Wall.Add(10*time.Minute), now.Elapsed+10*time.Minute
		last = token.ID
	}
	record := account.record(Env{Reading: now})
	raw := check.Value(json.Marshal(record))(t)
	check.True(t, len(raw) <= 1<<20, "the record has grown to %d bytes", len(raw))
	n := len(record.Outbox)
	check.True(t, n > 0 && record.Outbox[n-1].ID == last, "of %d entries the last is not that of the last token", n)
}

// A script has rotated for hours, and the ledger takes nothing: a revocation that storage does not take is lost at a restart.
func TestRecord_FitsStorageWhenManyTokensAreRevoked(t *testing.T) {
	t.Parallel()
	const generation = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	now := Reading{Wall: time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)}
	s := State{Known: known, Generation: generation, Account: &Account{Generation: generation, Upstream: upstream.Account{
		Protocol: upstream.JWT, RefreshURL: "https://upstream.test/refresh/",
	}}}
	s.RefreshTarget = refreshTarget(&s.Account.Upstream)
	for _, size := range []int{200, 1000} {
		for n := range 3 * maxSuperseded {
			token := NewToken(&upstream.Token{
				AccessToken: fmt.Sprint("token-", size, n), RefreshToken: strings.Repeat("r", size), IssuedAt: now.Wall,
				ExpiresAt: now.Wall.Add(24 * time.Hour), RefreshExpiresAt: now.Wall.Add(48 * time.Hour),
			}, now, s.Account, ReasonVerification)
			account := &transition{State: s, env: Env{Reading: now}}
			account.addToOutbox(token, 720*time.Hour)
			account.State = account.accepted(token, account.env)
			s = account.State
			now.Wall, now.Elapsed = now.Wall.Add(10*time.Second), now.Elapsed+10*time.Second
		}
		revoked, _ := s.Apply(Env{Reading: now}, Revoke{})
		raw := check.Value(json.Marshal(revoked.record(Env{Reading: now})))(t)
		check.True(t, len(raw) <= 1<<20, "with refresh tokens of %d bytes the record has grown to %d bytes", size, len(raw))
		told := 0
		for _, o := range revoked.Outbox {
			if o.Token.revocation != "" {
				told++
			}
		}
		want := len(revoked.Superseded)
		check.True(t, told >= want && want >= 200, "refresh tokens of %d bytes: the outbox has %d of %d revocations", size, told, want)
	}
}

// What is stored of a token or a failed login is read again: no field of theirs is written in one place only.
func TestRecord_ReadAsWritten(t *testing.T) {
	t.Parallel()
	var token StoredToken
	fill(t, reflect.ValueOf(&token).Elem())
	s := State{RefreshTarget: "the endpoint"}
	check.Equal(t, s.storeToken(token.token(s.RefreshTarget)), token, "a token")
	var failed StoredFailedLogin
	fill(t, reflect.ValueOf(&failed).Elem())
	check.Equal(t, storeFailure(failed.failed(Reading{})), failed, "a failed login")
}

// fill gives each field a value of its own.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for n := range v.NumField() {
		field := v.Field(n)
		if field.Type() == reflect.TypeFor[time.Time]() {
			field.Set(reflect.ValueOf(time.Date(2026, 1, n+1, 0, 0, 0, 0, time.UTC)))
			continue
		}
		switch field.Kind() {
		case reflect.String:
			field.SetString(fmt.Sprint("value ", n))
		case reflect.Int, reflect.Int64:
			field.SetInt(int64(n + 1))
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Struct:
			fill(t, field)
		default:
			t.Fatalf("say here another value of a %s", field.Kind())
		}
	}
}

// Stored holds are found by these digests: with others an upgrade would send refused credentials again.
func TestDigests_StayTheSame(t *testing.T) {
	t.Parallel()
	a := &upstream.Account{
		Protocol: upstream.JWT, Format: upstream.JSON, TokenURL: "https://upstream.test/login/", RefreshURL: "https://upstream.test/refresh/",
		Username: "clerk", Password: "a-password", Headers: map[string]string{"Productid": "arap"},
	}
	for name, digest := range map[string][2]string{
		"login":          {loginOf(a), "31c88f6b71c93c0ebdf1c985c75b71d7b40983e74b137fd711ad0abccc578d31"},
		"credentials":    {credentialsOf(a), "abf3bb3fe43fe06f"},
		"refresh target": {refreshTarget(a), "e846a51ce9ed5dbc"},
	} {
		check.Equal(t, digest[0], digest[1], "%s: leave the order, and let a new field count only where it is set: digest", name)
	}
}
