// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package story makes of the entries of an audit log what somebody who looks into an incident wants to know about one mount: who
// was given which token, what was denied, what was changed, and what became of tokens that were revoked.
//
// Its memory is bounded however long the log is. Counts are always exact; where lists had to be cut the report says so.
package story

import (
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// Kind is what a request was about.
type Kind string

// The kinds.
const (
	Read   Kind = "read"   // token/ was read
	Unwrap Kind = "unwrap" // a token was taken out of its wrapping
	Write  Kind = "write"  // a config or role was created or changed
	Delete Kind = "delete" // a config or role was deleted
	Rotate Kind = "rotate" // rotate/
	Revoke Kind = "revoke" // revoke/
	View   Kind = "view"   // anything that changes nothing and gives no token
	Admin  Kind = "admin"  // the mount itself: enabled, tuned, disabled, leases ended
)

// Outcome is how a request ended.
type Outcome string

// The outcomes.
const (
	OK         Outcome = "ok"
	Denied     Outcome = "denied"     // Vault said no
	Refused    Outcome = "refused"    // the engine or the upstream said no
	Unanswered Outcome = "unanswered" // the log has no answer
)

// Report is what a log tells.
type Report struct {
	Version   string     `json:"version"`
	Mount     string     `json:"mount"`
	Namespace string     `json:"namespace,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Generated time.Time  `json:"generated"`

	Input   Input    `json:"input"`
	Notices []string `json:"notices"`
	Summary Summary  `json:"summary"`
	Alarms  []Alarm  `json:"alarms"`
	Leak    *Leak    `json:"leak,omitempty"`

	Readings    []Reading    `json:"readings"`
	Refusals    []Refusal    `json:"refusals"`
	Objects     []Object     `json:"objects"`
	Tokens      []Token      `json:"tokens"`
	Revocations []Revocation `json:"revocations"`
	Histogram   Histogram    `json:"histogram"`
	// Rows are single requests in the order of time: all of them, or the newest where there were too many.
	Rows []Row `json:"rows"`
}

// Input is what was read. Lines are counted one by one: each is in exactly one of the counts below Lines.
type Input struct {
	Files []File `json:"files"`
	Bytes int64  `json:"bytes"`
	Lines int64  `json:"lines"`

	Entries    int64 `json:"entries"`    // of this mount
	Related    int64 `json:"related"`    // logins, and what was unwrapped
	Elsewhere  int64 `json:"elsewhere"`  // of other mounts
	Garbage    int64 `json:"garbage"`    // no entries
	TooLong    int64 `json:"too_long"`   // longer than is looked at
	CutShort   int64 `json:"cut_short"`  // last lines without their end
	Empty      int64 `json:"empty"`      // empty lines
	Duplicates int64 `json:"duplicates"` // the same entry once more; counted in entries too

	RequestsUnanswered int64 `json:"requests_without_response"`
	ResponsesAlone     int64 `json:"responses_without_request"`

	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
}

// File is one file that was read.
type File struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Lines int64  `json:"lines"`
	Gzip  bool   `json:"gzip,omitempty"`
	// Note says what was wrong with it.
	Note string `json:"note,omitempty"`
}

// Summary counts the requests of the mount in the time span.
type Summary struct {
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	Requests int64      `json:"requests"`
	// Given counts the answers that handed out a token.
	Given      int64            `json:"given"`
	Wrapped    int64            `json:"wrapped"`
	Denied     int64            `json:"denied"`
	Refused    int64            `json:"refused"`
	Unanswered int64            `json:"unanswered"`
	Changes    int64            `json:"changes"`
	Rotations  int64            `json:"rotations"`
	Revoked    int64            `json:"revocations"`
	Readers    int              `json:"readers"`
	Roles      int              `json:"roles"`
	Tokens     int              `json:"tokens"`
	ByKind     map[string]int64 `json:"by_kind"`
}

// Who is whoever made a request.
type Who struct {
	DisplayName string `json:"display_name"`
	EntityID    string `json:"entity_id,omitempty"`
	// AuthMethod is the path of the auth method that made the Vault token, such as auth/userpass/; AuthAccessor its accessor.
	// They are known where the log shows the login; GuessedMethod tells that the path was derived from the display name,
	// or is that of another login of the entity.
	AuthMethod    string `json:"auth_method,omitempty"`
	AuthAccessor  string `json:"auth_accessor,omitempty"`
	GuessedMethod bool   `json:"guessed_method,omitempty"`
	// Accessor is the accessor of the Vault token, or the HMAC of it, and tells apart those who have no entity.
	Accessor string `json:"accessor,omitempty"`
	Policies string `json:"policies,omitempty"`
}

// TokenName names a shared token as well as the log can.
type TokenName struct {
	// ID is the token_id, and empty where the log hides it.
	ID string `json:"token_id,omitempty"`
	// HMAC is the audit device's hash of the token.
	HMAC string `json:"token_hmac,omitempty"`
}

// Reading is one reader, role and token, and how often they met.
type Reading struct {
	Who    *Who      `json:"who"`
	Kind   Kind      `json:"kind"`
	Role   string    `json:"role"`
	Token  TokenName `json:"token"`
	Config string    `json:"config,omitempty"`
	Count  int64     `json:"count"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Lease  string    `json:"last_lease,omitempty"`
	Remote []string  `json:"remote"`
	// Wrapped tells that the answer was wrapped, so that the log shows no token; Unwrapped counts those whose unwrapping the log
	// shows. AskedBy is who made the wrapped read, where this is the unwrapping.
	Wrapped   bool  `json:"wrapped,omitempty"`
	Unwrapped int64 `json:"unwrapped,omitempty"`
	AskedBy   *Who  `json:"asked_by,omitempty"`
	// Unanswered tells that the log has requests and no answers.
	Unanswered bool `json:"unanswered,omitempty"`
	// RevokedAt is when the token was revoked.
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// Refusal is one way in which somebody was denied or refused something, and how often.
type Refusal struct {
	Who     *Who      `json:"who"`
	Outcome Outcome   `json:"outcome"`
	Path    string    `json:"path"`
	Error   string    `json:"error"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Remote  []string  `json:"remote"`
}

// Object is a config or role as the writes in the log left it.
type Object struct {
	Path    string        `json:"path"`
	Changed time.Time     `json:"changed"`
	By      *Who          `json:"by"`
	Deleted bool          `json:"deleted,omitempty"`
	Writes  int64         `json:"writes"`
	Fields  []entry.Field `json:"fields"`
}

// Token is one shared token.
type Token struct {
	TokenName

	Config    string     `json:"config,omitempty"`
	IssuedAt  string     `json:"issued_at,omitempty"`
	ExpiresAt string     `json:"expires_at,omitempty"`
	First     *time.Time `json:"first_given,omitempty"`
	Last      *time.Time `json:"last_given,omitempty"`
	Count     int64      `json:"count"`
	Readers   int        `json:"readers"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// Revocation is one token that revoke/ named.
type Revocation struct {
	Time       time.Time `json:"time"`
	By         *Who      `json:"by"`
	Config     string    `json:"config"`
	TokenID    string    `json:"token_id"`
	Upstream   string    `json:"upstream,omitempty"`
	ValidUntil string    `json:"valid_until,omitempty"`
	// Receivers are those who had been given it; Linked is false where the log hides which reads gave it.
	Receivers []string `json:"receivers"`
	Linked    bool     `json:"linked"`
}

// Alarm is what must not happen.
type Alarm struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

// Leak tells who was given a token that got out.
type Leak struct {
	TokenID string `json:"token_id"`
	// Checked says how the token was looked for, and what could not be looked at.
	Checked   []string  `json:"checked"`
	Unchecked []string  `json:"unchecked"`
	Token     *Token    `json:"token,omitempty"`
	Receivers []Reading `json:"receivers"`
	// Possible are reads of which the log does not show what they gave.
	Possible []Reading `json:"possible"`
}

// Row is one request.
type Row struct {
	Time      time.Time     `json:"time"`
	Kind      Kind          `json:"kind"`
	Outcome   Outcome       `json:"outcome"`
	Who       *Who          `json:"who"`
	Remote    string        `json:"remote,omitempty"`
	Path      string        `json:"path"`
	Name      string        `json:"name,omitempty"`
	Token     TokenName     `json:"token"`
	Lease     string        `json:"lease,omitempty"`
	Wrapped   bool          `json:"wrapped,omitempty"`
	Error     string        `json:"error,omitempty"`
	Fields    []entry.Field `json:"fields,omitempty"`
	RequestID string        `json:"request_id,omitempty"`
}
