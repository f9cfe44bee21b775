// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"crypto/x509"
	"encoding/pem"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

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
)

// merge is what old (nil for a new config) becomes under the parameters, or what is wrong with them.
func merge(old *config, p params) (*config, error) {
	var wrong problems
	next := &config{Schema: configSchema}
	if old != nil {
		next = old.clone()
	}
	protocol, filled := resolve(next, p, &wrong)
	if _, empty := p["paused"].(reset); empty {
		// An unset shell variable must not resume an account.
		wrong.add("paused", "is empty: must be true or false")
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	fields := configFields()
	switched := old == nil || old.Protocol != protocol
	next.Protocol = protocol
	for n := range fields {
		f := &fields[n]
		switch {
		case f.name == "protocol":
		case filled != nil && f.filled:
			f.set(next, filled.fieldValue(f))
		case old == nil, switched && (f.perProtocol || !f.usedBy(protocol)):
			// What was right for the former protocol is wrong for this one.
			f.reset(next)
		}
		if value, named := p[f.name]; named && f.name != "protocol" {
			f.set(next, value)
		}
	}
	checkConfig(fields, next, &wrong)
	if old != nil {
		checkMove(fields, old, next, p, &wrong)
	}
	return next, wrong.err()
}

// resolve finds out the protocol, and the preset that this write names, if any.
func resolve(next *config, p params, wrong *problems) (protocol string, filled *preset) {
	protocol = next.Protocol
	if name := p.text("preset"); name != "" {
		if filled = findPreset(name); filled == nil {
			wrong.add("preset", "must be one of %s%s", fieldNames(presetNames()), didYouMean(nearest(name, presetNames())))
			return protocol, nil
		}
		protocol = filled.protocol
	}
	if p.named("protocol") {
		protocol = p.text("protocol")
	}
	if !slices.Contains(protocols(), protocol) {
		wrong.add("protocol", "must be one of %s; or name a preset, which fills it", fieldNames(protocols()))
	}
	return protocol, filled
}

// checkConfig judges the whole of what would be stored.
func checkConfig(fields []configField, c *config, wrong *problems) {
	for n := range fields {
		f := &fields[n]
		if !f.usedBy(c.Protocol) && !f.empty(c) {
			wrong.add(f.name, "is not used by protocol %s: leave it out", c.Protocol)
		}
		if text, ok := f.at(c).(*string); ok {
			checkText(f, *text, wrong)
		}
	}
	checkCredentials(c, wrong)
	checkURL("token_url", c.TokenURL, c.AllowHTTP, true, wrong)
	checkURL("refresh_url", c.RefreshURL, c.AllowHTTP, false, wrong)
	checkProxy(c.ProxyURL, wrong)
	checkPEM(c.CACert, wrong)
	checkFormat(c, wrong)
	checkHeaders("headers", c.Headers, wrong)
	checkHeaders("refresh_headers", c.RefreshHeaders, wrong)
	checkNumbers(c, wrong)
	if c.Protocol == protocolSOAP {
		checkElement("soap_username_element", c.SOAPUsernameElement, wrong)
		checkElement("soap_password_element", c.SOAPPasswordElement, wrong)
		if strings.ContainsAny(c.SOAPAction, "\"\\") || !printable(c.SOAPAction) {
			wrong.add("soap_action", "must be printable ASCII without quotes or backslashes")
		}
	}
	if !isToken(c.AuthorizationScheme) {
		wrong.add("authorization_scheme", "must be one word, such as JWT or Bearer")
	}
}

// checkText refuses what no field of ours can hold.
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
		wrong.add(f.name, "ends in a newline: use printf %%s instead of echo")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		wrong.add(f.name, "must be one line of text without control characters")
	}
}

// credentials are the fields that a protocol needs, and which of them are secret.
func credentials(protocol string) (needed, secret []string) {
	switch protocol {
	case protocolJWT:
		return []string{"username", "password"}, []string{"password"}
	case protocolFirstVision:
		return []string{"client_id", "client_secret", "scope"}, []string{"client_secret"}
	default:
		return []string{"username", "password", "client_id", "client_secret"}, []string{"password", "client_secret"}
	}
}

