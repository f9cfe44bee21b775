// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	leastTokenTTL      = 10
	mostTokenTTL       = 9600 * int(time.Hour/time.Second)
	mostRequestTimeout = 60
	mostRetention      = 9600 * int(time.Hour/time.Second)
	mostText           = 4 << 10
	mostPEM            = 128 << 10
	mostHeaders        = 32
	mostHeaderName     = 128
	leastVaultToken    = 28 // hvs. and 24 more
)

// merge is what old (nil for a new config) becomes under the parameters, or what is wrong with them.
func (b *backend) merge(old *config, p params) (*config, error) {
	var wrong problems
	next := &config{Schema: configSchema}
	if old != nil {
		next = old.clone()
	}
	protocol, filled := b.resolve(next, p, &wrong)
	if _, empty := p["paused"].(reset); empty {
		// An unset shell variable must not resume an account.
		wrong.add("paused", "is empty: must be true or false")
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	fields := b.fields
	switched := old == nil || old.Protocol != protocol
	next.Protocol = protocol
	for n := range fields {
		f := &fields[n]
		switch {
		case f.name == "protocol":
		case filled != nil && filled.fills(f) && filled.suits(f, next):
			f.set(next, filled.fieldValue(f))
		case old == nil, filled != nil && filled.fills(f), switched && f.perProtocol, f.usedBy(old) && !f.usedBy(next),
			filled != nil && b.isOfPreset(f, old):
			// A value for the previous protocol, format or preset is wrong for this one.
			f.reset(next)
		}
		if value, named := p[f.name]; named && f.name != "protocol" {
			f.set(next, value)
		}
	}
	if p := findPreset(b.presets, next.Preset); p != nil && (next.Protocol != string(p.protocol) || next.TokenURL != p.tokenURL) {
		next.Preset = "" // what a preset documents, such as how the token is sent, does not hold for another endpoint
	}
	checkConfig(fields, next, &wrong)
	checkRequired(fields, next, p, &wrong)
	if old != nil {
		checkMove(fields, old, next, p, &wrong)
	}
	return next, wrong.err()
}

// isOfPreset reports whether the field has the value that the config's preset has for it.
func (b *backend) isOfPreset(f *configField, c *config) bool {
	p := findPreset(b.presets, c.Preset)
	return p != nil && f.ifSaid && p.fills(f) && f.value(c) == p.fieldValue(f)
}

// resolve finds out the protocol, and the preset that this write names, if any.
func (b *backend) resolve(next *config, p params, wrong *problems) (protocol string, filled *preset) {
	protocol = next.Protocol
	if name := p.text("preset"); name != "" {
		if filled = findPreset(b.presets, name); filled == nil {
			names := presetNames(b.presets)
			wrong.add("preset", "must be one of %s%s", fieldNames(names), didYouMean(nearest(name, names)))
			return protocol, nil
		}
		protocol = string(filled.protocol)
	}
	if p.named("protocol") {
		protocol = p.text("protocol")
	}
	if _, known := upstream.SpecOf(upstream.Protocol(protocol)); !known {
		wrong.add("protocol", "must be one of %s; or leave it out and give a preset, which sets it", fieldNames(protocols()))
	}
	return protocol, filled
}

// checkConfig validates the config as it would be stored.
func checkConfig(fields []configField, c *config, wrong *problems) {
	spec := specOf(c.Protocol)
	// Which fields a request format uses that the protocol lacks cannot be said: checkFormat refuses that format.
	knownFormat := len(spec.Formats) == 0 || slices.Contains(spec.Formats, upstream.Format(c.RequestFormat))
	for n := range fields {
		f := &fields[n]
		if !f.usedBy(c) && !f.empty(c) && (knownFormat || !spec.Mentions(f.name)) {
			wrong.add(f.name, "is not used by %s: leave it out", loginWords(f, c))
		}
		if text, ok := f.at(c).(*string); ok {
			checkText(f, *text, wrong)
			checkNoSecret(f, *text, c, wrong)
			if isURL := strings.HasSuffix(f.name, "_url"); isURL && f.name != "proxy_url" {
				checkURL(f.name, *text, c.AllowHTTP, f.name == "token_url", wrong)
			}
		}
	}
	if u, err := url.Parse(c.AssertionAudience); err == nil && u.User != nil { // reads of the config show it
		wrong.add(upstream.FieldAssertionAudience, "must not contain a user name or password")
	}
	checkProxy(c.ProxyURL, wrong)
	checkPEM(c.CACert, wrong)
	checkFormat(c, wrong)
	checkHeaders("headers", c.Headers, wrong)
	checkHeaders("refresh_headers", c.RefreshHeaders, wrong)
	checkNumbers(c, wrong)
	if spec.Mentions(upstream.FieldSOAPAction) {
		checkElement(upstream.FieldSOAPUsernameElement, c.SOAPUsernameElement, wrong)
		checkElement(upstream.FieldSOAPPasswordElement, c.SOAPPasswordElement, wrong)
		if strings.ContainsAny(c.SOAPAction, "\"\\") || !printable(c.SOAPAction) {
			wrong.add("soap_action", "must be printable ASCII without quotes or backslashes")
		}
	}
	if !isToken(c.AuthorizationScheme) {
		wrong.add("authorization_scheme", "must be one word, such as JWT or Bearer")
	}
}

// checkText validates text that any string field may have.
func checkText(f *configField, text string, wrong *problems) {
	most := mostText
	if f.name == "ca_cert" {
		most = mostPEM
	}
	switch {
	case len(text) > most:
		wrong.add(f.name, "is longer than %d bytes", most)
	case f.name == "ca_cert":
	case strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\r"):
		wrong.add(f.name, "ends in a newline, as of echo: read -rsp 'Secret: ' SECRET && printf %%s \"$SECRET\" | vault write ...")
	case !isOneLine(text):
		wrong.add(f.name, "must be one line of text without control characters")
	case (f.name == upstream.FieldUsername || f.name == upstream.FieldClientID) && strings.TrimSpace(text) != text:
		wrong.add(f.name, "begins or ends with a space")
	case isWholeVaultToken(text): // the wrong clipboard
		wrong.add(f.name, "is a Vault token, and was not sent to the upstream")
	case !f.sensitive && holdsToken(text):
		wrong.add(f.name, "contains a token, which all readers of the config would see: give its token_id"+messageShown)
	}
}

// isWholeVaultToken reports whether a text is a token of Vault, and not only begins as one.
func isWholeVaultToken(text string) bool {
	return isVaultToken(strings.TrimSpace(text)) && len(text) >= leastVaultToken
}

// holdsToken reports whether a word of a text is a token of Vault, or a JSON Web Token, as most tokens of the vendors are.
func holdsToken(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-_", r)
	})
	return slices.ContainsFunc(words, func(word string) bool {
		return isWholeVaultToken(word) || strings.HasPrefix(word, "eyJ") && strings.Count(word, ".") >= 2
	})
}

