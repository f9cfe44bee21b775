// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// call is a request to the API, without the token.
type call struct {
	method string // empty for GET, or POST with a body
	url    string
	header http.Header
	body   []byte // nil for none
	field  string // of the JSON body that the token goes into; empty for the header Authorization

	earlier bool // whether the first of two calls left doubt
}

// InDoubtError is of a call that may have been executed: a program must not repeat it.
type InDoubtError struct {
	problem error
	reply   string
}

func (e InDoubtError) Error() string {
	return e.problem.Error() + ". It may have been issued: look it up before you repeat it" + e.reply
}

func (e InDoubtError) Unwrap() error { return e.problem }

// failure makes the error of a call.
func failure(problem error, inDoubt bool, reply string) error {
	if inDoubt {
		return InDoubtError{problem, reply}
	}
	return fmt.Errorf("%w%s", problem, reply)
}

// call returns the body of the API's response. A token that the API refuses is replaced, and the call tried once more, never in
// a loop.
func (c *client) call(ctx context.Context, what call) ([]byte, error) {
	header := make(http.Header)
	for name, values := range what.header { // which a caller need not have made by Set
		name = http.CanonicalHeaderKey(name)
		header[name] = append(header[name], values...)
	}
	what.header = header
	if err := what.check(); err != nil {
		return nil, err
	}
	if !regexp.MustCompile(`^[A-Z]*$`).MatchString(what.method) {
		return nil, errors.New("method: must be a word in capitals such as POST")
	}
	// What is longer may be a token.
	if !regexp.MustCompile(`^([A-Za-z_][\w.-]{0,23})?$`).MatchString(what.field) || beginsAsToken(what.field) {
		return nil, errors.New("field: must be a name such as access_token: the client itself puts the token there")
	}
	t, err := c.token(ctx, "")
	if err != nil {
		return nil, err
	}
	status, body, err := c.send(ctx, what, t)
	if err == nil && what.refused(status, body) {
		what.earlier = what.doubtAfter(status)
		rejected := t.ID
		next, problem := c.token(ctx, rejected)
		if problem != nil {
			problem = fmt.Errorf("%w. It returned %d", problem, status)
		} else if next.ID == rejected {
			problem = fmt.Errorf("%s refuses token_id %s, and Vault has no newer token yet: it replaces a refused one that is a minute "+
				"old, one every 5 minutes. Try again then. If it lasts: %s. It returned %d",
				shown(what.url), rejected, c.hint(t, what.field), status)
		}
		if problem != nil {
			return nil, failure(problem, what.earlier, t.reply(body))
		}
		t = next
		status, body, err = c.send(ctx, what, t)
	}
	switch {
	case err != nil:
		return nil, err
	case what.refused(status, body):
		return nil, failure(fmt.Errorf("%s refuses a second token, token_id %s: %s. It returned %d",
			shown(what.url), t.ID, c.hint(t, what.field), status), what.doubtAfter(status), t.reply(body))
	case status >= 200 && status <= 299:
		if what.expectsJSON() && status != http.StatusNoContent && (!json.Valid(body) || !isObject(body)) {
			return nil, failure(fmt.Errorf("%s returned %d, but with no JSON object (token_id %s)", shown(what.url), status, t.ID),
				what.mayIssue(), t.reply(body))
		}
	default:
		return nil, failure(fmt.Errorf("%s returned %d, which is not about the token (token_id %s)", shown(what.url), status, t.ID),
			what.doubtAfter(status), t.reply(body))
	}
	return body, nil
}

func (c *client) hint(t token, field string) string {
	place := "header Authorization"
	if field != "" {
		place = "body field " + field
	}
	return fmt.Sprintf("it was sent in the %s: is that the right place (-f), and is it the API of this account? "+
		"Else ask an operator for: vault read %s/status/%s", place, c.mount(), t.Config)
}

func (c *client) send(ctx context.Context, what call, t token) (status int, body []byte, err error) {
	sent := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }})
	request, err := newRequest(ctx, what, t)
	if failed, ok := errors.AsType[*url.Error](err); ok { // whose message has the query
		err = fmt.Errorf("URL: %w", failed.Err)
	}
	if err != nil {
		return 0, nil, err
	}
	response, err := c.api.Do(request)
	if err == nil {
		defer response.Body.Close()
		body, err = io.ReadAll(response.Body)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		through := throughProxy(what.url)
		if through != "" {
			err = withoutAddress(err)
		}
		err = fmt.Errorf("calling %s%s failed: %s", shown(what.url), through, t.hide([]byte(err.Error())))
		return 0, nil, failure(err, sent && what.mayIssue() || what.earlier, "")
	}
	isRedirect := response.StatusCode >= http.StatusMultipleChoices && response.StatusCode < http.StatusBadRequest
	if to, err := response.Location(); err == nil && isRedirect && !what.refused(response.StatusCode, body) {
		body = []byte("it redirects to " + to.Scheme + "://" + to.Host + to.EscapedPath()) // the rest may be secret
	}
	return response.StatusCode, body, nil
}

