// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/segmentio/encoding/json"
)

// Outcomes of a line, in the order in which one line of a request overrules another.
const (
	forwarded  = 1 // by a standby, to the active node
	unanswered = 2 // a request, so far
	denied     = 3 // by Vault's policies, or for want of a valid Vault token
	refused    = 4 // by the engine, by its upstream or by Vault
	succeeded  = 5
)

var (
	hexID    = regexp.MustCompile("^[0-9a-f]{16}$")                  // a token_id
	wholeJWT = regexp.MustCompile(`^eyJ[\w-]+\.[\w-]+\.[\w-]{20,}$`) // a mask leaves less
	// maskedName is what a program on the way may leave of a name.
	maskedName = regexp.MustCompile(`(?i)^(mask.*|redact.*|hidden|removed|anonym.*|[-_.x?]*|([0-9a-f]{8})+)$`)
	rfc3339    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
	tokenPath  = regexp.MustCompile("^(.+/)token/([^/]+)(/[^/]+)?$") // of tokens, or a lease of one, with its mount and role
	// administered is the beginning of paths of a mount as a whole, of those that end leases, and of audit devices.
	administered = regexp.MustCompile("^sys/(remount$|mounts/|audit/|(leases/)?revoke(-prefix|-force)?/)")
	// forwards are logical.ErrReadOnly and logical.ErrPerfStandbyPleaseForward, by which a standby passes a request on, also masked.
	forwards      = regexp.MustCompile(`cannot write to readonly storage|please for|^\S+$|^\W+\w+( \w+)*\W+$`)
	operationName = regexp.MustCompile("^(create|read|update|patch|delete|list|scan|recover|header|help|renew|revoke|rotate)$")
	enginePath    = regexp.MustCompile("^(config|ledger|lookup|metrics|preset|revoke|role|rotate|status|token)?(/|$)")
	mountAccessor = regexp.MustCompile("^(.*_[0-9a-f]{8}|[^_]*)$") // of a mount, as Vault makes one, or hashed by a collector
	wrappingPath  = regexp.MustCompile("^(sys/wrapping/(re|un)?wrap|cubbyhole/response)$")
	leavesOut     = regexp.MustCompile(`"(filter|exclude|fallback)"`)
	denial        = regexp.MustCompile("permission denied|(invalid|bad|missing client) token") // by Vault, without policy_results
	// cutOff is what Vault says where the caller went away or the plugin died, and it does not know what became of the request.
	cutOff  = regexp.MustCompile("^(rpc error: code = (Canceled|DeadlineEx|Unavailable)|context (canceled|deadline ex))")
	bullets = regexp.MustCompile(`(^|\s*\n)\s*(\d+ errors? occurred:\s*)?(\* )?`)
)

// fact is what one line tells, or the two lines of a request.
type fact struct {
	id, kind                 string // the kinds are listed at the table line
	began, ended             int64  // of the request and of the response, in nanoseconds since 1970; 0 without that line
	outcome                  int
	operation                string
	namespace, mount         string // mount is its path in the namespace
	accessor                 string // of the mount
	path, name               string // name is that of the config or role
	caller                   caller
	token                    token
	remote, lease, why, file string
	port                     int     // of the client
	missing                  string  // fields that the device left out
	rows                     [][]any // of other tables: name of the table, and values without the request in the first column
}

func (f *fact) row(tableAndValues ...any) { f.rows = append(f.rows, tableAndValues) }

// caller is who made a request, as one line has it. Accessors and client tokens are HMACs, of which each device makes its own.
type caller struct{ entity, accessor, client, inbound, display, policies string }

// token is how one line names the token that it hands out.
type token struct {
	id, hiddenID, access, header string // token_id, and the HMACs of that, of the token itself, and of it with its scheme
	// kind, unless it is shown, and hiddenConfig are HMACs of values that are no secret: they tell which device and salt made it.
	kind, hiddenConfig, config, issued, expires string
}

// classifier says what lines tell. It keeps no state, so that several goroutines may share it.
type classifier struct {
	mount  string
	leaked string // never to be shown
}