// checkNoSecret refuses the config's own secrets where reads of it show them. A word in the path of a URL may be the same.
func checkNoSecret(f *configField, text string, c *config, wrong *problems) {
	const leastSecret = 8
	switch _, query, _ := strings.Cut(text, "?"); {
	case strings.HasSuffix(f.name, "_url"):
		text = query
	case f.name != "pause_reason":
		return
	}
	for _, secret := range c.account("").Upstream.Secrets() {
		if len(secret) >= leastSecret && strings.Contains(text, secret) {
			wrong.add(f.name, "contains a secret of the config, which all readers of the config would see"+messageShown)
		}
	}
}

// checkRequired demands the fields that a login with the config's protocol and format requires.
func checkRequired(fields []configField, c *config, p params, wrong *problems) {
	if p.named(upstream.FieldRefreshURL) && c.RefreshURL != "" && c.RefreshURL == c.TokenURL { // others can still be paused
		wrong.add(upstream.FieldRefreshURL, "must not be token_url, which takes no refresh token")
	}
	from := "=- on standard input" // from where only one can come
	for n := range fields {
		f := &fields[n]
		use, used := f.use(c)
		switch {
		case !used || !use.Required || !f.empty(c):
		case f.sensitive && p.named(f.name):
			wrong.add(f.name, emptyRule)
		case f.sensitive:
			wrong.add(f.name, "is required by protocol %s: give it as %s%s", c.Protocol, f.name, from)
			from = "=@file"
		case f.name == upstream.FieldAssertionAudience:
			wrong.add(f.name, "is required by %s: the authorization server's token URL, not token_url", loginWords(f, c))
		default:
			wrong.add(f.name, "is required by %s", loginWords(f, c))
		}
	}
}

