// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestAccountJSON(t *testing.T) {
	t.Parallel()
	want := simulator.Account{
		Protocol: simulator.FirstVision, Username: "u", Password: "p", ClientID: "c", ClientSecret: "s", Scope: "cards",
		TokenTTL: 90 * time.Second, RefreshTTL: time.Hour, SingleSession: true, AbsoluteExpiry: true, ExpiresInAsString: true,
		OmitExpiry: true, RepeatTokens: true, CorruptHeader: true, BusinessEnvelope: true, Latin1: true,
		SameToken: simulator.TokenRenewed,
	}
	data := check.Value(json.Marshal(want))(t)
	check.True(t, strings.Contains(string(data), `"token_ttl":"1m30s"`), "the duration is no Go duration: %s", data)
	var got simulator.Account
	check.NoError(t, json.Unmarshal(data, &got))
	check.Equal(t, got, want, "what was read")
	zero, err := json.Marshal(simulator.Account{Protocol: simulator.JWT})
	check.True(t, err == nil && string(zero) == `{"protocol":"jwt"}`, "zero fields: %s %v", zero, err)
}

func TestParseAccounts(t *testing.T) {
	t.Parallel()
	jwt := `{"protocol":"jwt","username":"u","password":"hush"}`
	tests := []struct {
		name, in, want string
		count          int
	}{
		{"one", `[` + jwt + `]`, "", 1},
		{"two", `[` + jwt + `,{"protocol":"firstvision","client_id":"c","client_secret":"s","token_ttl":"1h"}]`, "", 2},
		{"empty list", `[]`, "the list of accounts is empty", 0},
		{"empty", ``, "want a JSON list of accounts: it is empty", 0},
		{"object", jwt, "want a JSON list of accounts: want a JSON list, got a JSON object", 0},
		{"comma", "[\n" + jwt + ",\n]", "want a JSON list of accounts: it is not valid JSON in line 3", 0},
		{"cut", `[` + jwt, "want a JSON list of accounts: it is not valid JSON: it ends too early", 0},
		{"twice", `[` + jwt + `] []`, "want a JSON list of accounts: there is more than one JSON value", 0},
		{"unknown field", `[{"protocol":"jwt","user":"hush"}]`, `account 1: unknown field "user"`, 0},
		{"wrong type", `[{"protocol":"jwt","password":["hush"]}]`,
			`account 1: field "password": want a JSON string, got a JSON array`, 0},
		{"duration", `[{"protocol":"jwt","token_ttl":"hush"}]`,
			`account 1: field "token_ttl": want a Go duration such as "90s" or "1h30m"`, 0},
		{"refresh", `[{"protocol":"jwt","refresh_ttl":"1"}]`,
			`account 1: field "refresh_ttl": want a Go duration such as "90s" or "1h30m"`, 0},
		{"number", `[{"protocol":"jwt","token_ttl":60}]`, `account 1: field "token_ttl": want a JSON string, got a JSON number`, 0},
		{"bool", `[{"single_session":"yes"}]`, `account 1: field "single_session": want true or false, got a JSON string`, 0},
		{"protocol", `[` + jwt + `,{"protocol":"rest"}]`, `account 2: field "protocol": want one of ` + fmt.Sprint(simulator.Protocols()), 0},
		{"no password", `[{"protocol":"jwt","username":"u"}]`, `account 1: field "password": required for protocol jwt`, 0},
		{"no client", `[{"protocol":"soap","username":"u","password":"p"}]`,
			`account 1: field "client_id": required for protocol soap`, 0},
		{"no secret", `[{"protocol":"firstvision","client_id":"c"}]`,
			`account 1: field "client_secret": required for protocol firstvision`, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			accounts, err := simulator.ParseAccounts([]byte(test.in))
			got := ""
			if err != nil {
				got = err.Error()
			}
			check.True(t, got == test.want && len(accounts) == test.count,
				"want %q and %d accounts\n got %q and %d", test.want, test.count, got, len(accounts))
			check.True(t, !strings.Contains(got, "hush"), "the error repeats a value")
		})
	}
}

func TestNewRefusesAccounts(t *testing.T) {
	t.Parallel()
	one := account(simulator.JWT, nil)
	tests := []struct {
		name     string
		accounts []simulator.Account
		want     string
	}{
		{"twice", []simulator.Account{one, one}, `account "jwt/demo-jwt@simulator.example" is given twice`},
		{"incomplete", []simulator.Account{{Protocol: simulator.OAuth, Username: "u"}},
			`account "oauth/u": field "password": required for protocol oauth`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := simulator.New(simulator.Options{Accounts: test.accounts})
			check.True(t, err != nil && err.Error() == test.want, "want %s, got %v", test.want, err)
		})
	}
}

func TestDemoAccounts_OnePerProtocol(t *testing.T) {
	t.Parallel()
	demo := simulator.DemoAccounts()
	check.Require(t, len(demo) == len(simulator.Protocols()), "want %d accounts, got %d", len(simulator.Protocols()), len(demo))
	for i, p := range simulator.Protocols() {
		check.True(t, demo[i].Protocol == p && demo[i].Validate() == nil,
			"account %d: want a valid one of %s, got %s %v", i, p, demo[i].Protocol, demo[i].Validate())
		var given map[string]any
		check.NoError(t, json.Unmarshal([]byte(toJSON(demo[i])), &given))
		for name := range given {
			check.True(t, name == "protocol" || slices.Contains(simulator.Needs(p), name),
				"%s of %s may be missing: add it to credentials() in account.go", name, p)
		}
	}
}
