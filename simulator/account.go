// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Protocol is the wire protocol of a login endpoint.
type Protocol string

// Protocols lists every protocol, in the order in which the pages are cited.
func Protocols() []Protocol {
	var names []Protocol
	for _, v := range vendors() {
		names = append(names, v.protocol)
	}
	return names
}

// Account is one upstream account. Credentials must be given; every other zero field takes its default.
type Account struct {
	Protocol     Protocol `json:"protocol"`
	Username     string   `json:"username,omitempty"`
	Password     string   `json:"password,omitempty"`
	ClientID     string   `json:"client_id,omitempty"`
	ClientSecret string   `json:"client_secret,omitempty"`

	// Scope is for firstvision: the scopes, separated by spaces, that this client may ask for. Default: all documented ones.
	Scope string `json:"scope,omitempty"`
	// AssertionAudience is for firstvision: what the claim aud of an assertion must be. Default: the token URL of the page's sample
	// or of the host that is asked, for the region of the endpoint.
	AssertionAudience string `json:"assertion_audience,omitempty"`

	// TokenTTL is the life of an access token, in whole seconds. Default: what the vendor's page says. A negative one makes tokens
	// that are born dead.
	TokenTTL time.Duration `json:"token_ttl,omitempty"`
	// RefreshTTL is the life of a jwt v2 refresh token. Default: 720h, as in the sample of page v2.
	RefreshTTL time.Duration `json:"refresh_ttl,omitempty"`

	// SingleSession makes a new login kill the older tokens. Whether the vendor does that is unknown.
	SingleSession bool `json:"single_session,omitempty"`
	// AbsoluteExpiry is for firstvision: expires_in is an epoch in seconds, as on the page of 2022.
	AbsoluteExpiry bool `json:"absolute_expiry,omitempty"`
	// ExpiresInAsString is for oauth and firstvision: expires_in is a JSON string.
	ExpiresInAsString bool `json:"expires_in_as_string,omitempty"`
	// OmitExpiry leaves out the lifetime: expires_in, and exp in the token.
	OmitExpiry bool `json:"omit_expiry,omitempty"`
	// RepeatTokens is for jwt v1 and firstvision. The claims that the pages show hold nothing unique, so two logins within one
	// second would give the very same token. That is probably true of the vendors and a trap for tests: it is off unless asked
	// for, and a random "jti" in the token's header keeps tokens apart.
	RepeatTokens bool `json:"repeat_tokens,omitempty"`
	// SameToken is for oauth and soap: what a login gives while a token of the account is alive.
	SameToken SameToken `json:"same_token,omitempty"`
	// BusinessEnvelope is for jwt and oauth: login responses are in the envelope of the business calls, over 200, with the token in
	// a string that holds JSON.
	BusinessEnvelope bool `json:"business_envelope,omitempty"`
	// Latin1 is for soap: login responses are in ISO-8859-1, and errors contain characters that need it.
	Latin1 bool `json:"latin1,omitempty"`
	// CorruptHeader is for jwt and firstvision: the token's header is no JSON, as in both samples of page v2.
	CorruptHeader bool `json:"corrupt_header,omitempty"`
}

// SameToken says what a login gives while a token of the account is alive.
type SameToken string

const (
	// NewToken is the default: every login gives another token.
	NewToken SameToken = ""
	// TokenRepeated returns the same token again with its full lifetime, although its expiry does not change.
	TokenRepeated SameToken = "repeated"
	// TokenRenewed gives the token again, and prolongs it.
	TokenRenewed SameToken = "renewed"
)

// accountKey names an account: the protocol, and the username (where accounts have none: the client_id).
type accountKey struct {
	protocol Protocol
	name     string
}

func (k accountKey) String() string { return string(k.protocol) + "/" + k.name }

// Name is what the account logs in as: its username, or its client_id where accounts of its protocol have no username.
func (a Account) Name() string {
	if !slices.Contains(Needs(a.Protocol), "username") {
		return a.ClientID
	}
	return a.Username
}

