// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// Observation is what one line tells about the mount.
type Observation struct {
	at         time.Time
	answer     bool
	id         string
	kind       Kind
	outcome    Outcome
	who        Who
	accessor   string // HMAC, of the Vault token
	remote     string
	path       string
	namespace  string
	name       string // of the role or config
	lease      string
	failure    string
	fields     []entry.Field
	token      entry.Token
	wrapping   string // HMAC of the wrapping token
	rewrapping string // HMAC of the wrapping token that took its place
	inClear    string // name of a secret that the log shows
	login      *login
}

// login is a new Vault token.
type login struct {
	accessor, entity string
	method           string
	methodAccessor   string
}

// Related reports whether the line only helps to understand others.
func (o *Observation) Related() bool { return o.login != nil || o.kind == Unwrap || o.rewrapping != "" }

// Observer turns entries into observations. It keeps no state, so several goroutines may share one.
type Observer struct {
	mount     string
	namespace *string
}

// NewObserver returns an observer of a mount such as mastersindia/. A nil namespace means all.
func NewObserver(mount string, namespace *string) *Observer {
	return &Observer{mount: mount, namespace: namespace}
}

// Observe says what an entry tells about the mount, or nil where it concerns others.
func (ob *Observer) Observe(e *entry.Entry) *Observation {
	o := &Observation{at: e.Time, answer: e.Type == entry.Response, id: e.Request.ID, remote: e.Request.RemoteAddr}
	o.namespace = e.Request.Namespace
	o.path = clip(e.Request.Path)
	o.who = whoOf(e.Auth)
	if e.Auth != nil {
		o.accessor = e.Auth.Accessor
	}
	switch {
	case ob.namespace != nil && *ob.namespace != o.namespace:
		return nil
	case ob.routes(e.Request):
		o.onMount(e, strings.TrimPrefix(e.Request.Path, ob.mount))
	case e.Request.Path == "sys/wrapping/unwrap":
		return o.unwrapped(e, ob.mount)
	case e.Request.Path == "sys/wrapping/rewrap":
		return o.rewrapped(e)
	case e.Request.Path == "cubbyhole/response":
		return o.unwrappedAsText(e)
	case ob.administers(e):
		o.kind, o.name = Admin, e.Request.Operation
		o.fields = clipFields(entry.Fields(e.Request.Data))
		o.judge(e)
	case e.Response != nil && e.Response.Auth != nil && !strings.HasPrefix(e.Request.Path, "auth/token/renew"):
		o.login = loginOf(e)
	default:
		return nil
	}
	return o
}

// routes reports whether the request is on the mount itself. Vault writes the namespace before the mount point, and not before
// the path.
func (ob *Observer) routes(r *entry.Asked) bool {
	here := r.MountPoint == "" || r.MountPoint == ob.mount || r.MountPoint == r.Namespace+ob.mount
	return here && strings.HasPrefix(r.Path, ob.mount)
}

// onMount fills in a request on the mount itself.
func (o *Observation) onMount(e *entry.Entry, rest string) {
	prefix, name, _ := strings.Cut(rest, "/")
	o.name = clip(name)
	o.kind = kindOf(prefix, e.Request.Operation)
	o.judge(e)
	if o.kind == Write {
		o.fields = clipFields(entry.Fields(e.Request.Data))
		for _, f := range o.fields {
			if f.InClear {
				o.inClear = strings.ToLower(f.Name)
			}
		}
	}
	if e.Response == nil {
		return
	}
	o.lease = clip(e.Response.LeaseID)
	o.wrapping = e.Response.WrappingToken
}

// kindOf is the kind of a request by the first part of its path.
func kindOf(prefix, operation string) Kind {
	writes := slices.Contains([]string{"create", "update", "patch"}, operation)
	switch {
	case prefix == "token" && (operation == "read" || writes):
		return Read
	case (prefix == "config" || prefix == "role") && writes:
		return Write
	case (prefix == "config" || prefix == "role") && operation == "delete":
		return Delete
	case prefix == "rotate" && writes:
		return Rotate
	case prefix == "revoke" && writes:
		return Revoke
	default:
		return View
	}
}

// judge finds out how the request ended.
func (o *Observation) judge(e *entry.Entry) {
	if e.Response != nil {
		o.token = entry.DecodeToken(e.Response.Data)
		o.hideToken()
	}
	o.failure = errorText(e.Error)
	notAllowed := e.Auth != nil && e.Auth.PolicyResults != nil && !e.Auth.PolicyResults.Allowed
	switch {
	case o.failure != "" && (notAllowed || e.Auth == nil || strings.Contains(o.failure, "permission denied")):
		o.outcome = Denied
	case o.failure != "":
		o.outcome = Refused
	case o.token.Error != "":
		o.outcome, o.failure = Refused, errorText(o.token.Error)
		if entry.Hidden(o.token.Error) {
			o.failure = HiddenError
		}
	default:
		o.outcome = OK
	}
}

// hideToken drops an access token that the log shows, and notes that it does.
func (o *Observation) hideToken() {
	if o.token.AccessToken == "" || entry.Hidden(o.token.AccessToken) {
		return
	}
	o.token.TokenID, o.token.AccessToken = entry.TokenID(o.token.AccessToken), ""
	o.inClear = "access_token"
}

// HiddenError stands for an error that the log hides.
const HiddenError = "hidden (HMAC): tune the mount to show error"

