// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/segmentio/encoding/json"
)

// formats are the names of the formats, the default first.
func formats() []string { return []string{"table", "json", "csv", "html"} }

// section is a part of the report: rows of a query. JSON and CSV have all columns, the table and the page those that are named.
type section struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	query   string
	all     bool // the table lists all rows
}

const readingsOrder = " ORDER BY verdict DESC, last DESC, who, identity, role, kind, token, token_hmac, why, asked_by"

// sections are the parts of the report, in the order of the table.
func sections(o options) []section {
	const who, read = "who identity role token times first last remote_addresses last_lease", "SELECT * FROM readings WHERE "
	all := []section{
		{"receivers", "given the leaked token", strings.Fields("mount " + who), read + "verdict = 'yes'" + readingsOrder, true},
		{"possible", "possibly given the leaked token", strings.Fields("mount " + who + " why"),
			read + "verdict = 'possible'" + readingsOrder, true},
		{"summary", "summary, times are UTC", strings.Fields("given wrapped callers roles tokens denied refused unanswered " +
			"forwarded changes rotations revocations requests first last"), "SELECT * FROM summary", false},
		{"readings", "who read what", strings.Fields(who), read + "verdict IS NULL" + readingsOrder, false},
		{"refusals", "denied and refused", strings.Fields("outcome who identity path times first last remote_addresses error"),
			"SELECT * FROM refusals ORDER BY last DESC, path, who, identity, error, outcome", false},
		{"changes", "changes", strings.Fields("time outcome who identity remote_address operation path token written"),
			`SELECT * FROM requests WHERE outcome IN ('ok', 'not known') AND in_span AND key IN (SELECT key FROM request WHERE change)
			ORDER BY time DESC, request_id`, false},
		{"objects", "where configs and roles point now, as far as this log tells", strings.Fields("path changed changed_by state"),
			"SELECT * FROM objects ORDER BY path, changed, state", false},
		{"revocations", "revocations", strings.Fields("time who config token_id upstream valid_until receivers"),
			"SELECT * FROM revocations ORDER BY time DESC, token_id, upstream, valid_until", false},
		{"tokens", "tokens", strings.Fields("token config times callers first last expires_at revoked_at"),
			"SELECT * FROM tokens ORDER BY max(last, revoked_at) DESC, token", false},
	}
	if o.leaked == "" {
		return all[2:]
	}
	return all
}

// writeReport writes the report to standard output. What depends on names of files goes to standard error.
func (s *store) writeReport(ctx context.Context, o options, stdout, stderr io.Writer) error {
	err := s.print(ctx, stderr, `SELECT 'Possible readers are in ' || file || ': ' || count(DISTINCT request) || ' requests.' AS text
		FROM line JOIN leak USING (request) WHERE verdict = 'possible' GROUP BY file ORDER BY file`)
	out := bufio.NewWriterSize(stdout, 64<<10)
	as := map[string]func(context.Context, options, io.Writer) error{"table": s.table, "json": s.json, "csv": s.csv, "html": s.html}
	if o.format == "csv" {
		err = errors.Join(err, s.notes(ctx, stderr))
	}
	err = errors.Join(err, as[o.format](ctx, o, out))
	if err = errors.Join(err, out.Flush()); err != nil {
		return err
	}
	return s.query(ctx, "SELECT 1 FROM note WHERE incomplete", func([]string, []*any) error { return errIncomplete })
}

// notes writes alarms and notes. CSV has no place for them.
func (s *store) notes(ctx context.Context, out io.Writer) error {
	return s.print(ctx, out, `SELECT text FROM (SELECT 1 AS part, time, 'Alarm: ' || message AS text FROM alarms
		UNION ALL SELECT 2, '', 'Note: ' || text FROM note) ORDER BY part, time, text`)
}

// table writes the report for people at a terminal: aligned columns, and what matters most first.
func (s *store) table(ctx context.Context, o options, out io.Writer) error {
	const mostLines = 40 // the table is for reading: the other formats list everything
	fmt.Fprintf(out, "Audit of %s\n", clean(o.mount))
	err := s.notes(ctx, out)
	for _, part := range sections(o) {
		grid := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		columns := strings.ReplaceAll(strings.ToUpper(strings.Join(part.Columns, "\t")), "_", " ")
		head := "\n" + strings.ToUpper(part.Title) + "\n  " + columns + "\n"
		n := 0
		err = errors.Join(err, s.query(ctx, part.query, func(names []string, values []*any) error {
			if n++; n > mostLines && !part.all {
				return nil
			}
			cells := make([]string, len(part.Columns))
			for i, name := range part.Columns {
				value := hmacPattern.ReplaceAllString(text(values[slices.Index(names, name)]), "hmac:$1…")
				cells[i] = cmp.Or(clean(timePattern.ReplaceAllString(value, "$1 $2")), "-")
			}
			fmt.Fprintf(grid, "%s  %s\n", head, strings.Join(cells, "\t"))
			head = ""
			return nil
		}), grid.Flush())
		if n > mostLines && !part.all {
			fmt.Fprintf(out, "  ... and %d more: -format=html, csv or json has them all\n", n-mostLines)
		}
		if n == 0 && part.all {
			fmt.Fprintf(out, "\n%s\n  nobody whom this log shows\n", strings.ToUpper(part.Title))
		}
	}
	return err
}

