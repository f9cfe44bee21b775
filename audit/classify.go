// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Kinds of lines.
const (
	kindRead   = "read"   // of a token, through a role
	kindUnwrap = "unwrap" // whatever was wrapped, of any mount
	kindWrite  = "write"  // of a config or role
	kindDelete = "delete" // of a config or role
	kindRotate = "rotate"
	kindRevoke = "revoke"
	kindView   = "view"  // anything else on the mount
	kindAdmin  = "admin" // of the mount as a whole, or of its leases
	kindRewrap = "rewrap"
	kindWrap   = "wrap"  // a wrapped response of another mount
	kindLogin  = "login" // a new Vault token
)

// Outcomes of a line, in the order in which one line of a request overrules another.
const (
	forwarded  = 1 // by a standby, to the active node
	unanswered = 2 // a request, so far
	denied     = 3 // by Vault's policies, or for want of a valid Vault token
	refused    = 4 // by the engine, by its upstream or by Vault
	succeeded  = 5
)

// Halves of a request.
const (
	requestHalf  = 1
	responseHalf = 2
)

// fact is what one line tells.
type fact struct {
	id, kind              string
	half, outcome         int
	at                    int64 // nanoseconds since 1970
	operation             string
	namespace, mount      string // mount is its path in the namespace
	accessor              string // of the mount
	path                  string // as requested
	name                  string // of the config or role
	caller                caller
	token                 token
	remote, lease, reason string
	made, opened          string // names of the wrapping token that was made, or unwrapped
	asText                bool   // unwrapped in a way that shows nothing of the content
	parameters            []parameter
	revoked               []revocation
	secrets               []string
	method                string // of a login, as is the accessor of that method in accessor
}

// caller is who made a request, as one line has it. Accessors and client tokens are HMACs, of which each device makes its own.
type caller struct{ entity, accessor, client, inbound, display, policies string }

// token is how one line names the token that it hands out.
type token struct {
	id       string // token_id, in the clear
	hiddenID string // HMAC of it
	access   string // HMAC of the token
	// kind and hiddenConfig are HMACs of values that are no secret: they tell which device and salt made the line.
	kind, hiddenConfig, config, issued, expires string
}

type revocation struct{ tokenID, upstream, validUntil string }

// key identifies a row by its content, so that the same row from another line or file is the same row.
func key(parts ...string) int64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 1)
}

func (c caller) key() int64 {
	return key(c.entity, c.accessor, c.client, c.inbound, c.display, c.policies)
}

func (t token) key() int64 {
	return key(t.id, t.hiddenID, t.access, t.kind, t.hiddenConfig, t.config, t.issued, t.expires)
}

// classifier says what lines tell. It keeps no state, so that several goroutines may share it.
type classifier struct {
	mount  string
	leaked string // never to be shown
}

// classify says what an entry tells, or returns nil where it concerns others.
func (c *classifier) classify(e *entry) *fact {
	r := e.Request
	f := &fact{
		id: c.text(r.ID), at: e.at.UnixNano(), half: requestHalf, operation: c.text(r.Operation), namespace: c.text(r.Namespace.Path),
		path: c.text(r.Path), remote: c.text(r.RemoteAddress), caller: c.callerOf(e),
	}
	if e.Type == "response" {
		f.half = responseHalf
	}
	if e.Response != nil {
		f.made = pseudonym(e.Response.WrapInfo.Token)
	}
	path := strings.TrimPrefix(r.Path, r.Namespace.Path)
	mount := strings.TrimPrefix(r.MountPoint, r.Namespace.Path)
	switch {
	case c.isEngine(r, mount, path):
		c.onMount(f, e, mount, path)
	case path == "sys/wrapping/unwrap", path == "sys/wrapping/rewrap", isWrapping(e, path):
		c.unwrapping(f, e, path)
	case path == "sys/remount", administers(path) && r.Operation != "read" && r.Operation != "list" && r.Operation != "help":
		c.administration(f, e, path)
	case e.Response != nil && e.Response.Auth != nil && f.made == "" && !strings.HasPrefix(path, "auth/token/renew"):
		f.kind, f.method, f.accessor = kindLogin, c.text(mount), c.text(e.Response.MountAccessor)
		f.caller = caller{accessor: c.text(e.Response.Auth.Accessor)}
	case f.made != "":
		f.kind = kindWrap
	default:
		return nil
	}
	if f.id == "" {
		f.id = "without id " + digest(string(e.Request.Data)+e.Time+f.path)
	}
	return f
}

// isEngine reports whether a request is on the mount, or on another one of this engine: a mount that was moved is one of them.
func (c *classifier) isEngine(r *request, mount, path string) bool {
	return (mount == "" || mount == c.mount) && strings.HasPrefix(path, c.mount) ||
		mount != "" && strings.HasPrefix(path, mount) && !strings.HasPrefix(mount, "sys/") && !strings.HasPrefix(mount, "auth/") &&
			(strings.Contains(r.MountType, pluginName) || strings.Contains(r.MountAccessor, pluginName))
}