// loginWords name the config's protocol, with its format where the field depends on that.
func loginWords(f *configField, c *config) string {
	words := "protocol " + c.Protocol
	if spec := specOf(c.Protocol); spec.Mentions(f.name) && conditionWords(spec, f.name) != "" {
		words += " with request_format=" + c.RequestFormat
	}
	return words
}

func checkURL(field, text string, allowHTTP, required bool, wrong *problems) {
	if text == "" {
		if required {
			wrong.add(field, "is required: the full URL of the login endpoint; or leave it out and give a preset, which sets it")
		}
		return
	}
	u, err := url.Parse(text)
	switch {
	case hasSpace(text):
		wrong.add(field, "must not contain a space: write it as %%20")
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		wrong.add(field, "must be a full URL, such as https://host/path/")
	case !validPort(u):
		wrong.add(field, "must have a port from 1 to 65535, or none")
	case u.User != nil:
		wrong.add(field, "must not contain a user name or password: use the fields for them")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		wrong.add(field, "must not have a fragment (#...)")
	case u.Scheme == "http" && !allowHTTP:
		wrong.add(field, "must be https; with allow_http=true the password is sent in clear text")
	}
}

func checkProxy(text string, wrong *problems) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || hasSpace(text) || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme):
		wrong.add("proxy_url", "must be a full URL with http, https or socks5, such as http://proxy:3128")
	case !validPort(u):
		wrong.add("proxy_url", "must have a port from 1 to 65535, or none")
	case u.User != nil:
		wrong.add("proxy_url", "must not contain a user name or password: it is returned on read")
	}
}

func hasSpace(text string) bool { return strings.ContainsFunc(text, unicode.IsSpace) }

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	port, err := strconv.Atoi(u.Port())
	return err == nil && port >= 1 && port <= 65535
}

func checkPEM(text string, wrong *problems) {
	if _, err := upstream.Certificates(text); err != nil {
		wrong.add("ca_cert", "%v: give a file as ca_cert=@ca.pem", err)
	}
}

func checkFormat(c *config, wrong *problems) {
	formats := specOf(c.Protocol).Formats
	if len(formats) == 0 {
		if c.RequestFormat != "" {
			wrong.add("request_format", "is not used by protocol %s: leave it out", c.Protocol)
		}
		return
	}
	if !slices.Contains(formats, upstream.Format(c.RequestFormat)) {
		names := make([]string, 0, len(formats))
		for _, f := range formats {
			names = append(names, string(f))
		}
		wrong.add("request_format", "must be one of %s for protocol %s", fieldNames(names), c.Protocol)
	}
}

