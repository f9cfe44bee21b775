// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"fmt"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

func (p *page) head(r *story.Report) {
	p.line("Audit of %s", clean(r.Namespace+r.Mount))
	span := "no request of this mount"
	if r.Summary.First != nil {
		span = clock(*r.Summary.First) + " to " + clock(*r.Summary.Last) + " UTC"
	}
	p.line("%s, from %s of log in %s", span, size(r.Input.Bytes), counted(len(r.Input.Files), "file"))
	if r.Since != nil {
		p.line("asked for: since %s UTC", clock(*r.Since))
	}
	if r.Until != nil {
		p.line("asked for: until %s UTC", clock(*r.Until))
	}
	for _, notice := range r.Notices {
		p.line("Note: %s", clean(notice))
	}
}

func (p *page) alarms(all []story.Alarm) {
	if len(all) == 0 {
		return
	}
	p.title("alarms")
	for _, a := range all {
		p.line("  %s  %s", clock(a.Time), clean(a.Message))
	}
}

func (p *page) leak(l *story.Leak) {
	p.title("the leaked token")
	for _, how := range l.Checked {
		p.line("  looked for:     %s", clean(how))
	}
	for _, how := range l.Unchecked {
		p.line("  NOT looked for: %s", clean(how))
	}
	if t := l.Token; t != nil {
		p.line("  config %s, issued %s, expires %s, %s", clean(orDash(t.Config)), clean(orDash(t.IssuedAt)), clean(orDash(t.ExpiresAt)),
			revokedText(t.RevokedAt))
	}
	if len(l.Receivers) == 0 {
		p.line("\n  The log shows nobody who was given it.")
	} else {
		p.line("\n  Given to:")
		p.readingGrid(l.Receivers, true)
	}
	if len(l.Possible) > 0 {
		p.line("\n  Perhaps given to (the log does not show what these reads gave):")
		p.readingGrid(l.Possible, true)
	}
}

func revokedText(at *time.Time) string {
	if at == nil {
		return "not revoked in this log"
	}
	return "revoked " + clock(*at)
}

func (p *page) summary(s *story.Summary) {
	p.title("summary")
	rows := [][]string{
		{"tokens handed out", number(s.Given), fmt.Sprintf("to %s, through %s; %s known by name or HMAC",
			counted(s.Readers, "caller"), counted(s.Roles, "role"), counted(s.Tokens, "different token"))},
		{"denied by Vault", number(s.Denied), ""},
		{"refused by engine or upstream", number(s.Refused), ""},
		{"configs, roles, mount changed", number(s.Changes), ""},
		{"rotations", number(s.Rotations), ""},
		{"revocations", number(s.Revoked), ""},
		{"without an answer in the log", number(s.Unanswered), ""},
		{"all requests", number(s.Requests), ""},
	}
	if s.Wrapped > 0 {
		rows[0][2] += "; " + number(s.Wrapped) + " wrapped"
	}
	p.plain(rows)
}

// plain is a grid without a head.
func (p *page) plain(rows [][]string) {
	for _, cells := range rows {
		p.line("%s", strings.TrimRight("  "+pad(cells[0], 32)+pad(cells[1], 12)+clean(cells[2]), " "))
	}
}

func pad(text string, width int) string { return text + strings.Repeat(" ", max(width-len(text), 1)) }

func (p *page) readings(all []story.Reading) {
	if len(all) == 0 {
		return
	}
	p.title("who read what")
	p.readingGrid(all, false)
}

func (p *page) readingGrid(all []story.Reading, whole bool) {
	rows := make([][]string, 0, len(all))
	for n := range all {
		r := &all[n]
		rows = append(rows, []string{
			whoText(r.Who), idText(r.Who), orDash(r.Role), readingToken(r), number(r.Count), clock(r.First), clock(r.Last),
			strings.Join(r.Remote, " "), orDash(r.Lease),
		})
	}
	p.grid([]string{"WHO", "ENTITY", "ROLE", "TOKEN", "TIMES", "FIRST", "LAST", "FROM", "LAST LEASE"}, rows, whole)
}

func readingToken(r *story.Reading) string {
	switch {
	case r.Unanswered:
		return "(no answer in the log)"
	case r.Wrapped && r.Unwrapped >= r.Count:
		return "(wrapped, see unwrap)"
	case r.Wrapped:
		return "(wrapped)"
	}
	text := tokenText(r.Token)
	if r.Kind == story.Unwrap {
		text += " (unwrapped)"
	}
	if r.RevokedAt != nil {
		text += " revoked"
	}
	return text
}