// unwrapped fills in what was taken out of a wrapping. Which mount it came from is known by its lease, or, later, by the HMAC of
// the wrapping token.
func (o *Observation) unwrapped(e *entry.Entry, mount string) *Observation {
	if e.Response == nil {
		return nil
	}
	o.kind = Unwrap
	o.judge(e)
	if o.outcome != OK || o.token.AccessToken == "" && o.inClear == "" {
		return nil
	}
	o.wrapping = entry.Text(e.Request.Data, "token")
	if o.wrapping == "" && e.Auth != nil {
		o.wrapping = e.Auth.ClientToken
		o.who = Who{DisplayName: holder}
	}
	if e.Response.LeaseID != "" {
		role, mine := strings.CutPrefix(e.Response.LeaseID, mount+"token/")
		if !mine {
			return nil
		}
		o.lease = clip(e.Response.LeaseID)
		if end := strings.LastIndexByte(role, '/'); end >= 0 {
			o.name = clip(role[:end])
		}
	}
	return o
}

// rewrapped fills in that what was in one wrapping is in another now.
func (o *Observation) rewrapped(e *entry.Entry) *Observation {
	if e.Response == nil || e.Response.WrappingToken == "" || e.Error != "" {
		return nil
	}
	o.wrapping, o.rewrapping = entry.Text(e.Request.Data, "token"), e.Response.WrappingToken
	return o
}

// unwrappedAsText fills in that a wrapping was read where Vault keeps it, as was done long ago and still can be.
// The log has one HMAC of all that was in it.
func (o *Observation) unwrappedAsText(e *entry.Entry) *Observation {
	if e.Response == nil || len(e.Response.Data) == 0 || e.Auth == nil || e.Request.Operation != "read" {
		return nil
	}
	o.kind = Unwrap
	o.judge(e)
	if o.outcome != OK {
		return nil
	}
	o.wrapping, o.who = e.Auth.ClientToken, Who{DisplayName: holder}
	return o
}

// holder is whoever used a wrapping token as their Vault token.
const holder = "holder of the wrapping token"

// administers reports whether the request changes the mount as a whole, or ends its leases.
func (ob *Observer) administers(e *entry.Entry) bool {
	if e.Request.Operation == "read" || e.Request.Operation == "list" || e.Request.Operation == "help" {
		return false
	}
	path := e.Request.Path + "/"
	for _, prefix := range []string{
		"sys/mounts/", "sys/leases/revoke/", "sys/leases/revoke-prefix/", "sys/leases/revoke-force/",
		"sys/revoke/", "sys/revoke-prefix/", "sys/revoke-force/",
	} {
		if strings.HasPrefix(path, prefix+ob.mount) {
			return true
		}
	}
	return false
}

func loginOf(e *entry.Entry) *login {
	l := &login{
		accessor: e.Response.Auth.Accessor, entity: e.Response.Auth.EntityID,
		method: e.Request.MountPoint, methodAccessor: e.Response.MountAccessor,
	}
	if l.method == "" {
		l.method = e.Response.MountPoint
	}
	if strings.HasPrefix(e.Request.Path, "auth/token/") {
		l.entity = "" // that of the parent, who came by another method
	}
	return l
}

// nobody is whoever had no valid Vault token.
const nobody = "(no valid Vault token)"

func whoOf(a *entry.Auth) Who {
	if a == nil {
		return Who{DisplayName: nobody}
	}
	w := Who{DisplayName: clip(a.DisplayName), EntityID: clip(a.EntityID), Policies: clip(strings.Join(a.Policies, ","))}
	if w.EntityID == "" {
		w.Accessor = clip(a.Accessor)
	}
	if w.DisplayName == "" {
		w.DisplayName = "(no name)"
	}
	return w
}

// errorText makes one line of an error: Vault counts and bullets even a single one.
func errorText(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasSuffix(line, "occurred:") {
			continue
		}
		parts = append(parts, strings.TrimPrefix(line, "* "))
	}
	return clip(strings.Join(parts, "; "))
}

// mostText bounds what is remembered of a text that callers of Vault may have chosen, in bytes.
const mostText = 400

func clip(text string) string { return clipTo(mostText, text) }

func clipTo(most int, text string) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// mostFields bounds how many parameters of a write are remembered, and mostOdd, in bytes, the name and value of one that the
// engine does not have.
const (
	mostFields = 40
	mostOdd    = 64
)

// clipFields keeps what the engine has in any case: Vault passes over other parameters, so that whoever writes could add as many
// of them as would hide where a config points.
func clipFields(fields []entry.Field) []entry.Field {
	slices.SortStableFunc(fields, func(a, b entry.Field) int { return cmp.Compare(odd(a.Name), odd(b.Name)) })
	fields = slices.Clone(fields[:min(len(fields), mostFields)])
	for n := range fields {
		f := &fields[n]
		if odd(f.Name) > 0 {
			f.Name, f.Value = clipTo(mostOdd, f.Name), clipTo(mostOdd, f.Value)
		}
		f.Value = clip(f.Value)
	}
	slices.SortFunc(fields, func(a, b entry.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// odd is 1 for a parameter that no config or role of the engine has, or else 0.
func odd(name string) int {
	switch name {
	case "allow_http", "authorization_scheme", "ca_cert", "client_id", "client_secret", "config", "default_token_ttl", "headers",
		"lease", "ledger_retention", "max_token_ttl", "max_ttl", "password", "pause_reason", "paused", "preset", "protocol",
		"proxy_url", "refresh_headers", "refresh_url", "request_format", "request_timeout", "rotation_percent", "scope",
		"soap_action", "soap_password_element", "soap_username_element", "token_url", "username", "verify_connection",
		"assertion_audience", "metadata":
		return 0
	default:
		return 1
	}
}