var (
	hmacPattern = regexp.MustCompile(hmacPrefix + "([0-9a-f]{12})[0-9a-f]+")
	unprintable = regexp.MustCompile(`[^\pL\pM\pN\pP\pS ]`)
	formula     = regexp.MustCompile(`^[=+\-@|%]`) // what a spreadsheet takes for one
	timePattern = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{9}Z$`)
)

// clean makes text from a log fit for a terminal: what is not seen, or moves the cursor, is written as an escape.
func clean(text string) string {
	return unprintable.ReplaceAllStringFunc(text, func(s string) string { return strings.Trim(strconv.QuoteToASCII(s), `"`) })
}

// csv writes one line a request, or, where a token is searched, one line a reader who was given it or may have been.
func (s *store) csv(ctx context.Context, o options, out io.Writer) error {
	lines := csv.NewWriter(out)
	query := "SELECT * FROM requests WHERE in_span ORDER BY time, request_id"
	if o.leaked != "" {
		query = "SELECT verdict AS received, * FROM readings WHERE verdict IS NOT NULL" + readingsOrder
	}
	var head []string
	err := s.query(ctx, query, func(names []string, values []*any) error {
		if head == nil {
			head = names
			_ = lines.Write(head) // Error tells
		}
		cells := make([]string, len(head))
		for n := range cells {
			cells[n] = formula.ReplaceAllString(clean(text(values[n])), "'$0")
		}
		return lines.Write(cells)
	})
	lines.Flush()
	return errors.Join(err, lines.Error())
}

// json writes everything, one row a line, with <, > and & as escapes, so that a script element of a page can hold it.
func (s *store) json(ctx context.Context, o options, out io.Writer) error {
	parts := append(sections(o),
		section{ID: "notes", query: "SELECT text, incomplete FROM note ORDER BY text"},
		section{ID: "alarms", query: "SELECT * FROM alarms ORDER BY time, message"},
		section{ID: "histogram", query: "SELECT * FROM histogram ORDER BY start"},
		section{ID: "requests", Title: "requests",
			Columns: strings.Fields("time kind outcome who remote_address path token lease_id error written"),
			query:   `SELECT * FROM requests WHERE key IN (SELECT key FROM newest) ORDER BY time, request_id`})
	head, _ := json.Marshal(map[string]string{"mount": o.mount, "namespace": o.namespace, "version": version}) // texts never fail
	columns, _ := json.Marshal(parts)
	fmt.Fprintf(out, "%s,\n\"sections\": %s", strings.TrimSuffix(string(head), "}"), columns)
	for _, p := range parts {
		fmt.Fprintf(out, ",\n%q: [", p.ID)
		between := "\n  "
		if err := s.query(ctx, p.query, func(names []string, values []*any) error {
			text, open := []byte(between), byte('{')
			for n, name := range names {
				text = append(strconv.AppendQuote(append(text, open), name), ':')
				text, _ = json.Append(text, *values[n], json.EscapeHTML) // a text, a number or nil
				open = ','
			}
			between = ",\n  "
			_, err := out.Write(append(text, '}'))
			return err
		}); err != nil {
			return err
		}
		fmt.Fprint(out, "]")
	}
	_, err := fmt.Fprint(out, "\n}\n")
	return err
}

// html writes the report as one page that needs nothing else. What comes from the log is in it as JSON only, in a script element
// that no browser runs; the page's own script shows it as text. Its policy lets nothing else run, and nothing be loaded or sent.
func (s *store) html(ctx context.Context, o options, out io.Writer) error {
	css, js := part("page/page.css"), part("page/page.js")
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	page := template.Must(template.New("page").Funcs(template.FuncMap{
		"report": func() (template.JS, error) { return "", s.json(ctx, o, out) }, // too large to be a value
	}).Parse(part("page/page.html")))
	return page.Execute(out, map[string]any{
		"CSS":    template.CSS(css), //nolint:gosec // the page's own
		"JS":     template.JS(js),   //nolint:gosec // the page's own
		"Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; script-src " + hash(js) + "; style-src " + hash(css),
	})
}