func checkCredentials(c *config, wrong *problems) {
	needed, secret := credentials(c.Protocol)
	have := map[string]string{
		"username": c.Username, "password": c.Password, "client_id": c.ClientID, "client_secret": c.ClientSecret, "scope": c.Scope,
	}
	for _, field := range needed {
		switch {
		case have[field] != "":
		case slices.Contains(secret, field):
			wrong.add(field, "is needed by protocol %s: give it as %s=- on standard input", c.Protocol, field)
		default:
			wrong.add(field, "is needed by protocol %s", c.Protocol)
		}
	}
}

func checkURL(field, text string, allowHTTP, required bool, wrong *problems) {
	if text == "" {
		if required {
			wrong.add(field, "is needed: the full URL of the login endpoint, or name a preset, which fills it")
		}
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		wrong.add(field, "must be a full URL, such as https://host/path/")
	case u.User != nil:
		wrong.add(field, "must not carry a user or password: they have fields of their own")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		wrong.add(field, "must not have a fragment (#...)")
	case u.Scheme == "http" && !allowHTTP:
		wrong.add(field, "must be https: over http everyone on the way reads the password (allow_http=true allows it all the same)")
	}
}

func checkProxy(text string, wrong *problems) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme):
		wrong.add("proxy_url", "must be a full URL, such as http://proxy:3128")
	case u.User != nil:
		wrong.add("proxy_url", "must not carry a user or password: it is shown on read")
	}
}

func checkPEM(text string, wrong *problems) {
	if text == "" {
		return
	}
	rest, found := []byte(text), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			wrong.add("ca_cert", "must hold certificates only, and no key")
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			wrong.add("ca_cert", "holds a certificate that cannot be read")
			return
		}
		found++
	}
	if found == 0 || strings.TrimSpace(string(rest)) != "" {
		wrong.add("ca_cert", "must be PEM certificates (-----BEGIN CERTIFICATE-----): give a file as ca_cert=@ca.pem")
	}
}

func checkFormat(c *config, wrong *problems) {
	formats := upstream.Protocol(c.Protocol).Formats()
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

// checkHeaders refuses headers that are the request's own business, and those that would smuggle a second request.
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
			wrong.add(field, "a header's name must be letters, digits and hyphens")
		case reservedHeader(canonical):
			wrong.add(field, "%s cannot be set here: not allowed are Host, Content-*, Authorization, Proxy-*, Cookie, "+
				"Transfer-Encoding and headers of the connection", canonical)
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
	}, canonical)
}

func checkNumbers(c *config, wrong *problems) {
	between(wrong, "default_token_ttl", c.DefaultTokenTTL, leastTokenTTL, mostTokenTTL, "from 10s to 9600h")
	if c.MaxTokenTTL != 0 {
		between(wrong, "max_token_ttl", c.MaxTokenTTL, leastTokenTTL, mostTokenTTL, "0 for no limit, or from 10s to 9600h")
	}
	between(wrong, "rotation_percent", c.RotationPercent, 1, 100, "from 1 to 100")
	between(wrong, "request_timeout", c.RequestTimeout, 1, mostRequestTimeout, "from 1s to 60s")
	between(wrong, "ledger_retention", c.LedgerRetention, 0, mostRetention, "from 0 to 9600h")
}

func between(wrong *problems, field string, n, least, most int, rule string) {
	if n < least || n > most {
		wrong.add(field, "must be %s", rule)
	}
}

// checkElement keeps an element's name from being anything else in the XML.
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

// checkMove demands the secrets anew where a write changes the place they are sent to. Else whoever may only update a config
// could have its stored password sent to a host of theirs.
func checkMove(fields []configField, old, next *config, p params, wrong *problems) {
	var moved []string
	for n := range fields {
		f := &fields[n]
		if f.moves && f.value(old) != f.value(next) {
			moved = append(moved, f.name)
		}
	}
	if len(moved) == 0 {
		return
	}
	_, secrets := credentials(next.Protocol)
	stored := map[string]string{"password": next.Password, "client_secret": next.ClientSecret}
	for _, field := range secrets {
		if p.text(field) == "" && stored[field] != "" { // one that is missing altogether is refused for that
			wrong.add(field, "must be given again (%s=-), since this write changes where it is sent: %s", field, fieldNames(moved))
		}
	}
}

// isToken reports whether text is a token of HTTP, such as a header's name.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f })
}
