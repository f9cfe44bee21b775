// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"slices"
	"time"
)

// The settings of an account that only some protocols use, by the names that users know them by.
const (
	FieldRefreshURL          = "refresh_url"
	FieldRefreshHeaders      = "refresh_headers"
	FieldAssertionAudience   = "assertion_audience"
	FieldUsername            = "username"
	FieldPassword            = "password"
	FieldClientID            = "client_id"
	FieldClientSecret        = "client_secret"
	FieldScope               = "scope"
	FieldSOAPAction          = "soap_action"
	FieldSOAPUsernameElement = "soap_username_element"
	FieldSOAPPasswordElement = "soap_password_element"
)

// Spec is what a protocol declares about itself, in its own file. All that the engine does and says about a protocol follows
// from it: which fields a config needs, their defaults and help, what is removed from error messages, and user messages.
type Spec struct {
	Protocol Protocol
	// Summary says whose endpoint this is, for the help.
	Summary string
	// Formats are the request formats, the default first; empty where a login has one form only.
	Formats []Format
	// Fields are the settings that the protocol uses, beside those that all protocols use. Where two entries have one name,
	// they are for different formats.
	Fields []Field
	// TokenKeys and RefreshKeys are the names under which a response holds an access or a refresh token, the likeliest first,
	// at its top or in one of envelopes(). What stands under one of them is never shown, whatever the protocol of the response.
	TokenKeys, RefreshKeys []string
	// LifeKey is the name under which a response states a token's life, as a number of LifeUnits or as an epoch.
	LifeKey  string
	LifeUnit time.Duration
	// DefaultTokenTTL is the life of a token by the vendor's pages, for responses that do not state it.
	DefaultTokenTTL time.Duration
	// Scheme is the first word of the Authorization header.
	Scheme string
	// TokenUse says where in an API request the token goes, for hosts of which no preset says more.
	TokenUse string
	// ClientIDWithToken says that some of the APIs want the client id beside the token.
	ClientIDWithToken bool
}

// Field is how a protocol uses a setting.
type Field struct {
	Name     string
	Required bool
	// Default is what an empty setting means.
	Default string
	// Formats are the request formats that use the setting; empty means all of them.
	Formats []Format
}

// Use returns how the protocol uses a setting with a request format; used is false where it does not.
func (s Spec) Use(name string, format Format) (f Field, used bool) {
	for _, f := range s.Fields {
		if f.Name == name && (len(f.Formats) == 0 || slices.Contains(f.Formats, format)) {
			return f, true
		}
	}
	return Field{}, false
}

// Mentions reports whether the protocol uses a setting with any of its request formats.
func (s Spec) Mentions(name string) bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == name })
}

// DefaultFormat returns the first of the formats, or "" where there is none.
func (s Spec) DefaultFormat() Format {
	if len(s.Formats) == 0 {
		return ""
	}
	return s.Formats[0]
}

// protocol is the code of a login protocol.
type protocol interface {
	name() Protocol
	spec() Spec
	// login makes the request of a login. now is the time on the upstream's clock, as far as it is known.
	login(a *Account, now time.Time) *message
	// read reads the body of a response to a login or a refresh. s is what the protocol declares.
	read(body []byte, s Spec) *grant
}

// refresher is a protocol that can exchange a refresh token. Its Spec has the field FieldRefreshURL.
type refresher interface {
	refresh(a *Account, refreshToken string) *message
}

// protocols lists the login protocols, in the order of the documentation. A new one is entered here.
func protocols() []protocol {
	return []protocol{jwtProtocol{}, oauthProtocol{}, soapProtocol{}, firstVisionProtocol{}}
}

// Specs returns what each protocol declares, in the order of the documentation.
func Specs() []Spec {
	var specs []Spec
	for _, p := range protocols() {
		specs = append(specs, p.spec())
	}
	return specs
}

// SpecOf returns what a protocol declares; ok is false where there is no such protocol.
func SpecOf(name Protocol) (s Spec, ok bool) {
	p, ok := protocolNamed(name)
	if !ok {
		return Spec{}, false
	}
	return p.spec(), true
}

func protocolNamed(name Protocol) (p protocol, ok bool) {
	for _, p := range protocols() {
		if p.name() == name {
			return p, true
		}
	}
	return nil, false
}

// SecretKeys returns every name under which a response of any protocol may hold a token. An upstream that misbehaves may send
// what another protocol would: so none of them is shown, whichever protocol an account has.
func SecretKeys() []string {
	var keys []string
	for _, p := range protocols() {
		s := p.spec()
		for _, key := range slices.Concat(s.TokenKeys, s.RefreshKeys) {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// CanRefresh reports whether a refresh token of the account can be exchanged, which invalidates the pair.
func (a Account) CanRefresh() bool {
	if a.RefreshURL == "" {
		return false
	}
	p, _ := protocolNamed(a.Protocol)
	_, can := p.(refresher)
	return can
}
