// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// object is a config or role as the writes in the log left it.
type object struct {
	changed time.Time
	by      whoRef
	deleted bool
	writes  int64
	fields  []entry.Field
}

// change takes a write or delete that succeeded.
func (o *object) change(ob *Observation, by whoRef) {
	if ob.at.Before(o.changed) {
		return
	}
	o.changed, o.by = ob.at, by
	o.writes++
	o.deleted = ob.kind == Delete
	if o.deleted {
		o.fields = nil
		return
	}
	if slices.ContainsFunc(ob.fields, func(f entry.Field) bool { return f.Name == "preset" }) {
		o.fields = slices.DeleteFunc(o.fields, func(f entry.Field) bool { return filledByPreset(f.Name) })
	}
	for _, f := range ob.fields {
		if f.Name == "verify_connection" {
			continue // not stored
		}
		at, found := slices.BinarySearchFunc(o.fields, f, func(a, b entry.Field) int { return strings.Compare(a.Name, b.Name) })
		switch {
		case found:
			o.fields[at] = f
		case len(o.fields) < mostFields || odd(f.Name) == 0:
			o.fields = slices.Insert(o.fields, at, f)
		}
	}
}

// filledByPreset reports whether writing a preset replaces the field.
func filledByPreset(name string) bool {
	return slices.Contains([]string{
		"protocol", "token_url", "refresh_url", "request_format", "headers", "refresh_headers", "authorization_scheme",
	}, name)
}
