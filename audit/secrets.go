// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"

	"github.com/segmentio/encoding/json"
)

const (
	withheld   = "[withheld]"   // stands for a secret that the log shows
	hmacPrefix = "hmac-sha256:" // begins every value that the audit device has hashed
	mostText   = 400            // bytes that are kept of a text that callers of Vault may have chosen
	// secretNames are those of parameters, fields of a response and headers whose value is a secret.
	secretNames = " password secret client_secret token access_token refresh_token client_token id_token x_vault_token " +
		"authorization proxy_authorization client_assertion api_key apikey x_api_key x_apikey cookie "
)

func isHidden(value string) bool {
	digits, found := strings.CutPrefix(value, hmacPrefix)
	return found && len(digits) == hex.EncodedLen(sha256.Size) && strings.Trim(digits, "0123456789abcdef") == ""
}

// What a text may have of secrets, whoever wrote it there.
var (
	vendorPattern = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}(\.[A-Za-z0-9_-]*)*|[0-9a-f]{40,}`) // see withoutTokens
	vaultPattern  = regexp.MustCompile(`(hv[sbr]|(\b|_)[sbr])\.[\w-]{20,}`)                      // also of OpenBao
	schemePattern = regexp.MustCompile(`(?i)(bearer|basic|jwt|authorization\W+[\w-]+) [^\s"',;]{8,}`)
	pairPattern   = regexp.MustCompile(`(?i)((passw|secret|token|api[_-]?key)\w*\\*["']? *(=>|[=:>])) *\\*` +
		`("[^"]+"?|'[^']+'?|-*[^\s"',;&<-][^\s"',;&<]*)`)
	harmless       = regexp.MustCompile(`(?i)(=@file|: (is|must|this|16))$`) // in messages of the engine
	userPattern    = regexp.MustCompile(`^(\w[\w+.-]*://)?.*@`)
	queryPattern   = regexp.MustCompile(`[?#].*`)
	refusedPattern = regexp.MustCompile(`([\w-]+):? (contains|has|is) a (secret of the config|token|Vault token)\b`) // by the engine
	urlPattern     = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)
	// maskPattern is what a collector writes in place of a secret, or leaves of one. A password may have stars or brackets, too.
	// maskedURL is that in a URL, where Go writes five x, and maskedID what is left of an ID: a few letters, words, or a part.
	maskPattern = regexp.MustCompile(`(?i)^((jwt |bearer |basic )?([*#.…•?x0_-]+|\S{0,6}(\*{3,}|…)\S{0,6}|\W*` +
		`(masked|redacted|hidden|removed|filtered|anonymi[sz]ed)([ :_](value|secret|token|password))?\W*)|hmac-sha256:.{0,63})$`)
	maskedURL = regexp.MustCompile(`(?i)(^|[^/@:=?&]*[:=]|/)([*#•]+|x{5}|\W{0,3}(masked|redacted|hidden|removed)\W{0,3})(@|&|$)`)
	maskedID  = regexp.MustCompile(`(?i)mask|redact|hidden|remov|filter|anonym|[*[<#…]|\.\.\.|^\D{0,19}$|^[^.:]{0,8}$|` +
		`^hmac-sha256:|^[a-z]*\d?([ _-]+([a-z]{0,6}|[a-z]*[g-z][a-z]*)\d?)+$`) // and not "mastersindia_abcdefab"
	// secretHeader finds headers of a config whose values are likely credentials.
	secretHeader = regexp.MustCompile("(?i)auth|token|secret|passw|key|cookie|credential")
	// parameterName finds parameters that a config, a role or a mount has.
	parameterName = regexp.MustCompile("^(allow_http|assertion_audience|authorization_scheme|ca_cert|client_(id|secret)|config|" +
		"default_token_ttl|(refresh_)?headers|lease|ledger_retention|max_(token_)?ttl|metadata|password|paused|pause_reason|preset|" +
		"protocol|(proxy|refresh|token)_url|(rejected_)?token_id|request_(format|timeout)|rotation_percent|scope|single_session|" +
		"soap_(action|(password|username)_element)|username|verify_connection|from|to|type|description|plugin_version|" +
		"(default|max)_lease_ttl|force_no_cache|local|seal_wrap|external_entropy_access|options|listing_visibility|" +
		"audit_non_hmac_(request|response)_keys|(passthrough_request|allowed_response)_headers)$")
)

// withoutTokens withholds tokens of vendors and Vaults, also with letters before or behind. 64 hex digits are an HMAC.
func withoutTokens(text string) string {
	if len(text) >= 40 || strings.Contains(text, "eyJ") { // vendorPattern takes longer
		text = vendorPattern.ReplaceAllStringFunc(text, func(s string) string {
			if len(s) == hex.EncodedLen(sha256.Size) && s[1] != 'y' {
				return s
			}
			return withheld + tokenID(s)
		})
	}
	if len(text) > 20 && strings.Contains(text, ".") {
		text = vaultPattern.ReplaceAllString(text, withheld)
	}
	return text
}

// safe is a text without what may be a secret: tokens, values of that name, and user info, query and fragment of URLs.
func (c *classifier) safe(text string) string {
	if isHidden(text) {
		return text
	}
	if c.leaked != "" {
		text = strings.ReplaceAll(text, c.leaked, withheld)
		text = strings.ReplaceAll(strings.ReplaceAll(text, url.QueryEscape(c.leaked), withheld), url.PathEscape(c.leaked), withheld)
	}
	if text = withoutTokens(text); strings.Contains(text, "://") {
		text = urlPattern.ReplaceAllStringFunc(text, safeURL)
	}
	if strings.Contains(text, " ") {
		text = schemePattern.ReplaceAllString(text, "$1 "+withheld)
	}
	if strings.ContainsAny(text, "=:>") {
		text = pairPattern.ReplaceAllStringFunc(text, func(pair string) string {
			if harmless.MatchString(pair) {
				return pair
			}
			return pairPattern.ReplaceAllString(pair, "$1"+withheld)
		})
	}
	return text
}