func (what call) verb() string {
	if what.method == "" && what.body != nil {
		return http.MethodPost
	}
	return cmp.Or(what.method, http.MethodGet)
}

// mayIssue reports whether the call is one that may issue something.
func (what call) mayIssue() bool {
	return !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, what.verb())
}

// doubtAfter reports whether a response leaves doubt: a gateway fails with 5xx or 408 where the server behind it may not have.
func (what call) doubtAfter(status int) bool { return what.earlier || what.leavesDoubt(status) }

func (what call) leavesDoubt(status int) bool {
	isRefusal := status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusRequestTimeout
	return what.mayIssue() && !isRefusal
}

// ownType reports whether the caller sends, and so expects, something other than JSON.
func (what call) ownType() bool {
	sent := what.header.Get("Content-Type")
	return sent != "" && !strings.Contains(strings.ToLower(sent), "json")
}

// expectsJSON reports whether what the call issues is in a response of JSON: what a caller sends by a Content-Type is not.
func (what call) expectsJSON() bool {
	return what.mayIssue() && !what.ownType()
}

// ownHeaders are those that nobody else may set.
const ownHeaders = "(?i)^(accept-encoding|authorization|connection|content-length|expect|host|transfer-encoding|upgrade|" +
	"x-vault-token)$"

// newRequest makes a request with the token. The role's metadata are headers that each call needs.
func newRequest(ctx context.Context, what call, t token) (*http.Request, error) {
	sent := what.body
	if what.field != "" {
		var err error
		if sent, err = withField(sent, what.field, t.Access); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, what.verb(), what.url, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	// net/http would send a call again that has an Idempotency-Key, and no body or one that it can read anew.
	request.GetBody = nil
	if sent == nil && what.mayIssue() {
		request.Body = io.NopCloser(bytes.NewReader(nil))
	}
	if sent != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range t.Metadata {
		if regexp.MustCompile(ownHeaders).MatchString(name) || !regexp.MustCompile(`^[ -~]*$`).MatchString(value) {
			return nil, fmt.Errorf("metadata: %s of the role cannot be sent as a header: an operator must change the role", name)
		}
		request.Header.Set(name, value)
	}
	if what.field == "" {
		request.Header.Set("Authorization", t.Authorization)
		if t.ClientID != "" { // the verification APIs want it
			request.Header.Set("client_id", t.ClientID)
		}
	}
	maps.Copy(request.Header, what.header) // a header of the caller replaces ours
	return request, nil
}

// withField puts a field in front of the others of a JSON object, and leaves these as they are.
func withField(object []byte, field, value string) ([]byte, error) {
	rest, isObject := bytes.CutPrefix(bytes.TrimSpace(object), []byte("{"))
	if !isObject {
		return nil, fmt.Errorf("the token goes into the field %s of the body, which must be a JSON object", field)
	}
	if regexp.MustCompile(regexp.QuoteMeta(strconv.Quote(field)) + `\s*:`).Match(object) {
		return nil, fmt.Errorf("the body has a field %s already: take it out", field)
	}
	added, err := json.Marshal(map[string]string{field: value})
	if err != nil {
		return nil, err
	}
	added = added[:len(added)-1]
	if rest = bytes.TrimSpace(rest); !bytes.HasPrefix(rest, []byte("}")) {
		added = append(added, ", "...)
	}
	return append(added, rest...), nil
}

// refused reports whether a response means that the token is invalid. A wrong path returns 401 too, api-platform 403, and some
// APIs say it in words.
func (what call) refused(status int, body []byte) bool {
	if status >= http.StatusBadRequest && what.leavesDoubt(status) {
		return false // whatever it says: the call may have been executed
	}
	if status == http.StatusUnauthorized {
		return !bytes.Contains(body, []byte("Invalid Product"))
	}
	if status == http.StatusForbidden && strings.Contains(what.url, "//api-platform.") {
		return true
	}
	const invalidToken = 498 // of FirstVision's gateway
	said := regexp.MustCompile(`(?i)"(error|error_description|message)"\s*:\s*"[^"]*(access token|invalid[_ ]grant)`)
	fine := regexp.MustCompile(`(?i)"error"\s*:\s*"?false`)
	return status == invalidToken || said.Match(body) && !fine.Match(body)
}

// noRedirect keeps the token from being taken along to wherever a redirect points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// check refuses what must not be sent, before anything is. The messages do not repeat it, since it may be secret.
func (what call) check() error {
	if err := checkURL("URL", what.url); err != nil {
		return err
	}
	if strings.HasPrefix(what.url, "http:") && !isLocal(what.url) {
		return errors.New("URL: http:// would send the token in clear text: use https://; only localhost may be http://")
	}
	for name, values := range what.header {
		if !regexp.MustCompile(`^[\w-]+: *[!-~][ -~]*$`).MatchString(name + ": " + strings.Join(values, ", ")) {
			return errors.New("header: must be one line, NAME: VALUE, with a name of letters, digits, _ and -")
		}
		if strings.EqualFold(name, "client_id") || regexp.MustCompile(ownHeaders).MatchString(name) {
			return errors.New("header: the client itself sends Authorization, client_id, Host, Content-Length and the like")
		}
	}
	said := what.url + " " + strings.Join(slices.Concat(slices.Collect(maps.Values(what.header))...), " ") + " " + string(what.body)
	own, _, _ := ownVaultToken() // an error is returned where it is needed
	const shortest = 20          // of OpenBao's tokens, which have another form
	switch {
	case vaultToken().MatchString(said), len(own) > shortest && strings.Contains(said, own):
		return errors.New("a Vault token is for Vault alone: take it out of URL, headers and body")
	case what.body != nil && len(what.body) == 0:
		return errors.New("body: is empty")
	case !utf8.Valid(what.body):
		return errors.New("body: is not UTF-8")
	case what.body != nil && !what.ownType() && !json.Valid(what.body):
		return fmt.Errorf("body: is not JSON%s: for a file give -d @FILE, saved without a byte order mark; "+
			"for another format give -H 'Content-Type: ...'", placeIn(what.body))
	case what.body != nil && !what.ownType() && !isObject(what.body):
		return errors.New("body: is JSON, but no object: is it encoded twice?")
	}
	return nil
}

func isObject(text []byte) bool { return regexp.MustCompile(`^\s*[{[]`).Match(text) }

// placeIn says where a text is no JSON.
func placeIn(text []byte) string {
	if wrong, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, new(json.RawMessage))); ok {
		return fmt.Sprintf(" at byte %d", wrong.Offset)
	}
	return ""
}