// classify says what an entry tells, or returns nil where it concerns others.
func (c *classifier) classify(e *entry) *fact {
	r, by := e.Request, c.callerOf(e)
	mount, path := c.location(e)
	f := &fact{kind: "other",
		id: c.text(unmasked(r.ID)), operation: operationName.FindString(r.Operation), namespace: c.text(r.Namespace.Path),
		path: c.text(r.Path), remote: c.text(unmasked(r.RemoteAddress)), lease: c.text(e.Response.Secret.text("lease_id")), caller: by,
	}
	f.port, _ = strconv.Atoi(strings.Trim(string(r.RemotePort), `"`)) // 0 where it is masked
	if f.id == "" {
		f.id = "without id " + digest(string(e.raw))
	}
	if f.began = e.at.UnixNano(); e.Type == "response" {
		f.began, f.ended = 0, f.began
	}
	asked, answered, wrapped := r.Data, e.Response.Data, e.Response.WrapInfo
	made := pseudonym(wrapped.text("token"))
	if made != "" {
		f.row("wrapping", made)
	}
	c.judge(f, e, answered)
	f.missing = e.missing(f.outcome, by, c.mount, mount, path)
	switch {
	case strings.HasSuffix(f.missing, "request.path"):
		return f // it may be one of those below
	case c.isEngine(e, mount, path):
		c.onMount(f, e, mount, path)
	case path == "sys/wrapping/unwrap", path == "sys/wrapping/rewrap", // and the path where Vault keeps a wrapping
		path == "cubbyhole/response" && (e.Auth.Policies == nil || slices.Contains(e.Auth.Policies, wrappingPolicy)):
		c.unwrapping(f, asked, answered, made != "" || path == "sys/wrapping/rewrap")
		if of := tokenPath.FindStringSubmatch(cmp.Or(f.lease, wrapped.text("creation_path"))); of != nil && of[1] != "auth/" {
			f.mount, f.name = c.text(of[1]), c.text(of[2])
		}
		if f.outcome == succeeded && (len(answered)+len(e.Response.Auth) == 0 || f.token == (token{}) && givesToken(answered)) {
			f.why = "its response shows no token"
		}
	case administered.MatchString(path) && r.Operation != "read" && r.Operation != "list":
		f.kind, f.mount = "admin", c.text(strings.Trim(strings.TrimSuffix(administered.ReplaceAllString(path, ""), "/tune"), "/")+"/")
		if strings.HasPrefix(f.mount, c.mount) {
			f.mount = c.mount
		}
	case made != "", path == "sys/wrapping/wrap":
		f.kind, f.token = "wrap", token{}
	case strings.Contains(f.missing, "request."), e.Error != "" && r.MountPoint == "": // as where there is no such mount
		return f // it may be one of those above
	default:
		return nil
	}
	if cutOff.MatchString(f.why) && slices.Contains([]string{"write", "delete", "admin", "rotate", "revoke"}, f.kind) {
		f.outcome = unanswered // it may have been carried out
	}
	switch f.kind {
	case "read", "wrap":
		c.names(f, asked) // the token that was rejected, or wrapped
	case "write", "admin":
		c.parameters(f, asked)
		if leavesOut.Match(asked["options"]) {
			f.row("parameter", "filter", "hidden", "") // of an audit device
		}
	case "revoke":
		c.parameters(f, asked)
		if c.revocations(f, answered); f.outcome == succeeded && answered["tokens"] == nil { // as where it is wrapped
			f.outcome, f.why = unanswered, "its response does not show which tokens it revoked"
		}
	}
	switch { // a write in which nothing was given says so in a warning
	case f.outcome == succeeded && f.kind == "read" && len(answered)+len(wrapped) == 0:
		f.missing += " response.data"
	case f.outcome == succeeded && f.kind == "write" && len(asked)+len(e.Response.Warnings) == 0:
		f.missing += " request.data"
	}
	c.alarm(f, e, asked, answered)
	return f
}

// location is the mount and the path of a request, in its namespace. The mount is empty where the line does not tell it.
func (c *classifier) location(e *entry) (mount, path string) {
	r := e.Request
	mount, path = strings.TrimPrefix(r.MountPoint, r.Namespace.Path), r.Path
	if !strings.HasPrefix(path, cmp.Or(mount, c.mount)) || mount != "" && strings.HasPrefix(path, r.MountPoint) {
		path = strings.TrimPrefix(path, r.Namespace.Path)
	}
	return mount, path
}

// missing names the fields that Vault writes where it serves a request, and that an option of the device (exclude) leaves out.
func (e *entry) missing(outcome int, by caller, reported, mount, path string) (names string) {
	r := e.Request
	if e.Error != "" || outcome == denied || slices.Contains([]string{"sys/audit/test", "sys/seal", "sys/step-down"}, r.Path) {
		return "" // none is routed
	}
	// Elsewhere some paths need no Vault token.
	ofEngine := e.ofPlugin() || (mount == "" || mount == reported) && strings.HasPrefix(path, reported)
	for _, field := range [][2]string{{"auth.policies", strings.Join(e.Auth.Policies, ",")},
		{"auth.accessor", cmp.Or(by.entity, by.accessor, by.client, by.inbound)},
		{"request.id", unmasked(r.ID)}, {"request.mount_point", r.MountPoint}, {"request.mount_type", r.MountType},
		{"request.namespace", r.Namespace.ID}, {"request.operation", operationName.FindString(r.Operation)}} {
		isNeeded := ofEngine || field[0] == "auth.accessor" && wrappingPath.MatchString(path)
		if field[1] == "" && (isNeeded || strings.HasPrefix(field[0], "request.")) {
			names += " " + field[0]
		}
	}
	below := strings.TrimPrefix(path, cmp.Or(mount, reported))
	inSys := strings.HasSuffix(mount, "/sys/") && strings.HasPrefix(path, "sys/") // of another namespace than the Vault token's
	isMasked := !inSys && !strings.HasPrefix(path+"/", mount) || mount != "" && !strings.HasSuffix(mount, "/")
	if outcome != refused && (isMasked || ofEngine && !enginePath.MatchString(below)) {
		names += " request.path" // it is masked, or the mount is; what the engine refuses may be misspelt
	}
	return names
}