// onMount fills in a request on a mount of the engine.
func (c *classifier) onMount(f *fact, e *entry, mount, path string) {
	if mount == "" {
		mount = c.mount // Vault does not route what it denies
	}
	f.mount, f.accessor = c.text(mount), c.text(e.Request.MountAccessor)
	if e.Response != nil {
		f.lease = c.text(e.Response.Secret.LeaseID)
		if f.accessor == "" {
			f.accessor = c.text(e.Response.MountAccessor)
		}
	}
	prefix, name, _ := strings.Cut(strings.TrimPrefix(path, mount), "/")
	f.name = c.text(name)
	f.kind = kindOf(prefix, e.Request.Operation)
	asked := object(e.Request.Data)
	answered := c.judge(f, e)
	if f.kind == kindWrite {
		f.parameters = c.parameters(asked)
	}
	if f.kind == kindRevoke {
		f.revoked = c.revocations(answered)
	}
	c.alarm(f, e, asked, answered)
}

// kindOf is the kind of a request by the first part of its path.
func kindOf(prefix, operation string) string {
	writes := slices.Contains([]string{"create", "update", "patch"}, operation)
	switch {
	case prefix == "token" && (operation == "read" || writes):
		return kindRead
	case (prefix == "config" || prefix == "role") && writes:
		return kindWrite
	case (prefix == "config" || prefix == "role") && operation == "delete":
		return kindDelete
	case prefix == "rotate" && writes:
		return kindRotate
	case prefix == "revoke" && writes:
		return kindRevoke
	default:
		return kindView
	}
}

// judge fills in how the request ended, and which token it gave. It returns the data of the response.
func (c *classifier) judge(f *fact, e *entry) map[string]any {
	var data map[string]any
	if e.Response != nil {
		data = object(e.Response.Data)
	}
	failure, _ := data["error"].(string)
	switch {
	case isForwarded(e.Error):
		f.outcome = forwarded
	case e.Error != "" && isDenied(e):
		f.outcome, f.reason = denied, c.errorText(e.Error)
	case e.Error != "":
		f.outcome, f.reason = refused, c.errorText(e.Error)
	case f.half == requestHalf:
		f.outcome = unanswered
	case isHidden(failure):
		f.outcome, f.reason = refused, "hidden (HMAC): tune the mount to show error"
	case failure != "":
		f.outcome, f.reason = refused, c.errorText(failure)
	default:
		f.outcome = succeeded
		f.token = c.tokenOf(data)
	}
	return data
}

// isForwarded recognises how a standby passes on what only the active node can do: logical.ErrReadOnly and
// logical.ErrPerfStandbyPleaseForward of Vault's SDK.
func isForwarded(text string) bool {
	return strings.Contains(text, "cannot write to readonly storage") || strings.Contains(text, "please forward to the active node")
}

// isDenied tells Vault's denials from the refusals of the engine, whose text may be that of an upstream.
func isDenied(e *entry) bool {
	switch {
	case e.Auth == nil, e.Auth.Accessor == "" && e.Auth.ClientToken == "" && e.Auth.EntityID == "" && e.Auth.DisplayName == "":
		return true
	case e.Auth.PolicyResults != nil:
		return !e.Auth.PolicyResults.Allowed
	default: // before Vault 1.14
		return strings.Contains(e.Error, "permission denied")
	}
}

var hexID = regexp.MustCompile("^[0-9a-f]{16}$")

// tokenOf says how the data of a response names the token in it.
func (c *classifier) tokenOf(data map[string]any) (t token) {
	text := func(name string) string { s, _ := data[name].(string); return s }
	id, access := text("token_id"), text("access_token")
	switch {
	case isHidden(access):
		t.access = clip(mostText, access)
	case access != "":
		id = tokenID(access)
	}
	if isHidden(id) {
		t.hiddenID = clip(mostText, id)
	} else if hexID.MatchString(id) {
		t.id = id
	}
	if t == (token{}) {
		return t
	}
	if kind := text("token_type"); isHidden(kind) {
		t.kind = clip(mostText, kind)
	}
	if config := text("config"); isHidden(config) {
		t.hiddenConfig = clip(mostText, config)
	} else {
		t.config = c.text(config)
	}
	if issued := text("issued_at"); !isHidden(issued) {
		t.issued = c.text(issued)
	}
	if expires := text("expires_at"); !isHidden(expires) {
		t.expires = c.text(expires)
	}
	return t
}