// vaultToken finds one in a text.
func vaultToken() *regexp.Regexp { return regexp.MustCompile(`(^|[^\w-])hv[sbr]\.[\w-]{20,}`) }

// isLocal reports whether nothing sent to a URL leaves the machine.
func isLocal(address string) bool {
	return regexp.MustCompile(`^https?://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?([/?#]|$)`).MatchString(address)
}

// proxyOf names the variable of the proxy for a URL, which one of others precedes; "" for none.
func proxyOf(address string, others ...string) string {
	if scheme, _, _ := strings.Cut(address, ":"); !isLocal(address) {
		others = append(others, scheme+"_proxy", strings.ToUpper(scheme)+"_PROXY")
	}
	if n := slices.IndexFunc(others, func(name string) bool { return env(name) != "" }); n >= 0 {
		return others[n]
	}
	return ""
}

// throughProxy says which proxy a request to a URL goes through, where it does. Its own URL may have a password in it.
func throughProxy(address string, others ...string) string {
	name := proxyOf(address, others...)
	target, err := url.Parse(address)
	if err == nil && !slices.Contains(others, name) { // those know no no_proxy
		if target, err = http.ProxyFromEnvironment(&http.Request{URL: target}); target == nil {
			name = ""
		}
	}
	if name == "" || err != nil {
		return ""
	}
	return " through the proxy of " + name
}

// withoutAddress is why a connection failed, without its address.
func withoutAddress(err error) error {
	for failed, ok := errors.AsType[*net.OpError](err); ok; failed, ok = errors.AsType[*net.OpError](err) {
		err = failed.Err
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(unknown.Err)
	}
	return err
}

// checkURL looks at the proxy for the URL too: net/http ignores one that is no URL, and shows a part of a password as its host.
func checkURL(name, address string, proxies ...string) error {
	if !regexp.MustCompile(`^https?://[\w.:\[\]-]+([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?$`).MatchString(address) {
		return fmt.Errorf("%s: must begin with http:// or https:// and a host, without user name or line break; "+
			"percent-encode blanks, accents and %%", name)
	}
	usable := regexp.MustCompile(`^((?i)[a-z0-9]+://)?(([\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?` +
		`([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?(/[!-$&-?A-~]*)?$`)
	proxy := proxyOf(address, proxies...)
	noScheme := slices.Contains(proxies, proxy) && !strings.Contains(env(proxy), "://") // which net/http adds to its own
	if proxy != "" && (noScheme || !usable.MatchString(env(proxy))) {
		return fmt.Errorf("%s is not a URL that can be used; percent-encode its user name and password", proxy)
	}
	return nil
}

// shown is a URL for messages: there may be a token in its query.
func shown(address string) string { return regexp.MustCompile(`[?#].*`).ReplaceAllString(address, "") }

// addHeader reads NAME: VALUE, which check looks at, and reports whether the header was there already.
func addHeader(header http.Header, text string) bool {
	name, value, _ := strings.Cut(text, ":")
	repeated := header.Get(name) != ""
	header.Set(name, strings.Trim(value, " "))
	return repeated
}