// isEngine reports whether a request is on the mount or, by the plugin's name or the shape of a token, on another of this engine.
func (c *classifier) isEngine(e *entry, mount, path string) bool {
	return (mount == "" || mount == c.mount) && strings.HasPrefix(path, c.mount) ||
		mount != "" && strings.HasPrefix(path, mount) && !strings.HasPrefix(mount, "sys/") && !strings.HasPrefix(mount, "auth/") &&
			(e.ofPlugin() || givesToken(e.Response.Data))
}

func (e *entry) ofPlugin() bool {
	return strings.Contains(e.Request.MountType+e.Request.MountAccessor+e.Response.MountAccessor, pluginName)
}

// givesToken knows what token/ answers, as far as the device shows it. Credentials of a database, too, tell their last rotation.
func givesToken(answered fields) bool {
	return answered["last_vault_rotation"] != nil && (answered["access_token"] != nil || answered["authorization"] != nil ||
		answered["token_id"] != nil || answered["token_type"] != nil)
}

// onMount fills in a request on a mount of the engine.
func (c *classifier) onMount(f *fact, e *entry, mount, path string) {
	mount, f.kind = cmp.Or(mount, c.mount), "view" // Vault does not route what it denies
	f.accessor = c.text(unmasked(mountAccessor.FindString(cmp.Or(e.Request.MountAccessor, e.Response.MountAccessor))))
	prefix, name, _ := strings.Cut(strings.TrimPrefix(path, mount), "/")
	f.mount, f.name, f.why = c.text(mount), c.text(name), cmp.Or(f.why, c.errorText(strings.Join(e.Response.Warnings, "; ")))
	switch write := slices.Contains([]string{"create", "update", "patch"}, e.Request.Operation); {
	case prefix == "token" && (write || e.Request.Operation == "read"):
		f.kind = "read"
	case (prefix == "config" || prefix == "role") && write:
		f.kind = "write"
	case (prefix == "config" || prefix == "role") && e.Request.Operation == "delete":
		f.kind = "delete"
	case (prefix == "rotate" || prefix == "revoke") && write:
		f.kind = prefix
	}
}

// judge fills in how the request ended, and which token it gave.
func (c *classifier) judge(f *fact, e *entry, answered fields) {
	failure, allowed := answered.text("error"), e.Auth.PolicyResults.Allowed
	switch {
	case allowed == nil && denial.MatchString(e.Error), allowed != nil && !*allowed:
		f.outcome, f.why = denied, c.errorText(e.Error)
	case forwards.MatchString(e.Error):
		f.outcome = forwarded
	case e.Error != "":
		f.outcome, f.why = refused, c.errorText(e.Error)
	case f.ended == 0:
		f.outcome = unanswered
	case failure != "" && len(answered) == 1:
		f.outcome, f.why = refused, c.errorText(failure)
		if isHidden(failure) {
			f.why = "hidden (HMAC): tune the mount to show error"
		}
	case e.Request.Operation == "delete" && strings.Contains(strings.Join(e.Response.Warnings, "\n"), "Nothing was deleted:"):
		f.outcome, f.why = refused, c.errorText(strings.Join(e.Response.Warnings, "; "))
	default:
		f.outcome, f.token = succeeded, c.tokenOf(e)
	}
}

// textOf is the text of that name in data: hidden is an HMAC, shown is anything else.
func textOf(data fields, name string) (hidden, shown string) {
	if shown = data.text(name); isHidden(shown) {
		return clip(shown), ""
	}
	return "", shown
}