// checkHeaders refuses headers that the engine or net/http sets itself, and those that could smuggle a second request.
func checkHeaders(field string, headers map[string]string, wrong *problems) {
	if len(headers) > mostHeaders {
		wrong.add(field, "must be at most %d headers", mostHeaders)
		return
	}
	seen := make(map[string]bool, len(headers))
	for name, value := range headers {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !isToken(name):
			wrong.add(field, "a header name must be letters, digits and hyphens")
		case len(name) > mostHeaderName:
			wrong.add(field, "a header name is longer than %d bytes", mostHeaderName)
		case reservedHeader(canonical):
			wrong.add(field, "%s cannot be set here: Host, Content-*, Authorization, Proxy-*, Cookie, Transfer-Encoding, "+
				"Idempotency-Key and connection headers are not allowed", canonical)
		case seen[canonical]:
			wrong.add(field, "%s is given twice", canonical)
		case len(value) > mostText:
			wrong.add(field, "the value of %s is longer than %d bytes", canonical, mostText)
		case !printable(value):
			wrong.add(field, "the value of %s must be one line of printable ASCII", canonical)
		}
		seen[canonical] = true
	}
}

func reservedHeader(canonical string) bool {
	if strings.HasPrefix(canonical, "Content-") || strings.HasPrefix(canonical, "Proxy-") {
		return true
	}
	return slices.Contains([]string{
		"Host", "Authorization", "Cookie", "Transfer-Encoding", "Connection", "Keep-Alive", "Te", "Trailer", "Upgrade", "Expect",
		"Accept-Encoding", "Soapaction",
		// With one of these net/http would send a POST a second time.
		"Idempotency-Key", "X-Idempotency-Key",
	}, canonical)
}

func checkNumbers(c *config, wrong *problems) {
	between(wrong, "default_token_ttl", c.DefaultTokenTTL, leastTokenTTL, mostTokenTTL, "from 10s to 9600h")
	if c.MaxTokenTTL != 0 {
		between(wrong, "max_token_ttl", c.MaxTokenTTL, leastTokenTTL, mostTokenTTL, "0s for no limit, or from 10s to 9600h")
	}
	between(wrong, "rotation_percent", c.RotationPercent, 1, 100, "from 1 to 100")
	between(wrong, "request_timeout", c.RequestTimeout, 1, mostRequestTimeout, "from 1s to 60s")
	between(wrong, "ledger_retention", c.LedgerRetention, 0, mostRetention, "from 0s to 9600h")
}

func between(wrong *problems, field string, n, least, most int, rule string) {
	if n < least || n > most {
		wrong.add(field, "must be %s", rule)
	}
}

// checkElement refuses names that would inject XML.
func checkElement(field, name string, wrong *problems) {
	for n, r := range name {
		first := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		later := r == '-' || r == '.' || r >= '0' && r <= '9'
		if !first && (n == 0 || !later) {
			name = ""
			break
		}
	}
	if name == "" {
		wrong.add(field, "must be the name of an XML element: a letter or '_', then letters, digits, '_', '-' or '.'")
	}
}

// checkMove requires the secrets in a write that changes where they are sent, or sends one that only signed before. Otherwise a
// user who may only update a config could have its stored password sent to a host of their own.
func checkMove(fields []configField, old, next *config, p params, wrong *problems) {
	var moved []string
	for n := range fields {
		f := &fields[n]
		if (f.moves || strings.HasSuffix(f.name, "_url")) && f.value(old) != f.value(next) {
			moved = append(moved, f.name)
		}
	}
	if signed := string(upstream.Assertion); old.RequestFormat == signed && next.RequestFormat != signed {
		moved = append(moved, "request_format")
	}
	if len(moved) == 0 {
		return
	}
	for n := range fields {
		f := &fields[n]
		if f.sensitive && p.text(f.name) == "" && !f.empty(next) { // a missing one is refused by checkRequired
			wrong.add(f.name, "must be given again (%s=-), because this write changes where it is sent: %s", f.name, fieldNames(moved))
		}
	}
}

// isToken reports whether text is a token of HTTP, such as a header's name.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// isOneLine reports whether a text has no control characters and no invalid UTF-8.
func isOneLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f })
}
