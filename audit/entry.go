// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// entry is one line of the audit log, as far as the report uses it. Vault's own names are kept.
type entry struct {
	Time     string    `json:"time"`
	Type     string    `json:"type"` // request or response
	Error    string    `json:"error"`
	Auth     *auth     `json:"auth"`
	Request  *request  `json:"request"`
	Response *response `json:"response"`

	at time.Time
}

// auth is the Vault token that was used, or, in a response, the one that was made.
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
	ID                  string          `json:"id"`
	Operation           string          `json:"operation"`
	Path                string          `json:"path"`
	MountPoint          string          `json:"mount_point"`
	MountType           string          `json:"mount_type"`
	MountAccessor       string          `json:"mount_accessor"`
	ClientToken         string          `json:"client_token"`
	ClientTokenAccessor string          `json:"client_token_accessor"`
	RemoteAddress       string          `json:"remote_address"`
	Data                json.RawMessage `json:"data"`
	Headers             json.RawMessage `json:"headers"`
	Namespace           struct {
		Path string `json:"path"` // empty for the root
	} `json:"namespace"`
}

type response struct {
	Auth          *auth           `json:"auth"`
	Data          json.RawMessage `json:"data"`
	MountPoint    string          `json:"mount_point"`
	MountAccessor string          `json:"mount_accessor"`
	Secret        struct {
		LeaseID string `json:"lease_id"`
	} `json:"secret"`
	WrapInfo struct {
		Token string `json:"token"`
	} `json:"wrap_info"`
}

// errNoEntry says that a line is not an entry of an audit log.
var errNoEntry = errors.New("not an entry of Vault's audit log")

// decode decodes a line. The line may begin with what the audit device's prefix option or a syslog puts before the entry.
func decode(line []byte) (*entry, error) {
	line = bytes.TrimSpace(line)
	for range 4 { // a prefix may have a brace of its own
		start := bytes.IndexByte(line, '{')
		if start < 0 {
			return nil, errNoEntry
		}
		e := new(entry)
		if err := json.Unmarshal(line[start:], e); err == nil {
			return e, e.check()
		}
		line = line[start+1:]
	}
	return nil, errNoEntry
}

func (e *entry) check() error {
	at, err := time.Parse(time.RFC3339Nano, e.Time)
	e.at = at.UTC()
	// The database has nanoseconds since 1970 in 64 bits.
	if err != nil || e.at.Year() < 1970 || e.at.Year() > 2200 || e.Request == nil || e.Type != "request" && e.Type != "response" {
		return errNoEntry
	}
	return nil
}

// looksLikeEntry is a cheap test for lines that are not decoded, since they concern other mounts.
func looksLikeEntry(line []byte) bool {
	line = bytes.TrimRight(line, " \r\n\t")
	return len(line) > 1 && line[len(line)-1] == '}' && bytes.IndexByte(line, '{') >= 0
}

// mayBeEntry reports whether a line that cannot be decoded is a damaged entry, and not a message of another kind: the standard
// output of a Vault server has both.
func mayBeEntry(line []byte) bool {
	return bytes.Contains(line, []byte(`request"`)) || bytes.Contains(line, []byte("hmac-sha256:"))
}
