// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Token is what the answers of token/, rotate/ and revoke/ show. Each text may be hidden, and is empty where it is missing.
type Token struct {
	AccessToken     string
	TokenID         string
	PreviousTokenID string
	Config          string
	IssuedAt        string
	ExpiresAt       string
	Error           string
	Tokens          map[string]Revocation
}

// Revocation is what became of one token.
type Revocation struct {
	Upstream   string
	ValidUntil string
}

// TokenID is the token_id of a token: the first 16 hex digits of its SHA-256.
func TokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// Field is one parameter of a request.
type Field struct {
	Name string `json:"name"`
	// Value is empty where the log hides it.
	Value string `json:"value,omitempty"`
	// Hidden tells that the log has an HMAC instead of the value.
	Hidden bool `json:"hidden,omitempty"`
	// Secret tells that the value is withheld here, and does not say whether the log shows it.
	Secret bool `json:"secret,omitempty"`
	// InClear tells that the log shows a secret.
	InClear bool `json:"in_clear,omitempty"`
}

// Fields are the parameters of a request, by name. Values of secrets are never in them.
func Fields(data []byte) []Field {
	var all map[string]any
	if len(data) == 0 || json.Unmarshal(data, &all) != nil {
		return nil
	}
	fields := make([]Field, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value, hidden := plain(all[name])
		f := Field{Name: name, Value: value, Hidden: hidden, Secret: IsSecret(name)}
		if f.Secret {
			f.Value, f.InClear = "", value != "" && !hidden
		}
		fields = append(fields, f)
	}
	return fields
}

// IsSecret reports whether the value of a parameter or of a field of an answer is a secret.
func IsSecret(name string) bool {
	switch strings.ToLower(name) {
	case "password", "client_secret", "access_token", "authorization", "refresh_token", "token":
		return true
	default:
		return false
	}
}

// plain is a value as text; hidden tells that the log hides it, or a part of it.
func plain(value any) (text string, hidden bool) {
	switch v := value.(type) {
	case string:
		if Hidden(v) {
			return "", true
		}
		return v, false
	case nil:
		return "", false
	case map[string]any, []any:
		encoded, err := json.Marshal(v)
		if err != nil || strings.Contains(string(encoded), hmacPrefix) {
			return "", true
		}
		return string(encoded), false
	default:
		encoded, err := json.Marshal(v)
		if err != nil {
			return "", true
		}
		return string(encoded), false
	}
}
