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
		}, now, 0, &Account{Generation: "one"}, ReasonRotation)
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

// A script has rotated for hours, and the ledger takes nothing: a revocation that storage does not take is lost at a restart. The
// worst is such a day after another, under max_token_ttl, with a clock that was set, and refresh tokens just small enough to be kept.
func TestRecord_FitsStorageWhenManyTokensAreRevoked(t *testing.T) {
	t.Parallel()
	for _, size := range []int{maxRefreshBytes / maxSuperseded, 1000} {
		s, now := manyTokens(Reading{Wall: time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)}, State{}, size)
		s, _ = s.Apply(Env{Reading: now, Clock: s.clock}, Revoke{})
		now.Wall, now.Elapsed = now.Wall.Add(25*time.Hour), now.Elapsed+25*time.Hour
		s, now = manyTokens(now, s, size)
		s, _ = s.Apply(Env{Reading: now, Clock: s.clock}, Revoke{})
		for _, step := range []time.Duration{40 * time.Minute, -40 * time.Minute} {
			now.Wall = now.Wall.Add(step)
			s, _ = s.Apply(Env{Reading: now, Clock: s.clock.See(now)}, ClockSet{})
		}
		raw := check.Value(json.Marshal(s.record(Env{Reading: now, Clock: s.clock})))(t)
		check.True(t, len(raw) <= 1<<20, "with refresh tokens of %d bytes the record has grown to %d bytes", size, len(raw))
		told := 0
		for _, o := range s.Outbox {
			if o.Token.revocation != "" {
				told++
			}
		}
		want := len(s.Superseded)
		check.Equal(t, want, min(maxSuperseded, maxRefreshBytes/size), "with refresh tokens of %d bytes, the tokens that are kept", size)
		check.True(t, told >= want, "refresh tokens of %d bytes: the outbox has %d of %d revocations", size, told, want)
	}
}

// manyTokens is the state after more logins than it keeps tokens of, ten seconds apart. The ledger has taken none of them.
func manyTokens(now Reading, s State, refreshBytes int) (State, Reading) {
	const generation = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	s.Known, s.Generation, s.clock = known, generation, s.clock.See(now)
	s.Account = &Account{Generation: generation, MaxTokenTTL: 23 * time.Hour, Upstream: upstream.Account{
		Protocol: upstream.JWT, RefreshURL: "https://upstream.test/refresh/",
	}}
	s.RefreshTarget = refreshTarget(&s.Account.Upstream)
	for n := range maxSuperseded + maxOutbox {
		token := NewToken(&upstream.Token{
			AccessToken: fmt.Sprint("token-", now.Wall, n), RefreshToken: strings.Repeat("r", refreshBytes), IssuedAt: now.Wall,
			ExpiresAt: now.Wall.Add(24 * time.Hour), RefreshExpiresAt: now.Wall.Add(48 * time.Hour),
		}, now, 15*time.Second, s.Account, ReasonVerification).limited(s.Account)
		account := &transition{State: s, env: Env{Reading: now, Clock: s.clock}}
		account.addToOutbox(token, 720*time.Hour)
		s = account.accepted(token, account.env)
		now.Wall, now.Elapsed = now.Wall.Add(10*time.Second), now.Elapsed+10*time.Second
	}
	return s, now
}

// What is stored is read again: no field is written in one place only.
func TestRecord_ReadAsWritten(t *testing.T) {
	t.Parallel()
	var token StoredToken
	fill(t, reflect.ValueOf(&token).Elem(), new(int))
	s := State{RefreshTarget: "the endpoint"}
	check.Equal(t, s.storeToken(token.token(s.RefreshTarget)), token, "a token")
	var failed StoredFailedLogin
	fill(t, reflect.ValueOf(&failed).Elem(), new(int))
	check.Equal(t, storeFailure(failed.failed()), failed, "a failed login")

	var record Record
	fill(t, reflect.ValueOf(&record).Elem(), new(int))
	record.Schema = SchemaVersion
	record.Attempt = nil                            // see TestRecord_AttemptReadAsWritten
	record.Failure, record.Verifications = nil, nil // are read, and not written any more
	record.Superseded[0].Revocation = ""            // would be remembered as revoked too
	own := record.Clock                             // of the process that reads it
	restored := &transition{env: Env{Clock: ClockSteps{Process: own.Process, Forward: own.Forward, Back: own.Back, Lowered: own.Lowered}}}
	restored.clock = restored.env.Clock
	restored.restore(&record, nil)
	got, want := reflect.ValueOf(*restored.record(restored.env)), reflect.ValueOf(record)
	for n := range want.NumField() {
		check.Equal(t, got.Field(n).Interface(), want.Field(n).Interface(), "a record's %s", want.Type().Field(n).Name)
	}
}

// All that is stored of a login under way makes a difference where it is found at start.
func TestRecord_AttemptReadAsWritten(t *testing.T) {
	t.Parallel()
	now := Reading{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	a := &Account{RotationPercent: 100} // single session
	s := State{Known: known, Account: a, Work: &Work{Reason: ReasonVerification, Step: loggingIn, Account: a, Began: now}}
	found := func(attempt StoredAttempt) *transition {
		t := &transition{State: State{Current: &Token{IssuedAt: now.Wall, ExpiresAt: now.Wall.Add(time.Hour)}}, env: Env{Reading: now}}
		t.unfinished(&attempt, nil)
		return t
	}
	whole := *s.record(Env{Reading: now}).Attempt
	for n := range reflect.TypeFor[StoredAttempt]().NumField() {
		less := whole
		field, name := reflect.ValueOf(&less).Elem().Field(n), reflect.TypeFor[StoredAttempt]().Field(n).Name
		check.True(t, !field.IsZero(), "%s is not written", name)
		field.SetZero()
		check.True(t, !reflect.DeepEqual(found(whole), found(less)), "%s is not read", name)
	}
}

// fill gives each field a value of its own. n counts those that have one.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 1, *n, 0, 0, 0, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("value ", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), n)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, n)
		}
	default:
		t.Fatalf("say here another value of a %s", v.Kind())
	}
}

// Stored holds are found by these digests: with others an upgrade would send refused credentials again.
func TestDigests_StayTheSame(t *testing.T) {
	t.Parallel()
	a := &upstream.Account{
		Protocol: upstream.JWT, Format: upstream.JSON, TokenURL: "https://upstream.test/login/", RefreshURL: "https://upstream.test/refresh/",
		Username: "clerk", Password: "a-password", Headers: map[string]string{"Productid": "arap"},
	}
	full := &upstream.Account{
		Protocol: upstream.OAuth, Format: upstream.JSON, TokenURL: "https://upstream.test/login/",
		Username: "clerk", Password: "a-password", ClientID: "app", ClientSecret: "a-secret",
	}
	for name, digest := range map[string][2]string{
		"login with all credentials": {loginOf(full), "ab5564f720f9a11079eb15c1b31131c563d43bc20b8f6fa3aabac203eb7c7258"},
		"all credentials":            {credentialsOf(full), "061bde7489451a5b"},
		"login":                      {loginOf(a), "31c88f6b71c93c0ebdf1c985c75b71d7b40983e74b137fd711ad0abccc578d31"},
		"credentials":                {credentialsOf(a), "abf3bb3fe43fe06f"},
		"refresh target":             {refreshTarget(a), "e846a51ce9ed5dbc"},
	} {
		check.Equal(t, digest[0], digest[1], "%s: leave the order, and let a new field count only where it is set: digest", name)
	}
}
