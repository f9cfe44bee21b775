// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// writer writes the report. Whatever a log holds does no harm to who looks at it.
type writer struct {
	ctx   context.Context //nolint:containedctx // of one report
	o     options
	store *store
}

// mostLines bounds a section of the table, which is for reading. The other formats list everything.
const mostLines = 40

// isLeak reports whether a section is about the leaked token.
func isLeak(s section) bool { return s.id == "receivers" || s.id == "possible" }

// searching reports whether a leaked token is searched.
func (w *writer) searching() bool { return w.o.tokenFile != "" || w.o.tokenStdin }

// table writes the report for people at a terminal: what matters most comes first.
func (w *writer) table(out io.Writer) error {
	fmt.Fprintf(out, "Audit of %s\n", clean(w.o.mount))
	if err := w.notes(out); err != nil {
		return err
	}
	for _, s := range sections() {
		if isLeak(s) && w.searching() {
			if err := w.section(out, s); err != nil {
				return err
			}
		}
	}
	if err := w.summary(out); err != nil {
		return err
	}
	for _, s := range sections() {
		if !isLeak(s) {
			if err := w.section(out, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// notes writes alarms and notes. CSV has no place for them.
func (w *writer) notes(out io.Writer) error {
	err := w.store.rows(w.ctx, "SELECT message FROM alarms ORDER BY time, message", func(r row) error {
		_, err := fmt.Fprintf(out, "Alarm: %s\n", clean(r.text("message")))
		return err
	})
	if err != nil {
		return err
	}
	return w.store.rows(w.ctx, "SELECT text FROM note ORDER BY text", func(r row) error {
		_, err := fmt.Fprintf(out, "Note: %s\n", clean(r.text("text")))
		return err
	})
}

func (w *writer) summary(out io.Writer) error {
	return w.store.rows(w.ctx, "SELECT * FROM summary", func(r row) error {
		fmt.Fprintf(out, "\nSUMMARY, %s to %s UTC\n", cell("first", r.text("first")), cell("last", r.text("last")))
		grid := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, line := range [][2]string{
			{"tokens handed out", "given"}, {"  of these wrapped", "wrapped"}, {"  to callers", "callers"}, {"  through roles", "roles"},
			{"  different tokens", "tokens"}, {"denied by Vault", "denied"}, {"refused by engine or upstream", "refused"},
			{"without a response in the log", "unanswered"}, {"forwarded by a standby", "forwarded"},
			{"configs, roles, mount changed", "changes"}, {"rotations", "rotations"}, {"revocations", "revocations"},
			{"all requests", "requests"},
		} {
			fmt.Fprintf(grid, "  %s\t%s\n", line[0], r.text(line[1]))
		}
		return grid.Flush()
	})
}

// section writes a part of the report as aligned columns, if it has rows.
func (w *writer) section(out io.Writer, s section) error {
	grid := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	n, columns := 0, strings.Fields(s.columns)
	err := w.store.rows(w.ctx, s.query, func(r row) error {
		if n++; n == 1 {
			fmt.Fprintf(out, "\n%s\n", strings.ToUpper(s.title))
			fmt.Fprintf(grid, "  %s\n", strings.ReplaceAll(strings.ToUpper(strings.Join(columns, "\t")), "_", " "))
		}
		if n > mostLines && !s.all {
			return nil
		}
		cells := make([]string, len(columns))
		for i, name := range columns {
			cells[i] = cell(name, r.text(name))
		}
		_, err := fmt.Fprintf(grid, "  %s\n", strings.Join(cells, "\t"))
		return err
	})
	if err != nil {
		return err
	}
	if err := grid.Flush(); err != nil {
		return err
	}
	if n > mostLines && !s.all {
		_, err = fmt.Fprintf(out, "  ... and %d more: -format=html, csv or json has them all\n", n-mostLines)
	}
	if n == 0 && isLeak(s) {
		_, err = fmt.Fprintf(out, "\n%s\n  nobody whom this log shows\n", strings.ToUpper(s.title))
	}
	return err
}

var (
	hmacPattern = regexp.MustCompile(hmacPrefix + "([0-9a-f]{12})[0-9a-f]+")
	timePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$`)
)

// cell is a value as the table shows it: short, and on one line.
func cell(name, text string) string {
	switch {
	case text == "":
		return "-"
	case timePattern.MatchString(text):
		return text[:10] + " " + text[11:19]
	case name == "operation" || name == "outcome":
		return text
	}
	return clean(hmacPattern.ReplaceAllString(text, "hmac:$1…"))
}

// clean makes text from a log fit for a terminal: what moves the cursor, changes colours, reverses the direction or cannot be
// seen is written as an escape.
func clean(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// csv writes one line a request, or, where a token is searched, one line a reader who was given it or may have been.
func (w *writer) csv(out io.Writer) error {
	lines := csv.NewWriter(out)
	query, args := rowsQuery, []any{w.o.maxRows}
	if w.searching() {
		query, args = "SELECT verdict AS received, * FROM readings WHERE verdict IS NOT NULL"+
			strings.Replace(readingsOrder, "BY", "BY verdict = 'yes' DESC,", 1), nil
	}
	head := false
	err := w.store.rows(w.ctx, query, func(r row) error {
		if !head {
			head = true
			if err := lines.Write(r.names); err != nil {
				return err
			}
		}
		cells := make([]string, len(r.names))
		for n, name := range r.names {
			cells[n] = safeCell(clean(r.text(name)))
		}
		return lines.Write(cells)
	}, args...)
	lines.Flush()
	if err != nil {
		return err
	}
	return lines.Error()
}

// safeCell keeps a spreadsheet from taking a text for a formula.
func safeCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@|%", rune(text[0])) {
		return "'" + text
	}
	return text
}

// json writes everything, one row a line.
func (w *writer) json(out io.Writer) error {
	o := w.o
	head, err := json.Marshal(map[string]any{
		"version": version, "mount": o.mount, "namespace": o.namespace, "searching": w.searching(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s", strings.TrimSuffix(string(head), "}"))
	lists := slices.Concat([]section{
		{id: "notes", query: "SELECT text, incomplete FROM note ORDER BY text"},
		{id: "alarms", query: "SELECT * FROM alarms ORDER BY time, message"},
		{id: "summary", query: "SELECT * FROM summary"},
		{id: "histogram", query: histogramQuery},
	}, sections())
	for _, s := range lists {
		if err := w.list(out, s.id, s.query); err != nil {
			return err
		}
	}
	if err := w.list(out, "rows", rowsQuery, o.maxRows); err != nil {
		return err
	}
	_, err = fmt.Fprint(out, "\n}\n")
	return err
}

// list writes the rows of a query. The encoder writes <, > and & as escapes, and also U+2028 and U+2029, so that a script element
// of a page can hold it.
func (w *writer) list(out io.Writer, id, query string, args ...any) error {
	fmt.Fprintf(out, ",\n%q: [", id)
	between := "\n  "
	err := w.store.rows(w.ctx, query, func(r row) error {
		var b strings.Builder
		for n, name := range r.names {
			value, err := json.Marshal(r.values[n])
			if err != nil {
				return err
			}
			b.WriteString(map[bool]string{true: "{", false: ","}[n == 0] + strconv.Quote(name) + ":")
			b.Write(value)
		}
		_, err := fmt.Fprintf(out, "%s%s}", between, b.String())
		between = ",\n  "
		return err
	}, args...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, "]")
	return err
}