func (p *page) refusals(all []story.Refusal) {
	if len(all) == 0 {
		return
	}
	p.title("denied and refused")
	rows := make([][]string, 0, len(all))
	for n := range all {
		r := &all[n]
		rows = append(rows, []string{
			string(r.Outcome), whoText(r.Who), r.Path, number(r.Count), clock(r.First), clock(r.Last), strings.Join(r.Remote, " "),
			r.Error,
		})
	}
	p.grid([]string{"", "WHO", "PATH", "TIMES", "FIRST", "LAST", "FROM", "WHY"}, rows, false)
}

func (p *page) changes(all []story.Row) {
	var rows [][]string
	for n := len(all) - 1; n >= 0; n-- {
		r := &all[n]
		if r.Outcome != story.OK || r.Kind != story.Write && r.Kind != story.Delete && r.Kind != story.Admin {
			continue
		}
		rows = append(rows, []string{clock(r.Time), whoText(r.Who), r.Remote, string(r.Kind), r.Path, fieldsText(r.Fields)})
	}
	if len(rows) > 0 {
		p.title("changes")
		p.grid([]string{"TIME", "WHO", "FROM", "WHAT", "PATH", "WRITTEN"}, rows, false)
	}
}

func (p *page) objects(all []story.Object) {
	if len(all) == 0 {
		return
	}
	p.title("where configs and roles point now, as far as this log tells")
	rows := make([][]string, 0, len(all))
	for n := range all {
		o := &all[n]
		state := fieldsText(o.Fields)
		if o.Deleted {
			state = "deleted"
		}
		rows = append(rows, []string{o.Path, clock(o.Changed), whoText(o.By), state})
	}
	p.grid([]string{"PATH", "LAST CHANGE", "BY", "VALUES"}, rows, false)
}

func (p *page) rotations(all []story.Row) {
	var rows [][]string
	for n := len(all) - 1; n >= 0; n-- {
		if r := &all[n]; r.Outcome == story.OK && r.Kind == story.Rotate {
			rows = append(rows, []string{clock(r.Time), whoText(r.Who), r.Remote, r.Name, tokenText(r.Token)})
		}
	}
	if len(rows) > 0 {
		p.title("rotations")
		p.grid([]string{"TIME", "WHO", "FROM", "CONFIG", "NEW TOKEN"}, rows, false)
	}
}

func (p *page) revocations(all []story.Revocation) {
	if len(all) == 0 {
		return
	}
	p.title("revocations")
	rows := make([][]string, 0, len(all))
	for n := range all {
		r := &all[n]
		had := strings.Join(r.Receivers, ", ")
		if !r.Linked {
			had = "not known: nobody, or reads that the log hides"
		}
		rows = append(rows, []string{
			clock(r.Time), whoText(r.By), r.Config, r.TokenID, orDash(r.Upstream), orDash(r.ValidUntil), had,
		})
	}
	p.grid([]string{"TIME", "WHO", "CONFIG", "TOKEN", "UPSTREAM", "VALID UNTIL", "HAD BEEN GIVEN TO"}, rows, false)
}

func (p *page) tokens(all []story.Token) {
	if len(all) == 0 {
		return
	}
	p.title("tokens")
	rows := make([][]string, 0, len(all))
	for n := range all {
		t := &all[n]
		first, last := "-", "-"
		if t.First != nil {
			first, last = clock(*t.First), clock(*t.Last)
		}
		revoked := "-"
		if t.RevokedAt != nil {
			revoked = clock(*t.RevokedAt)
		}
		rows = append(rows, []string{
			tokenText(t.TokenName), orDash(t.Config), number(t.Count), number(int64(t.Readers)), first, last, orDash(t.ExpiresAt),
			revoked,
		})
	}
	p.grid([]string{"TOKEN", "CONFIG", "TIMES", "CALLERS", "FIRST GIVEN", "LAST GIVEN", "EXPIRES", "REVOKED"}, rows, false)
}

func (p *page) input(r *story.Report) {
	in := &r.Input
	p.title("what was read")
	for _, f := range in.Files {
		kind := ""
		if f.Gzip {
			kind = ", gzip"
		}
		p.line("  %s: %s, %s lines%s", clean(f.Name), size(f.Bytes), number(f.Lines), kind)
		if f.Note != "" {
			p.line("    %s", clean(f.Note))
		}
	}
	p.line("  %s lines: %s of this mount, %s related (logins, unwrapping), %s of others",
		number(in.Lines), number(in.Entries), number(in.Related), number(in.Elsewhere))
	if bad := in.Garbage + in.TooLong + in.CutShort; bad > 0 {
		p.line("  not readable: %s lines that are no audit entries, %s too long, %s cut short at the end of a file",
			number(in.Garbage), number(in.TooLong), number(in.CutShort))
	}
	if in.RequestsUnanswered+in.ResponsesAlone+in.Duplicates > 0 {
		p.line("  pairs: %s requests without a response, %s responses without a request, %s entries that came twice",
			number(in.RequestsUnanswered), number(in.ResponsesAlone), number(in.Duplicates))
	}
}
