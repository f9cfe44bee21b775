// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// formats are the names of the formats, the default first.
func formats() []string { return []string{"table", "json", "csv", "html"} }

// section is a part of the report: a query, whose columns JSON, CSV and the page have, and those that the table shows.
type section struct {
	id, title, query, columns string
	all                       bool // lists more than mostLines in the table
}

// readingsOrder is the order of readings, the newest first.
const readingsOrder = " ORDER BY last DESC, who, identity, role, kind, token_id, token_hmac, state, why, asked_by, in_span"

// sections are the parts of the report in the order of the table, after notes, alarms and summary.
func sections() []section {
	const who = "who identity role token times first last remote_addresses last_lease"
	return []section{
		{"receivers", "given the leaked token", "SELECT * FROM readings WHERE verdict = 'yes'" + readingsOrder, who, true},
		{"possible", "possibly given the leaked token", "SELECT * FROM readings WHERE verdict = 'possible'" + readingsOrder,
			who + " why", true},
		{"readings", "who read what", "SELECT * FROM readings WHERE in_span AND state <> 'forwarded'" + readingsOrder, who, false},
		{"refusals", "denied and refused", "SELECT * FROM refusals ORDER BY last DESC, path, who, identity, error, outcome",
			"outcome who identity path times first last remote_addresses error", false},
		{"changes", "changes", `SELECT * FROM requests WHERE kind IN ('write', 'delete', 'admin') AND outcome = 'ok' AND in_span
			ORDER BY time DESC, request_id`, "time who identity remote_address operation path written", false},
		{"objects", "where configs and roles point now, as far as this log tells",
			"SELECT * FROM objects ORDER BY path, changed, state", "path changed changed_by state", false},
		{"rotations", "rotations", `SELECT * FROM requests WHERE kind = 'rotate' AND outcome = 'ok' AND in_span
			ORDER BY time DESC, request_id`, "time who identity remote_address name token", false},
		{"revocations", "revocations", "SELECT * FROM revocations ORDER BY time DESC, token_id, upstream, valid_until",
			"time who config token_id upstream valid_until receivers", false},
		{"tokens", "tokens", "SELECT * FROM tokens ORDER BY max(last, revoked_at) DESC, token_id, token_hmac",
			"token config times callers first last expires_at revoked_at", false},
	}
}

// rowsQuery lists single requests: the newest, as many as its parameter says of reads and of all else each.
const rowsQuery = `SELECT * FROM (
  SELECT * FROM (SELECT * FROM requests WHERE in_span AND outcome = 'ok' AND kind IN ('read', 'unwrap', 'view')
    ORDER BY ns DESC, request_id LIMIT ?1)
  UNION ALL
  SELECT * FROM (SELECT * FROM requests WHERE in_span AND NOT (outcome = 'ok' AND kind IN ('read', 'unwrap', 'view'))
    ORDER BY ns DESC, request_id LIMIT ?1)
) ORDER BY time, request_id`

// histogramQuery counts requests over time in at most 600 steps.
const histogramQuery = `WITH span AS (SELECT (max(ns) - min(ns)) / 600000000000 + 1 AS step FROM request WHERE mine AND in_span)
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ns / 1000000000 / step * step, 'unixepoch') AS start, step AS step_seconds,
  count(*) FILTER (WHERE outcome = 5 AND kind IN ('read', 'unwrap')) AS given, count(*) FILTER (WHERE outcome <> 5) AS denied,
  count(*) FILTER (WHERE outcome = 5 AND kind NOT IN ('read', 'unwrap', 'view')) AS change,
  count(*) FILTER (WHERE outcome = 5 AND kind = 'view') AS other
FROM request, span WHERE mine AND in_span GROUP BY 1 ORDER BY 1`

// isInternal reports whether a column joins tables, and means nothing outside of the database.
func isInternal(name string) bool {
	return slices.Contains([]string{"key", "ns", "caller", "token", "in_span", "verdict"}, name)
}

// row is one row of a query: names and values in the order of the columns.
type row struct {
	names  []string
	values []any // string, int64, float64 or nil
}

// text is a value as text. token is the best name of a token that there is.
func (r row) text(name string) string {
	if name == "token" {
		switch state := r.text("state"); state {
		case "wrapped", "unanswered", "forwarded":
			return "(" + state + ")"
		case "wrapped, unwrapped":
			return "(wrapped, see unwrapped)"
		}
		text := r.text("token_id")
		if text == "" {
			text = r.text("token_hmac")
		}
		if r.text("state") == "unwrapped" {
			text += " (unwrapped)"
		}
		if r.text("revoked_at") != "" && r.text("kind") != "" {
			text += " revoked"
		}
		return text
	}
	at := slices.Index(r.names, name)
	if at < 0 || r.values[at] == nil {
		return ""
	}
	return fmt.Sprint(r.values[at])
}

// rows runs a query and hands each row to take, without the columns that are internal.
func (s *store) rows(ctx context.Context, query string, take func(row) error, args ...any) (err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, pointers := make([]any, len(names)), make([]any, len(names))
		for n := range values {
			pointers[n] = &values[n]
		}
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		r := row{}
		for n, name := range names {
			if !isInternal(name) {
				r.names, r.values = append(r.names, name), append(r.values, values[n])
			}
		}
		if err := take(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// writeReport writes the report to standard output, or to the file of -output once it is complete.
func writeReport(ctx context.Context, o options, s *store, stdout, stderr io.Writer) error {
	if err := s.noteRows(ctx, o); err != nil {
		return err
	}
	w := &writer{ctx: ctx, o: o, store: s}
	write := map[string]func(io.Writer) error{"table": w.table, "json": w.json, "csv": w.csv, "html": w.html}[o.format]
	if o.format == "csv" {
		if err := w.notes(stderr); err != nil {
			return err
		}
	}
	if o.output == "" {
		out := bufio.NewWriterSize(stdout, 64<<10)
		return errors.Join(write(out), out.Flush())
	}
	if err := writeFile(o.output, write); err != nil {
		return fmt.Errorf("-output: %w", err)
	}
	return nil
}

// noteRows notes that single requests are not listed.
func (s *store) noteRows(ctx context.Context, o options) error {
	texts, err := s.texts(ctx, `SELECT max(0, reads - ?1) + max(0, all_of_them - reads - ?1) AS left_out FROM (
		SELECT count(*) FILTER (WHERE outcome = 5 AND kind IN ('read', 'unwrap', 'view')) AS reads, count(*) AS all_of_them
		FROM request WHERE mine AND in_span)
		WHERE left_out > 0`, o.maxRows)
	if err != nil || len(texts) == 0 {
		return err
	}
	return s.note(ctx, false, "%s requests are not listed one by one: list more with -max-rows, or fewer with -since and -until. "+
		"All are counted.", texts[0])
}

// checkOutput finds out before the log is read whether the report can take the place of what is there.
func checkOutput(o options) error {
	if o.output == "" {
		return nil
	}
	info, err := os.Stat(o.output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(o.output))
		return err
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("-output: %s is not a regular file", o.output)
	}
	for _, name := range o.files {
		if log, err := os.Stat(name); err == nil && os.SameFile(log, info) {
			return fmt.Errorf("-output: %s is a log that is to be read, and the report would take its place", o.output)
		}
	}
	return nil
}

// writeFile writes a file that only its owner can read. It appears complete or not at all.
func writeFile(path string, content func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // made with 0600
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: errors.Unwrap(err)}
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	out := bufio.NewWriterSize(f, 64<<10)
	if err = errors.Join(content(out), out.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
