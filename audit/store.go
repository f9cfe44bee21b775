// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

//go:embed *.sql page
var embedded embed.FS

// part is an embedded file.
func part(name string) string {
	text, _ := embedded.ReadFile(name) // it is there
	return string(text)
}

// store is the database that the log is read into. One goroutine uses it.
type store struct {
	db      *sql.DB
	file    string
	inserts map[string]*sql.Stmt // by table
	recent  map[int64]bool       // rows that many lines share, and that are stored already
}

// openStore makes the database: a temporary file, or that of -db, which must not exist.
func openStore(ctx context.Context, o options) (_ *store, err error) {
	s := &store{inserts: make(map[string]*sql.Stmt), recent: make(map[int64]bool)}
	var file *os.File
	if o.database == "" {
		file, err = os.CreateTemp("", "mastersindia-audit-*.db") // made with 0600
	} else {
		file, err = os.OpenFile(o.database, os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("making the database: %w (-db names a new file, TMPDIR another folder)", err)
	}
	s.file = file.Name()
	// Speed instead of safety: nobody reads the database before it is complete, and close ends the only transaction.
	s.db, err = sql.Open("sqlite", "file:"+url.PathEscape(s.file)+"?_pragma=journal_mode(off)&_pragma=synchronous(off)"+
		"&_pragma=locking_mode(exclusive)&_pragma=cache_size(-8000)&_pragma=temp_store(1)&_pragma=page_size(8192)")
	if err = errors.Join(file.Close(), err); err == nil {
		s.db.SetMaxOpenConns(1)
		err = s.exec(ctx, part("schema.sql")+"BEGIN;")
	}
	if err != nil {
		return nil, errors.Join(err, s.close(o, err))
	}
	return s, nil
}

// key identifies a row by its content, so that the same row from another line or file is the same row.
func key(parts ...string) int64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 2)
}

// add stores what a line tells.
func (s *store) add(f *fact) error {
	c, t := f.caller, f.token
	request, who := key(f.id), key(c.entity, c.accessor, c.client, c.inbound, c.display, c.policies)>>2
	var given int64
	isMasked := strings.ContainsAny(c.display, "*[<(#…") || maskedName.MatchString(c.display)
	for n, is := range []bool{c.display != noToken && c.display != notKnown, !isMasked, c.entity != ""} {
		if is { // so the greatest of a request's callers is one who is known, and has a name and an entity, if any device shows them
			who |= 1 << (60 + n)
		}
	}
	if t != (token{}) {
		given = key(t.id, t.hiddenID, t.access, t.header, t.kind, t.hiddenConfig, t.config, t.issued, t.expires)
	}
	err := errors.Join(
		s.insert("line", request, f.began, f.ended, f.id, f.kind, f.outcome, f.operation, f.namespace, f.mount, f.accessor, f.path,
			f.name, who, given, f.remote, f.port, f.lease, f.why, f.file, f.missing),
		s.once(who, "seen_caller", who, c.entity, c.accessor, c.client, c.inbound, c.display, c.policies),
		s.once(given, "seen_token", given, t.id, t.hiddenID, t.access, t.header, t.kind, t.hiddenConfig, t.config, t.issued, t.expires))
	for _, r := range f.rows {
		table := fmt.Sprint(r[0])
		r[0] = request
		err = errors.Join(err, s.insert(table, r...))
	}
	return err
}

// once inserts a row unless it is known to be there.
func (s *store) once(id int64, table string, values ...any) error {
	if id == 0 || s.recent[id] {
		return nil
	}
	if len(s.recent) >= 50_000 {
		clear(s.recent)
	}
	s.recent[id] = true
	return s.insert(table, values...)
}

// insert inserts a row, unless it is there. To watch a context would cost more than to insert.
func (s *store) insert(table string, values ...any) (err error) {
	statement := s.inserts[table]
	if statement == nil {
		query := "INSERT OR IGNORE INTO " + table + " VALUES (?" + strings.Repeat(",?", len(values)-1) + ")" //nolint:gosec // G202
		//nolint:noctx,gosec // the names of tables are our own, and see above
		if statement, err = s.db.Prepare(query); err != nil {
			return err
		}
		s.inserts[table] = statement
	}
	_, err = statement.Exec(values...) //nolint:noctx // see above
	return err
}

// note keeps what the reader of the report must know. An incomplete log ends with an exit code of its own.
func (s *store) note(incomplete bool, text string) error { return s.insert("note", text, incomplete) }

// print writes the column text of a query, a line for each row.
func (s *store) print(ctx context.Context, out io.Writer, query string) error {
	return s.query(ctx, query, func(_ []string, values []*any) error {
		_, err := fmt.Fprintln(out, clean(text(values[0])))
		return err
	})
}

// text is a value that query hands out.
func text(value *any) string { return fmt.Sprint(cmp.Or(*value, any(""))) }

// query hands each row to take, but for columns that only join tables. Values are text, numbers or nil, until the next row.
func (s *store) query(ctx context.Context, query string, take func(names []string, values []*any) error) error {
	found, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	var names []string
	var values []*any
	var all []any
	columns, err := found.Columns()
	for _, name := range columns {
		value := new(any)
		if all = append(all, value); !slices.Contains([]string{"key", "ns", "token_key", "opened_by", "in_span", "verdict"}, name) {
			names, values = append(names, name), append(values, value)
		}
	}
	for err == nil && found.Next() {
		if err = found.Scan(all...); err == nil {
			err = take(names, values)
		}
	}
	return errors.Join(err, found.Err(), found.Close())
}

// close removes the database, unless it is to be kept and the run did not fail.
func (s *store) close(o options, failed error) (err error) {
	if s.db != nil {
		_, err = s.db.Exec("COMMIT") //nolint:noctx // also after the context has ended
		err = errors.Join(err, s.db.Close())
	}
	if err != nil || o.database == "" || failed != nil && !errors.Is(failed, errIncomplete) {
		err = errors.Join(err, os.Remove(s.file)) //nolint:gosec // G703: a file that we made
	}
	return err
}

// resolve merges what belongs together, judges who was given the leaked token, and makes the views of the report.
func (s *store) resolve(ctx context.Context, o options) error {
	err := s.insert("setting", o.mount, o.namespace, o.since, o.until, tokenID(o.leaked), issuedAt(o.leaked))
	if err := s.askVault(ctx, o); err != nil {
		return errors.New((&classifier{leaked: o.leaked}).safe(err.Error())) // VAULT_ADDR may have a password
	}
	names, rest, _ := strings.Cut(part("resolve.sql"), "-- Here unite fills the table class.")
	return cmp.Or(err, s.exec(ctx, names), s.unite(ctx), s.exec(ctx, rest+part("report.sql")))
}

func (s *store) exec(ctx context.Context, query string) error {
	_, err := s.db.ExecContext(ctx, query)
	return err
}

// unite gives rows that are equal, in however many steps, the same class: the smallest id among them.
func (s *store) unite(ctx context.Context) error {
	parent := make(map[int64]int64)
	find := func(id int64) int64 {
		for parent[id] != 0 {
			id, parent[id] = parent[id], cmp.Or(parent[parent[id]], parent[id])
		}
		return id
	}
	err := s.query(ctx, "SELECT a, b FROM same WHERE a <> b", func(_ []string, values []*any) error {
		a, _ := (*values[0]).(int64)
		b, _ := (*values[1]).(int64)
		if a, b = find(a), find(b); a != b {
			parent[max(a, b)] = min(a, b)
		}
		return nil
	})
	for id := range parent {
		err = cmp.Or(err, s.insert("class", id, find(id)))
	}
	return err
}
