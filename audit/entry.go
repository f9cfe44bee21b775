// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"regexp"
	"time"

	"github.com/segmentio/encoding/json"
)

// entry is one line of the audit log, as far as the report uses it. Vault's own names are kept.
type entry struct {
	Time     string   `json:"time"`
	Type     string   `json:"type"` // request or response
	Error    string   `json:"error"`
	Auth     auth     `json:"auth"`
	Request  *request `json:"request"`
	Response response `json:"response"`

	at  time.Time
	raw []byte
}

// auth is the Vault token that was used.
type auth struct {
	Accessor      string   `json:"accessor"`
	ClientToken   string   `json:"client_token"`
	DisplayName   string   `json:"display_name"`
	EntityID      string   `json:"entity_id"`
	Policies      []string `json:"policies"`
	PolicyResults *struct {
		Allowed bool `json:"allowed"`
	} `json:"policy_results"`
}

type request struct {
	ID                  string `json:"id"`
	Operation           string `json:"operation"`
	Path                string `json:"path"`
	MountPoint          string `json:"mount_point"`
	MountType           string `json:"mount_type"`
	MountAccessor       string `json:"mount_accessor"`
	ClientToken         string `json:"client_token"`
	ClientTokenAccessor string `json:"client_token_accessor"`
	RemoteAddress       string `json:"remote_address"`
	RequestURI          string `json:"request_uri"`
	Data                any    `json:"data"`
	Headers             any    `json:"headers"`
	Namespace           struct {
		Path string `json:"path"` // empty for the root
	} `json:"namespace"`
}

type response struct {
	Auth          any    `json:"auth"`
	Data          any    `json:"data"`
	MountAccessor string `json:"mount_accessor"`
	Secret        struct {
		LeaseID string `json:"lease_id"`
	} `json:"secret"`
	WrapInfo struct {
		Token string `json:"token"`
	} `json:"wrap_info"`
}

// decode decodes a line: one entry, or several where a program has joined lines. What the audit device's prefix option or a
// syslog puts before an entry is passed over; damaged tells that it may have been an entry. Entries share the memory of the line.
func decode(line []byte) (entries []*entry, damaged bool) {
	const mostTries = 100 // a prefix may have a brace of its own, and a line that was cut off before this one has many
	from := 0
	for tries := 0; tries < mostTries; tries++ {
		brace := bytes.IndexByte(line[from:], '{')
		if brace < 0 {
			break
		}
		from += brace
		e := new(entry)
		rest, err := json.Parse(line[from:], e, json.ZeroCopy|json.DontMatchCaseInsensitiveStructFields)
		if err != nil || !e.isValid() {
			from++
			continue
		}
		e.raw = line[from : len(line)-len(rest)]
		entries, tries, damaged = append(entries, e), 0, damaged || mayBeEntry(line[:from])
		line, from = rest, 0
	}
	return entries, damaged || mayBeEntry(line)
}

// isValid reports whether this is an entry, of a time that the database can have: nanoseconds since 1970 in 64 bits.
func (e *entry) isValid() bool {
	at, err := time.Parse(time.RFC3339Nano, e.Time)
	e.at = at.UTC()
	inTime := err == nil && e.at.Year() > 1970 && e.at.Year() < 2200
	return inTime && e.Request != nil && (e.Type == "request" || e.Type == "response")
}

// isCut reports whether a line that is not decoded, since it is about other mounts, may be the rest of one that is not.
func isCut(line []byte) bool {
	line = bytes.TrimRight(line, ",] \r\n\t")
	start := bytes.IndexByte(line, '{')
	whole := start >= 0 && line[len(line)-1] == '}' && !bytes.HasSuffix(line[:start], []byte(`":`))
	return !whole && mayBeEntry(line)
}

// mayBeEntry tells an entry, or a part of one, from other messages: the standard output of a Vault server has both.
func mayBeEntry(line []byte) bool { return entryPattern.Match(line) }

// entryPattern finds names and HMACs of an entry, also where it is a text within another text, or in UTF-16.
var entryPattern = regexp.MustCompile(`(request|response|auth|accessor)\\*"|\{"time"|hmac-sha256:|"\x00|\x00"`)
