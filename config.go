// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// configSchema is the version of config that this code writes. Every version ever released stays readable.
const configSchema = 1

// config is the storage entry of an upstream account. Durations are whole seconds.
type config struct {
	Schema     int    `json:"schema"`
	Generation string `json:"generation"`
	// CredentialsUpdatedAt is when a user name, id or secret was last changed.
	CredentialsUpdatedAt time.Time `json:"credentials_updated_at"`

	Preset              string            `json:"preset,omitempty"`
	Protocol            string            `json:"protocol"`
	TokenURL            string            `json:"token_url"`
	RefreshURL          string            `json:"refresh_url,omitempty"`
	RequestFormat       string            `json:"request_format,omitempty"`
	AssertionAudience   string            `json:"assertion_audience,omitempty"`
	Username            string            `json:"username,omitempty"`
	Password            string            `json:"password,omitempty"`
	ClientID            string            `json:"client_id,omitempty"`
	ClientSecret        string            `json:"client_secret,omitempty"`
	Scope               string            `json:"scope,omitempty"`
	Headers             map[string]string `json:"headers,omitempty"`
	RefreshHeaders      map[string]string `json:"refresh_headers,omitempty"`
	SOAPAction          string            `json:"soap_action,omitempty"`
	SOAPUsernameElement string            `json:"soap_username_element,omitempty"`
	SOAPPasswordElement string            `json:"soap_password_element,omitempty"`
	AuthorizationScheme string            `json:"authorization_scheme"`
	DefaultTokenTTL     int               `json:"default_token_ttl"`
	MaxTokenTTL         int               `json:"max_token_ttl"`
	RotationPercent     int               `json:"rotation_percent"`
	RequestTimeout      int               `json:"request_timeout"`
	CACert              string            `json:"ca_cert,omitempty"`
	ProxyURL            string            `json:"proxy_url,omitempty"`
	AllowHTTP           bool              `json:"allow_http,omitempty"`
	Paused              bool              `json:"paused,omitempty"`
	PauseReason         string            `json:"pause_reason,omitempty"`
	LedgerRetention     int               `json:"ledger_retention"`
}

// String keeps a config that strays into a format string from showing its secrets.
func (c *config) String() string { return "config of protocol " + c.Protocol }

// GoString does the same for %#v.
func (c *config) GoString() string { return c.String() }

// clone is a copy that shares nothing with the original.
func (c *config) clone() *config {
	copied := *c
	copied.Headers, copied.RefreshHeaders = maps.Clone(c.Headers), maps.Clone(c.RefreshHeaders)
	return &copied
}

// equal reports whether two configs have the same settings; when they were written does not count.
func (c *config) equal(other *config) bool {
	a, b := *c, *other
	a.Generation, a.CredentialsUpdatedAt = b.Generation, b.CredentialsUpdatedAt
	return reflect.DeepEqual(a, b)
}

// sameCredentials reports whether two configs log in as the same user with the same secrets.
func (c *config) sameCredentials(other *config) bool {
	return slices.Equal(c.account("").Upstream.Credentials(), other.account("").Upstream.Credentials())
}