// credential is one of the values that an account may log in with.
type credential struct{ name, value string }

func (a Account) credentials() []credential {
	return []credential{
		{"username", a.Username}, {"password", a.Password}, {"client_id", a.ClientID}, {"client_secret", a.ClientSecret},
	}
}

func (a Account) key() accountKey { return accountKey{a.Protocol, a.Name()} }

// Validate names the first field that is missing or not understood.
func (a Account) Validate() error {
	if !slices.Contains(Protocols(), a.Protocol) {
		return fmt.Errorf("field %q: want one of %v", "protocol", Protocols())
	}
	needs := Needs(a.Protocol)
	for _, field := range a.credentials() {
		if field.value == "" && slices.Contains(needs, field.name) {
			return fmt.Errorf("field %q: required for protocol %s", field.name, a.Protocol)
		}
	}
	if !slices.Contains([]SameToken{NewToken, TokenRepeated, TokenRenewed}, a.SameToken) {
		return fmt.Errorf("field %q: want %s, %s or nothing", "same_token", TokenRepeated, TokenRenewed)
	}
	return nil
}

// withDefaults fills the zero fields.
func (a Account) withDefaults() Account {
	if a.TokenTTL == 0 {
		a.TokenTTL = vendorOf(a.Protocol).tokenTTL
	}
	if a.RefreshTTL == 0 {
		a.RefreshTTL = 720 * time.Hour
	}
	if a.Scope == "" {
		a.Scope = firstVisionScopes
	}
	return a
}

// DemoAccounts are the invented accounts that the program serves when it is given none: one a protocol.
func DemoAccounts() []Account {
	var accounts []Account
	for _, v := range vendors() {
		accounts = append(accounts, v.demo)
	}
	return accounts
}

// ParseAccounts reads a JSON list of accounts. Errors say which account and which field, and repeat no value.
func ParseAccounts(data []byte) ([]Account, error) {
	var entries []json.RawMessage
	if err := decodeStrict(data, &entries); err != nil {
		return nil, fmt.Errorf("want a JSON list of accounts: %w", err)
	}
	if len(entries) == 0 {
		return nil, errors.New("the list of accounts is empty")
	}
	accounts := make([]Account, len(entries))
	for i, entry := range entries {
		if err := decodeStrict(entry, &accounts[i]); err != nil {
			return nil, fmt.Errorf("account %d: %w", i+1, err)
		}
		if err := accounts[i].Validate(); err != nil {
			return nil, fmt.Errorf("account %d: %w", i+1, err)
		}
	}
	return accounts, nil
}

// plainAccount is Account without its JSON methods.
type plainAccount Account

// accountJSON shadows the durations of the embedded account with strings such as "24h".
type accountJSON struct {
	plainAccount
	TokenTTL   string `json:"token_ttl,omitempty"`
	RefreshTTL string `json:"refresh_ttl,omitempty"`
}

// MarshalJSON writes durations as Go duration strings. The secrets are in it.
func (a Account) MarshalJSON() ([]byte, error) {
	out := accountJSON{plainAccount: plainAccount(a)}
	if a.TokenTTL != 0 {
		out.TokenTTL = a.TokenTTL.String()
	}
	if a.RefreshTTL != 0 {
		out.RefreshTTL = a.RefreshTTL.String()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses fields that it does not know.
func (a *Account) UnmarshalJSON(data []byte) error {
	var in accountJSON
	if err := decodeStrict(data, &in); err != nil {
		return err
	}
	var err error
	if in.plainAccount.TokenTTL, err = parseDuration("token_ttl", in.TokenTTL); err != nil {
		return err
	}
	if in.plainAccount.TokenTTL%time.Second != 0 {
		return errors.New(`field "token_ttl": want whole seconds`)
	}
	if in.plainAccount.RefreshTTL, err = parseDuration("refresh_ttl", in.RefreshTTL); err != nil {
		return err
	}
	*a = Account(in.plainAccount)
	return nil
}