func (c *classifier) revocations(data map[string]any) (all []revocation) {
	tokens, _ := data["tokens"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(tokens)) {
		became, _ := tokens[id].(map[string]any)
		text := func(name string) string {
			s, _ := became[name].(string)
			if isHidden(s) {
				return ""
			}
			return c.text(s)
		}
		all = append(all, revocation{c.text(id), text("upstream"), text("valid_until")})
	}
	return all
}

// isWrapping reports whether a wrapping is read where Vault keeps it, as was done long ago and still can be.
func isWrapping(e *entry, path string) bool {
	return path == "cubbyhole/response" && e.Request.Operation == "read" && e.Auth != nil &&
		(len(e.Auth.Policies) == 0 || slices.Contains(e.Auth.Policies, "response-wrapping"))
}

// unwrapping fills in what was taken out of a wrapping, or put into another one.
func (c *classifier) unwrapping(f *fact, e *entry, path string) {
	f.kind = kindUnwrap
	asked := object(e.Request.Data)
	answered := c.judge(f, e)
	if wrapping, _ := asked["token"].(string); wrapping != "" {
		f.opened = pseudonym(wrapping)
	} else {
		f.opened = f.caller.client
		f.caller.display = "holder of the wrapping token"
	}
	if e.Response != nil {
		f.lease = c.text(e.Response.Secret.LeaseID)
	}
	switch {
	case path == "sys/wrapping/rewrap", f.made != "":
		f.kind, f.token = kindRewrap, token{}
	case path == "cubbyhole/response":
		f.asText = true
	}
	c.alarm(f, e, asked, answered)
}

// administers reports whether a path is that of a mount as a whole, or ends leases.
func administers(path string) bool {
	_, ok := administered(path)
	return ok
}

func administered(path string) (rest string, ok bool) {
	for _, prefix := range []string{
		"sys/mounts/", "sys/leases/revoke/", "sys/leases/revoke-prefix/", "sys/leases/revoke-force/",
		"sys/revoke/", "sys/revoke-prefix/", "sys/revoke-force/",
	} {
		if rest, ok = strings.CutPrefix(path, prefix); ok {
			return rest, true
		}
	}
	return "", false
}

// administration fills in a change of a mount as a whole. A move hides both paths, unless the device logs in the clear.
func (c *classifier) administration(f *fact, e *entry, path string) {
	f.kind = kindAdmin
	asked := object(e.Request.Data)
	answered := c.judge(f, e)
	f.token = token{}
	f.parameters = c.parameters(asked)
	if rest, ok := administered(path); ok {
		f.mount = c.text(strings.Trim(strings.TrimSuffix(rest, "/tune"), "/") + "/")
		if strings.HasPrefix(rest, c.mount) {
			f.mount = c.text(c.mount)
		}
	}
	c.alarm(f, e, asked, answered)
}

// alarm notes the secrets that the line shows.
func (c *classifier) alarm(f *fact, e *entry, asked, answered map[string]any) {
	found := func(name string) { f.secrets = append(f.secrets, strings.ToLower(name)) }
	c.findSecrets("", asked, found)
	c.findSecrets("", answered, found)
	c.findSecrets("", anyOf(e.Request.Headers), found)
	if jwtPattern.MatchString(e.Request.Path) || c.leaked != "" && strings.Contains(e.Request.Path, c.leaked) {
		found("a token in a path")
	}
	for _, value := range []string{e.Request.ClientToken, f.caller.client} {
		if value != "" && !isHidden(value) {
			found("client_token")
			break
		}
	}
	slices.Sort(f.secrets)
	f.secrets = slices.Compact(f.secrets)
}

func object(data json.RawMessage) map[string]any {
	all, _ := anyOf(data).(map[string]any)
	return all
}

func anyOf(data json.RawMessage) (value any) {
	if len(data) == 0 || json.Unmarshal(data, &value) != nil {
		return nil
	}
	return value
}

func (c *classifier) callerOf(e *entry) caller {
	who := caller{inbound: pseudonym(e.Request.ClientToken), display: "(no valid Vault token)"}
	who.accessor = e.Request.ClientTokenAccessor
	if a := e.Auth; a != nil && (a.Accessor != "" || a.ClientToken != "" || a.EntityID != "" || a.DisplayName != "") {
		who.entity, who.client = c.text(a.EntityID), pseudonym(a.ClientToken)
		who.display, who.policies = c.text(a.DisplayName), c.text(strings.Join(a.Policies, ","))
		if a.Accessor != "" {
			who.accessor = a.Accessor
		}
		if who.display == "" {
			who.display = "(no name)"
		}
	}
	who.accessor = c.text(who.accessor)
	return who
}

// errorText makes one line of an error: Vault counts and bullets even a single one.
func (c *classifier) errorText(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasSuffix(line, "occurred:") {
			parts = append(parts, strings.TrimPrefix(line, "* "))
		}
	}
	return c.text(strings.Join(parts, "; "))
}
