// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// withheld stands for a secret that the log shows.
const withheld = "[withheld]"

// hmacPrefix begins every value that the audit device has hashed.
const hmacPrefix = "hmac-sha256:"

func isHidden(value string) bool { return strings.HasPrefix(value, hmacPrefix) }

// What a text may have of secrets, whoever wrote it there.
var (
	jwtPattern   = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*`)
	vaultPattern = regexp.MustCompile(`\b[hs]v?[bsr]?\.[A-Za-z0-9_-]{20,}`)
	urlPattern   = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)
)

// safe is a text without what may be a secret: tokens, and user info, query and fragment of URLs.
func (c *classifier) safe(text string) string {
	if isHidden(text) {
		return text
	}
	if c.leaked != "" {
		text = strings.ReplaceAll(text, c.leaked, withheld)
	}
	if strings.Contains(text, "eyJ") {
		text = jwtPattern.ReplaceAllString(text, withheld)
	}
	if strings.Contains(text, ".") {
		text = vaultPattern.ReplaceAllString(text, withheld)
	}
	if strings.Contains(text, "://") {
		text = urlPattern.ReplaceAllStringFunc(text, safeURL)
	}
	return text
}

// safeURL is a URL without user info, query and fragment. What comes before the last @ counts as user info, since a password may
// have any character.
func safeURL(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		scheme, rest = scheme+withheld+"@", rest[at+1:]
	}
	if at := strings.IndexAny(rest, "?#"); at >= 0 {
		rest = rest[:at] + "?" + withheld
	}
	return scheme + rest
}

// mostText bounds what is kept of a text that callers of Vault may have chosen, in bytes.
const mostText = 400

// text is a text from the log as it is kept.
func (c *classifier) text(text string) string { return clip(mostText, c.safe(text)) }

func clip(most int, text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// pseudonym names a secret value without showing it: the device's HMAC, or a digest where a device logs in the clear.
func pseudonym(value string) string {
	if value == "" || isHidden(value) {
		return clip(mostText, value)
	}
	return "sha256:" + digest(value)
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:16])
}

// tokenID is the token_id of a token: the first 16 hex digits of its SHA-256.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// isSecret reports whether the value of a parameter, of a field of a response or of a header is a secret.
func isSecret(name string) bool {
	switch strings.ToLower(name) {
	case "password", "client_secret", "access_token", "authorization", "refresh_token", "token", "client_token", "x-vault-token",
		"client_assertion", "id_token", "secret", "api_key", "apikey", "x-api-key", "cookie", "proxy-authorization":
		return true
	default:
		return false
	}
}

// secretHeader finds headers of a config whose values are likely credentials.
var secretHeader = regexp.MustCompile(`(?i)auth|token|secret|passw|key|cookie|credential`)

// findSecrets calls found with the name of each secret that a value shows, at any depth.
func (c *classifier) findSecrets(name string, value any, found func(string)) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if isHeaders(name) && secretHeader.MatchString(key) {
				key = "authorization" // whatever its name
			}
			c.findSecrets(key, inner, found)
		}
	case []any:
		for _, inner := range v {
			c.findSecrets(name, inner, found)
		}
	case string:
		var inner any
		switch {
		case v == "" || isHidden(v):
		case isSecret(name), c.leaked != "" && strings.Contains(v, c.leaked), jwtPattern.MatchString(v):
			found(clip(mostOdd, c.safe(name)))
		case userInfo(v):
			found(clip(mostOdd, c.safe(name)) + " (a URL with credentials)")
		case isHeaders(name) && secretHeader.MatchString(v):
			found(name)
		case v[0] == '{' && json.Unmarshal([]byte(v), &inner) == nil: // as in cubbyhole/response
			c.findSecrets(name, inner, found)
		}
	}
}

func isHeaders(name string) bool { return name == "headers" || name == "refresh_headers" }

func userInfo(text string) bool {
	_, rest, found := strings.Cut(text, "://")
	return found && strings.ContainsRune(rest, '@')
}

// How the log has a parameter of a write.
const (
	shown   = "shown"
	hidden  = "hidden"   // as an HMAC
	secret  = "secret"   // a secret, as an HMAC
	inClear = "in clear" // a secret that the log shows; its value is withheld
)

// parameter is one parameter of a write. It has a value only where it is shown.
type parameter struct{ name, state, value string }

const (
	// mostOdd bounds a name or a value that the engine does not have, in bytes.
	mostOdd = 64
	// mostParameters bounds the parameters that the engine does not have: else a writer could add as many as hide the others.
	mostParameters = 20
)

// parameters are those of a write. What the engine does not know is kept by its name only: nobody knows whether it is a secret.
func (c *classifier) parameters(data map[string]any) (all []parameter) {
	odd := 0
	for _, name := range slices.Sorted(maps.Keys(data)) {
		p := parameter{name: name, state: shown}
		text, isHMAC := plain(data[name])
		switch {
		case isHMAC && isSecret(name):
			p.state = secret
		case isHMAC:
			p.state = hidden
		case isSecret(name) && text != "":
			p.state = inClear
		case isHeaders(name) || name == "metadata":
			p.value = c.pairNames(data[name])
		case strings.HasSuffix(name, "_url"):
			p.value = c.text(safeURL(text))
		case isParameter(name):
			p.value = c.text(text)
		default:
			p.value = withheld
		}
		if !isParameter(name) && !isSecret(name) {
			if odd++; odd > mostParameters {
				continue
			}
			p.name = clip(mostOdd, c.safe(name))
		}
		all = append(all, p)
	}
	return all
}

// plain is a value as text; hidden tells that the log hides it, or a part of it.
func plain(value any) (text string, hidden bool) {
	if s, ok := value.(string); ok {
		return s, isHidden(s)
	}
	if value == nil {
		return "", false
	}
	encoded, err := json.Marshal(value)
	return string(encoded), err != nil || strings.Contains(string(encoded), hmacPrefix)
}

// pairNames are the names of headers, or of other pairs, without their values. In a text nobody can tell the two apart.
func (c *classifier) pairNames(value any) string {
	pairs, isMap := value.(map[string]any)
	if !isMap {
		return withheld
	}
	names := slices.Sorted(maps.Keys(pairs))
	for n := range names {
		names[n] = clip(mostOdd, c.safe(names[n])) + "=" + withheld
	}
	return c.text(strings.Join(names, " "))
}

// isParameter reports whether a config, a role or a mount has a parameter of this name.
func isParameter(name string) bool {
	switch name {
	case "allow_http", "assertion_audience", "authorization_scheme", "ca_cert", "client_id", "client_secret", "config",
		"default_token_ttl", "headers", "lease", "ledger_retention", "max_token_ttl", "max_ttl", "metadata", "password",
		"pause_reason", "paused", "preset", "protocol", "proxy_url", "refresh_headers", "refresh_url", "rejected_token_id",
		"request_format", "request_timeout", "rotation_percent", "scope", "single_session", "soap_action",
		"soap_password_element", "soap_username_element", "token_id", "token_url", "username", "verify_connection",
		"from", "to", "type", "description", "plugin_version", "default_lease_ttl", "max_lease_ttl", "force_no_cache",
		"local", "seal_wrap", "external_entropy_access", "options", "audit_non_hmac_request_keys",
		"audit_non_hmac_response_keys", "listing_visibility", "passthrough_request_headers", "allowed_response_headers":
		return true
	default:
		return false
	}
}