// tokenOf says how a response names the token in it. If it may not be of the engine, names of two may be in it: one is believed.
func (c *classifier) tokenOf(e *entry) (t token) {
	r, data := e.Request, e.Response.Data
	access, shownAccess := textOf(data, "access_token")
	hiddenID, id := textOf(data, "token_id")
	sure := e.Response.Secret.text("lease_id") != "" || e.ofPlugin() || r.MountPoint == r.Namespace.Path+c.mount
	if !sure && !bytes.HasPrefix(data["access_token"], []byte{'"'}) {
		return t // a token_id is no secret, whatever is beside it that is no text
	}
	switch id = hexID.FindString(unmasked(id)); {
	case c.showsLeaked(shownAccess), c.leaked != "" && id == tokenID(c.leaked): // whatever a mask has left of the token beside it
		id = tokenID(c.leaked)
	case wholeJWT.MatchString(shownAccess) && (!sure || id == ""):
		id = tokenID(shownAccess)
	case !sure && unmasked(shownAccess) != "" && id != tokenID(shownAccess): // it may be a digest that a collector made
		id = ""
	}
	if !sure && id != "" {
		access, hiddenID = "", ""
	} else if !sure && access != "" {
		hiddenID = ""
	}
	if t = (token{access: access, hiddenID: hiddenID, id: id}); t == (token{}) {
		return t
	}
	hiddenKind, kind := textOf(data, "token_type")
	if t.hiddenConfig, t.config = textOf(data, "config"); sure {
		t.header, _ = textOf(data, "authorization")
	}
	t.kind, t.config = cmp.Or(hiddenKind, c.text(kind)), c.text(t.config)
	t.issued, t.expires = rfc3339.FindString(data.text("issued_at")), rfc3339.FindString(data.text("expires_at"))
	return t
}

// showsLeaked reports whether a text has the leaked token, and not one that goes on behind it: many begin with the same header.
func (c *classifier) showsLeaked(text string) bool {
	return c.leaked != "" && strings.Contains(text, c.leaked) &&
		regexp.MustCompile(regexp.QuoteMeta(c.leaked)+`($|[^\w-])`).MatchString(text)
}

func (c *classifier) revocations(f *fact, answered fields) {
	var tokens map[string]fields
	_ = json.Unmarshal(answered["tokens"], &tokens)
	for id, became := range tokens {
		_, upstream := textOf(became, "upstream")
		_, until := textOf(became, "valid_until")
		f.row("revoked", c.text(id), c.text(upstream), c.text(until))
	}
}

// names notes what may name the leaked token among the texts of a request or response: who has them has the token.
func (c *classifier) names(f *fact, texts fields) {
	eachText(texts, func(_, text string) {
		switch id := strings.ToLower(strings.Trim(text, "\"' \t\r\n")); { // as the engine takes a token_id
		case c.showsLeaked(text):
			f.row("named", "leaked")
		case isHidden(text):
			f.row("named", text)
		case f.kind == "read" && hexID.MatchString(id):
			f.row("named", id)
		}
	})
}

// unwrapping fills in what was taken out of a wrapping, which a parameter or the Vault token names, or put into another one.
func (c *classifier) unwrapping(f *fact, asked, answered fields, again bool) {
	f.kind = "unwrap"
	if again {
		f.kind, f.token = "rewrap", token{}
	}
	if wrapping := asked.text("token"); wrapping != "" {
		f.row("wrapping", pseudonym(wrapping))
	} else if f.caller.entity == "" && (f.caller.policies == "" || strings.Contains(f.caller.policies, wrappingPolicy)) {
		f.row("wrapping", f.caller.client)
		f.row("wrapping", f.caller.inbound)
		f.caller.display = "holder of the wrapping token"
	}
	if answered["http_raw_body"] != nil || f.path == "cubbyhole/response" && f.ended != 0 {
		f.why = "unwrapped as one text, of which the log has one HMAC"
	}
	c.names(f, answered) // somebody may have wrapped it under any name
}

const (
	wrappingPolicy = "response-wrapping"      // of wrapping tokens
	noToken        = "(no valid Vault token)" //nolint:gosec // G101: this is none
	notKnown       = "(not known)"            // of a caller, as the one above
)

func (c *classifier) callerOf(e *entry) caller {
	a, inbound, accessor := e.Auth, pseudonym(e.Request.ClientToken), unmasked(e.Request.ClientTokenAccessor)
	a.Accessor, a.EntityID = unmasked(a.Accessor), unmasked(a.EntityID)
	if a.Accessor+a.ClientToken+a.EntityID+a.DisplayName == "" {
		display := notKnown
		if denial.MatchString(e.Error) {
			display = noToken
		}
		return caller{inbound: inbound, accessor: c.text(accessor), display: display}
	}
	if a.EntityID != "" {
		accessor = "" // the response to a login has that of the Vault token which the login was sent with
	}
	return caller{c.text(a.EntityID), c.text(cmp.Or(a.Accessor, accessor)), pseudonym(a.ClientToken), inbound,
		cmp.Or(c.text(a.DisplayName), "(no name)"), c.text(strings.Join(a.Policies, ","))}
}

// errorText makes one line of an error: Vault counts and bullets even a single one.
func (c *classifier) errorText(text string) string {
	return c.text(strings.Trim(bullets.ReplaceAllString(text, "; "), "; \n"))
}
