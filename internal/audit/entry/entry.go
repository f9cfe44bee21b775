// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package entry knows what one line of Vault's audit log looks like: it picks the lines that can concern a mount, and decodes of
// them what a report needs.
package entry

import (
	"bytes"
	"errors"
	"strings"
	"time"
)

// Types of entries.
const (
	Request  = "request"
	Response = "response"
)

// hmacPrefix begins every value that the audit device has hashed.
const hmacPrefix = "hmac-sha256:"

// ErrNoEntry says that a line is no entry of an audit log.
var ErrNoEntry = errors.New("not an entry of Vault's audit log")

// lastYear is the last with four digits, which the zone of a time may go beyond.
const lastYear = 9999

// Entry is one line, as far as reports use it. Vault's own names are kept.
type Entry struct {
	Time     time.Time
	Written  string
	Type     string
	Error    string
	Auth     *Auth
	Request  *Asked
	Response *Answered
}

// Auth tells whose Vault token was used, or, in an answer, which one was made.
type Auth struct {
	Accessor      string
	ClientToken   string
	DisplayName   string
	EntityID      string
	Policies      []string
	PolicyResults *PolicyResults
}

// PolicyResults tells whether the policies allowed the request.
type PolicyResults struct {
	Allowed bool
}

// Asked is the request of an entry.
type Asked struct {
	ID         string
	Operation  string
	Path       string
	MountPoint string
	Namespace  string // its path, empty for the root
	RemoteAddr string
	Data       []byte
}

// Answered is the response of an entry.
type Answered struct {
	Auth          *Auth
	Data          []byte
	MountAccessor string
	MountPoint    string
	LeaseID       string
	WrappingToken string // never what is wrapped
}

// Decode decodes a line. The line may begin with what the audit device's prefix option or a syslog puts before the entry. The
// data of the request and of the response are parts of the line, not copies.
func Decode(line []byte) (*Entry, error) {
	start := bytes.IndexByte(line, '{')
	if start < 0 {
		return nil, ErrNoEntry
	}
	w := &walker{text: line[start:]}
	e := new(Entry)
	w.entry(e)
	if w.bad || w.next() != 0 || e.Request == nil || e.Type != Request && e.Type != Response {
		return nil, ErrNoEntry
	}
	written, err := time.Parse(time.RFC3339Nano, e.Written)
	if err != nil {
		return nil, ErrNoEntry
	}
	e.Time = written.UTC()
	if year := e.Time.Year(); year < 1 || year > lastYear {
		return nil, ErrNoEntry // no JSON can be made of it
	}
	return e, nil
}

// TimeOf returns the time of a line, or the zero time where it is no entry. The line may be cut off.
func TimeOf(line []byte) time.Time {
	const key = `"time":"`
	if e, err := Decode(line); err == nil {
		return e.Time
	}
	_, rest, found := bytes.Cut(line, []byte(key))
	text, _, ended := bytes.Cut(rest, []byte{'"'})
	if !found || !ended {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// Hidden reports whether the audit device has hashed a value.
func Hidden(value string) bool { return strings.HasPrefix(value, hmacPrefix) }

// LooksLikeEntry is a cheap test for lines that are not decoded, since they concern other mounts.
func LooksLikeEntry(line []byte) bool {
	line = bytes.TrimRight(line, " \r\n\t")
	return len(line) > 1 && line[len(line)-1] == '}' && bytes.IndexByte(line, '{') >= 0
}