// account is what the issuer must know of the config.
func (c *config) account(name string) *issuer.Account {
	return &issuer.Account{
		Name:       name,
		Generation: c.Generation,
		Upstream: upstream.Account{
			Protocol:            upstream.Protocol(c.Protocol),
			TokenURL:            c.TokenURL,
			RefreshURL:          c.RefreshURL,
			Format:              upstream.Format(c.RequestFormat),
			AssertionAudience:   c.AssertionAudience,
			Username:            c.Username,
			Password:            c.Password,
			ClientID:            c.ClientID,
			ClientSecret:        c.ClientSecret,
			Scope:               c.Scope,
			Headers:             c.Headers,
			RefreshHeaders:      c.RefreshHeaders,
			SOAPAction:          c.SOAPAction,
			SOAPUsernameElement: c.SOAPUsernameElement,
			SOAPPasswordElement: c.SOAPPasswordElement,
			DefaultTokenTTL:     seconds(c.DefaultTokenTTL),
			RequestTimeout:      seconds(c.RequestTimeout),
			CACert:              c.CACert,
			ProxyURL:            c.ProxyURL,
		},
		MaxTokenTTL:          seconds(c.MaxTokenTTL),
		RotationPercent:      c.RotationPercent,
		Paused:               c.Paused,
		PauseReason:          c.PauseReason,
		AuthorizationScheme:  c.AuthorizationScheme,
		CredentialsUpdatedAt: c.CredentialsUpdatedAt,
		LedgerRetention:      seconds(c.LedgerRetention),
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// configField is one field of config/<name>: its schema, and where its value is kept.
type configField struct {
	name        string
	kind        framework.FieldType
	description string
	sensitive   bool
	// at points to the value: a *string, *int, *bool or *map[string]string.
	at func(*config) any
	// fallback is the default under a protocol; nil for the type's zero value.
	fallback func(upstream.Spec) any
	// allowed are all values of the field, where they are few.
	allowed []any
	// perProtocol is set if a value that is valid for one protocol is wrong for another.
	perProtocol bool
	// declared is set if only the protocols whose upstream.Spec lists the field use it.
	declared bool
	// moves is set if a change of the field changes where the secrets are sent, as that of each URL does.
	moves bool
	// identifies is set if another value most likely means another account of the vendor.
	identifies bool
	// filled is set if presets set the field, and ifSaid if only those presets do that have a value for it.
	filled, ifSaid bool
	// specs are what the protocols declare.
	specs []upstream.Spec
}

// fieldVerifyConnection is a parameter of a write, and no part of what is stored.
const fieldVerifyConnection = "verify_connection"

// specOf returns what a protocol declares: the zero Spec for an unknown protocol.
func specOf(protocol string) upstream.Spec {
	spec, _ := upstream.SpecOf(upstream.Protocol(protocol))
	return spec
}

func protocols() []string {
	var names []string
	for _, spec := range upstream.Specs() {
		names = append(names, string(spec.Protocol))
	}
	return names
}

// secretFields are the fields that no response shows.
func secretFields() []string {
	var names []string
	for _, c := range (upstream.Account{}).Credentials() {
		if c.Secret {
			names = append(names, c.Name)
		}
	}
	return names
}

// configFields are all stored fields, in the order of the documentation. request_format stands before the fields that only some
// formats use: a write is merged in this order.
func configFields() []configField {
	always := func(value any) func(upstream.Spec) any { return func(upstream.Spec) any { return value } }
	fields := []configField{
		{
			name: "preset", kind: framework.TypeString,
			at: func(c *config) any { return &c.Preset },
			description: "Name of a documented login endpoint, which sets the fields that preset/ shows. Fields given in the same write " +
				"take precedence. List preset/ for the names.",
		},
		{
			name: "protocol", kind: framework.TypeString,
			at: func(c *config) any { return &c.Protocol }, moves: true, identifies: true, filled: true,
			description: "Wire protocol of the login endpoint: " + protocolWords() + ".",
		},
		{
			name: "token_url", kind: framework.TypeString,
			at: func(c *config) any { return &c.TokenURL }, identifies: true, filled: true,
			description: "Full URL of the login endpoint, used exactly as given. Must be https unless allow_http is true.",
		},
		{
			name: upstream.FieldRefreshURL, kind: framework.TypeString,
			at: func(c *config) any { return &c.RefreshURL }, filled: true, declared: true,
			description: "Full URL of the endpoint that exchanges a refresh token. Used to revoke tokens, never to rotate them.",
		},
		{
			name: "request_format", kind: framework.TypeString,
			perProtocol: true, at: func(c *config) any { return &c.RequestFormat }, filled: true,
			fallback: func(spec upstream.Spec) any { return string(spec.DefaultFormat()) },
			description: "Encoding of the login request. " + formatWords() + ". assertion: a form with an assertion signed " +
				"with the client secret, which is not sent.",
		},
		{
			name: upstream.FieldAssertionAudience, kind: framework.TypeString,
			at: func(c *config) any { return &c.AssertionAudience }, filled: true, ifSaid: true, declared: true,
			description: "Audience (aud) of the signed assertion: the authorization server's token URL, not token_url.",
		},
		{
			name: upstream.FieldUsername, kind: framework.TypeString,
			at: func(c *config) any { return &c.Username }, declared: true,
			description: "User name of the account.",
		},
		{
			name: upstream.FieldPassword, kind: framework.TypeString,
			at: func(c *config) any { return &c.Password }, declared: true,
			description: "Password of the account, never returned. Set password=- to read it from standard input.",
		},
		{
			name: upstream.FieldClientID, kind: framework.TypeString,
			at: func(c *config) any { return &c.ClientID }, declared: true,
			description: "Client ID of the account.",
		},
		{
			name: upstream.FieldClientSecret, kind: framework.TypeString,
			at: func(c *config) any { return &c.ClientSecret }, declared: true,
			description: "Client secret of the account, never returned. Set client_secret=- to read it from standard input.",
		},
		{
			name: upstream.FieldScope, kind: framework.TypeString,
			at: func(c *config) any { return &c.Scope }, filled: true, ifSaid: true, declared: true,
			description: "Scopes to request, separated by spaces.",
		},
		{
			name: "headers", kind: framework.TypeKVPairs,
			at: func(c *config) any { return &c.Headers }, filled: true,
			description: "Additional headers of a login, as name=value pairs. Not for secrets: a read returns them. " +
				"An update replaces all; an empty value removes them.",
		},
		{
			name: upstream.FieldRefreshHeaders, kind: framework.TypeKVPairs,
			at: func(c *config) any { return &c.RefreshHeaders }, filled: true, declared: true,
			description: "Additional headers for the exchange of a refresh token, as name=value pairs.",
		},
		{
			name: upstream.FieldSOAPAction, kind: framework.TypeString,
			perProtocol: true, at: func(c *config) any { return &c.SOAPAction }, declared: true,
			description: "SOAPAction header of the login request.",
		},
		{
			name: upstream.FieldSOAPUsernameElement, kind: framework.TypeString,
			perProtocol: true, at: func(c *config) any { return &c.SOAPUsernameElement }, declared: true,
			description: "Name of the XML element that holds the user name.",
		},
		{
			name: upstream.FieldSOAPPasswordElement, kind: framework.TypeString,
			perProtocol: true, at: func(c *config) any { return &c.SOAPPasswordElement }, declared: true,
			description: "Name of the XML element that holds the password.",
		},
		{
			name: "authorization_scheme", kind: framework.TypeString,
			perProtocol: true, at: func(c *config) any { return &c.AuthorizationScheme }, filled: true,
			fallback: func(spec upstream.Spec) any { return spec.Scheme },
			description: "First word of authorization in the response. " + defaultWords(func(spec upstream.Spec) string {
				return spec.Scheme
			}) + ".",
		},
		{
			name: "default_token_ttl", kind: framework.TypeDurationSecond,
			perProtocol: true, at: func(c *config) any { return &c.DefaultTokenTTL },
			fallback: func(spec upstream.Spec) any { return int(spec.DefaultTokenTTL / time.Second) },
			description: "Lifetime of a token if the login response states none, in seconds or as a duration, at least 10s. " +
				defaultWords(func(spec upstream.Spec) string {
					return shortDuration(int(spec.DefaultTokenTTL / time.Second))
				}) + ".",
		},
		{
			name: "max_token_ttl", kind: framework.TypeDurationSecond,
			at: func(c *config) any { return &c.MaxTokenTTL },
			description: "Upper limit for the lifetime that a login response states, in seconds or as a duration, at least 10s. " +
				"Default 0s: no limit.",
		},
		{
			name: "rotation_percent", kind: framework.TypeInt,
			at: func(c *config) any { return &c.RotationPercent }, fallback: always(66),
			description: "Percentage of a token's lifetime, from 1 to 100, after which a new login replaces it. Default 66. Set 100 " +
				"if a new login invalidates the old token, which is then replaced only after it has expired.",
		},
		{
			name: "request_timeout", kind: framework.TypeDurationSecond,
			at: func(c *config) any { return &c.RequestTimeout }, fallback: always(15),
			description: "Time limit for one login attempt, from dial to last byte, in seconds or as a duration, from 1s to 60s. " +
				"Default 15s.",
		},
		{
			name: "ca_cert", kind: framework.TypeString,
			at: func(c *config) any { return &c.CACert }, moves: true,
			description: "PEM-encoded CA certificates to trust instead of those of the system.",
		},
		{
			name: "proxy_url", kind: framework.TypeString,
			at:          func(c *config) any { return &c.ProxyURL },
			description: "URL of the proxy. Default: HTTPS_PROXY and NO_PROXY in the environment of the Vault server.",
		},
		{
			name: "allow_http", kind: framework.TypeBool,
			at: func(c *config) any { return &c.AllowHTTP }, moves: true,
			description: "Allow plain http URLs: the password is then sent in clear text. Default false.",
		},
		{
			name: "paused", kind: framework.TypeBool,
			at:          func(c *config) any { return &c.Paused },
			description: "Stop logins and reads: reads fail with pause_reason. Default false.",
		},
		{
			name: "pause_reason", kind: framework.TypeString,
			at:          func(c *config) any { return &c.PauseReason },
			description: "Reason for the pause, which the error of a read shows.",
		},
		{
			name: "ledger_retention", kind: framework.TypeDurationSecond,
			at:       func(c *config) any { return &c.LedgerRetention },
			fallback: always(int(720 * time.Hour / time.Second)),
			description: "How long the ledger keeps the record of a token after it expires, in seconds or as a duration, from 0s to " +
				"9600h. The token itself is not kept. Default 720h.",
		},
	}
	specs := upstream.Specs()
	for n := range fields {
		fields[n].declare(specs)
	}
	return fields
}

// declare completes a field with what the protocols declare about it.
func (f *configField) declare(specs []upstream.Spec) {
	f.specs = specs
	for _, c := range (upstream.Account{}).Credentials() {
		if c.Name == f.name {
			f.sensitive, f.identifies = c.Secret, !c.Secret
		}
	}
	if f.name == "protocol" {
		for n := range specs {
			f.allowed = append(f.allowed, string(specs[n].Protocol))
		}
	}
	if !f.declared {
		return
	}
	f.description += usedByWords(f.name)
	if f.fallback == nil && f.perProtocol {
		f.fallback = func(spec upstream.Spec) any {
			use, _ := spec.Use(f.name, spec.DefaultFormat())
			return use.Default
		}
	}
}

// documentedDefault is the default in the documentation, with durations in the form 15s; nil if there is none, or if it depends
// on the protocol.
func (f *configField) documentedDefault() any {
	switch {
	case f.perProtocol:
		return nil
	case f.fallback == nil && f.kind == framework.TypeBool:
		return false
	case f.fallback == nil && f.kind == framework.TypeDurationSecond:
		return shortDuration(0)
	case f.fallback == nil:
		return nil
	}
	value := f.fallback(upstream.Spec{})
	if n, is := value.(int); is && f.kind == framework.TypeDurationSecond {
		return shortDuration(n)
	}
	return value
}

// shortDuration formats a number of seconds as all help does, such as 15s, 5m or 24h.
func shortDuration(n int) string {
	text := seconds(n).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// usedBy reports whether a login by the config uses the field.
func (f *configField) usedBy(c *config) bool {
	if !f.declared {
		return true
	}
	_, used := f.use(c)
	return used
}

// use is how the config's protocol declares the field for the config's format; used is false if it does not.
func (f *configField) use(c *config) (use upstream.Field, used bool) {
	return f.spec(c.Protocol).Use(f.name, upstream.Format(c.RequestFormat))
}

// spec returns what a protocol declares: the zero Spec for an unknown protocol.
func (f *configField) spec(protocol string) upstream.Spec {
	for n := range f.specs {
		if string(f.specs[n].Protocol) == protocol {
			return f.specs[n]
		}
	}
	return upstream.Spec{}
}

// value is what a read shows.
func (f *configField) value(c *config) any {
	switch at := f.at(c).(type) {
	case *string:
		return *at
	case *int:
		return *at
	case *bool:
		return *at
	case *map[string]string:
		if *at == nil {
			return map[string]string{}
		}
		return *at
	default:
		return nil
	}
}

// set stores a decoded value, or the default for the protocol where value is reset.
func (f *configField) set(c *config, value any) {
	if _, back := value.(reset); back {
		f.reset(c)
		return
	}
	switch at := f.at(c).(type) {
	case *string:
		*at, _ = value.(string)
	case *int:
		*at, _ = value.(int)
	case *bool:
		*at, _ = value.(bool)
	case *map[string]string:
		*at, _ = value.(map[string]string)
		if len(*at) == 0 {
			*at = nil
		}
	}
}

// reset stores the default for the config's protocol.
func (f *configField) reset(c *config) {
	if f.fallback != nil {
		f.set(c, f.fallback(f.spec(c.Protocol)))
		return
	}
	switch at := f.at(c).(type) {
	case *string:
		*at = ""
	case *int:
		*at = 0
	case *bool:
		*at = false
	case *map[string]string:
		*at = nil
	}
}

// empty reports whether the field holds nothing.
func (f *configField) empty(c *config) bool {
	return reflect.ValueOf(f.at(c)).Elem().IsZero()
}

// fieldNames joins names for a sentence.
func fieldNames(names []string) string { return strings.Join(names, ", ") }
