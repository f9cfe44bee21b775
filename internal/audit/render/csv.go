// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"bufio"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// CSV writes one line a request, or, where a token is traced, one line a reader who was given it or may have been.
func CSV(w io.Writer, r *story.Report) error {
	out := csv.NewWriter(w)
	if r.Leak != nil {
		writeLeakCSV(out, r.Leak)
	} else {
		writeRowsCSV(out, r.Rows)
	}
	out.Flush()
	return out.Error()
}

// Notes writes what CSV has no place for: alarms, what the lists lack, and how a leaked token was not looked for.
func Notes(w io.Writer, r *story.Report) error {
	p := &page{out: bufio.NewWriter(w)}
	for _, a := range r.Alarms {
		p.line("Alarm: %s", clean(a.Message))
	}
	for _, notice := range r.Notices {
		p.line("Note: %s", clean(notice))
	}
	if r.Leak != nil {
		for _, how := range r.Leak.Unchecked {
			p.line("Note: NOT looked for: %s", clean(how))
		}
	}
	return p.out.Flush()
}

func writeRowsCSV(out *csv.Writer, rows []story.Row) {
	writeCSV(out, "time", "kind", "outcome", "display_name", "entity_id", "accessor", "auth_method", "auth_accessor", "policies",
		"remote_address", "path", "name", "token_id", "token_hmac", "lease_id", "wrapped", "error", "parameters", "request_id")
	for n := range rows {
		r := &rows[n]
		writeCSV(out, r.Time.Format(time.RFC3339Nano), string(r.Kind), string(r.Outcome), r.Who.DisplayName, r.Who.EntityID,
			r.Who.Accessor, r.Who.AuthMethod, r.Who.AuthAccessor, r.Who.Policies, r.Remote, r.Path, r.Name, r.Token.ID, r.Token.HMAC,
			r.Lease, strconv.FormatBool(r.Wrapped), r.Error, fieldsText(r.Fields), r.RequestID)
	}
}

func writeLeakCSV(out *csv.Writer, l *story.Leak) {
	writeCSV(out, "received", "display_name", "entity_id", "accessor", "auth_method", "auth_accessor", "policies", "kind", "role",
		"token_id", "token_hmac", "times", "first", "last", "last_lease", "remote_addresses", "asked_by")
	for _, part := range []struct {
		received string
		readings []story.Reading
	}{{"yes", l.Receivers}, {"perhaps", l.Possible}} {
		for n := range part.readings {
			r := &part.readings[n]
			asker := ""
			if r.AskedBy != nil {
				asker = r.AskedBy.DisplayName
			}
			writeCSV(out, part.received, r.Who.DisplayName, r.Who.EntityID, r.Who.Accessor, r.Who.AuthMethod, r.Who.AuthAccessor,
				r.Who.Policies, string(r.Kind), r.Role, r.Token.ID, r.Token.HMAC, strconv.FormatInt(r.Count, 10),
				r.First.Format(time.RFC3339Nano), r.Last.Format(time.RFC3339Nano), r.Lease, strings.Join(r.Remote, " "), asker)
		}
	}
}

// writeCSV writes one line. The writer remembers its first error.
func writeCSV(out *csv.Writer, cells ...string) {
	for n, cell := range cells {
		cells[n] = safeCell(clean(cell))
	}
	_ = out.Write(cells)
}

// safeCell keeps a spreadsheet from taking a text for a formula.
func safeCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@|%", rune(text[0])) {
		return "'" + text
	}
	return text
}