// safeURL is a URL without user info, query and fragment. What is before the last @ is user info: a password may be anything.
func safeURL(address string) string {
	return queryPattern.ReplaceAllString(userPattern.ReplaceAllString(address, "$1"+withheld+"@"), "?"+withheld)
}

// text is a text from the log as it is kept.
func (c *classifier) text(text string) string { return clip(c.safe(text)) }

func clip(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) <= mostText {
		return text
	}
	return strings.ToValidUTF8(text[:mostText], "") + "…"
}

// pseudonym names a secret value without showing it: the device's HMAC, or a digest where a device logs in the clear.
func pseudonym(value string) string {
	if value = unmasked(value); value == "" || isHidden(value) {
		return clip(value)
	}
	return "sha256:" + digest(value)
}

// unmasked is empty for a value that a program on the way has masked or shortened: what is left may be the same for many.
func unmasked(value string) string {
	if !isHidden(value) && (maskedID.MatchString(value) || strings.Trim(value, value[:1]+"-xX") == "") { // or one character
		return ""
	}
	return value
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:16])
}

// tokenID is the token_id of a token: the first 16 hex digits of its SHA-256. It is empty for an empty token.
func tokenID(token string) string {
	if token == "" {
		return ""
	}
	return digest(token)[:16]
}

// isSecret reports whether a value is a secret by its name, or is a token in place of its token_id.
func isSecret(name, text string) bool {
	return strings.Contains(secretNames, " "+strings.ReplaceAll(strings.ToLower(name), "-", "_")+" ") ||
		strings.HasSuffix(name, "token_id") && len(strings.Trim(text, "\"' \t\r\n")) > 16
}

func isHeaders(name string) bool { return name == "headers" || name == "refresh_headers" }

// eachText calls found with each text or number in values, at any depth, and its name.
func eachText(values fields, found func(name, text string)) {
	text, inner := "", fields(nil)
	for outer, value := range values {
		name := outer
		if len(outer) > 15 { // few parameters have such a name, and Vault hashes no names
			found("a token as a name", outer)
		}
		for t := json.NewTokenizer(value); t.Next(); {
			text, inner = "", nil
			if t.Value.Number() {
				text = string(t.Value)
			} else if t.Value.String() {
				_ = json.Unmarshal(t.Value, &text)
			}
			switch {
			case t.IsKey && isHeaders(outer) && secretHeader.MatchString(text):
				name = "authorization" // whatever its name
			case t.IsKey && len(text) <= 30:
				if name = text; len(text) > 15 {
					found("a token as a name", text)
				}
			case strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &inner) == nil: // as in cubbyhole/response
				eachText(inner, found)
			case text != "":
				found(name, text)
			}
		}
	}
}

// alarm notes the secrets that the line shows.
func (c *classifier) alarm(f *fact, e *entry, asked, answered fields) {
	where, refused := "", refusedPattern.ReplaceAllString(answered.text("error"), "$1 holds a secret")
	look := func(name, text string) {
		scheme, address, _ := strings.Cut(maskedURL.ReplaceAllString(text, ""), "://")
		_, query, _ := strings.Cut(address, "?")
		switch {
		case text == "", isHidden(text), maskPattern.MatchString(text):
		case isSecret(name, text), c.leaked != "" && strings.Contains(text, c.leaked),
			withoutTokens(text) != text, isHeaders(name) && secretHeader.MatchString(text),
			strings.Contains(refused, name+" holds a secret"):
			f.row("secret", strings.ToLower(c.text(name))+where)
		case strings.ContainsRune(address, '@'), query != "" && pairPattern.MatchString(query),
			strings.HasSuffix(name, "_url") && (strings.ContainsRune(scheme, '@') || pairPattern.MatchString(scheme+address)):
			f.row("secret", c.text(name)+" (a URL with credentials)")
		}
	}
	eachText(asked, look)
	eachText(answered, look)
	eachText(e.Request.Headers, look)
	look("client_token", e.Request.ClientToken)
	look("client_token", e.Auth.ClientToken)
	look("a token in a path", e.Request.Path)
	look("a token in an error", strings.ReplaceAll(e.Error+strings.Join(e.Response.Warnings, "\n"), "://", "")) // no URL
	where = " (in the address of the request)"
	if uri, err := url.Parse(e.Request.RequestURI); err == nil {
		for name, values := range uri.Query() {
			look(name, strings.Join(values, " "))
		}
	}
}

// parameters notes those of a write that the engine or Vault knows: nobody knows whether another one is a secret.
func (c *classifier) parameters(f *fact, asked fields) {
	for name, value := range asked {
		state, text := "shown", ""
		s := cmp.Or(asked.text(name), strings.Trim(strings.TrimPrefix(string(value), "null"), `"`))
		secret := isSecret(name, s)
		switch isHMAC := strings.Contains(s, hmacPrefix); {
		case !secret && !parameterName.MatchString(name):
			continue
		case secret && (isHMAC || maskPattern.MatchString(s)):
			state = "secret"
		case isHMAC:
			state = "hidden"
		case secret && s != "":
			state = "in clear"
		case name == "pause_reason" && f.ended == 0:
			continue // the engine may refuse it: the response has it, too
		case isHeaders(name) || name == "metadata" || name == "pause_reason" && f.outcome != succeeded:
			text = withheld
		case strings.HasSuffix(name, "_url"):
			text = c.text(safeURL(s))
		default:
			text = c.text(s)
		}
		f.row("parameter", name, state, text)
	}
}
