// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed" // SQL
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schemaSQL string

// store is the database that the log is read into. One goroutine uses it.
type store struct {
	db      *sql.DB
	tx      *sql.Tx
	path    string
	keep    bool
	waiting map[string]*pending
	recent  map[int64]bool // rows that many lines share, and that are stored already
}

// pending rows are inserted together.
type pending struct {
	columns int
	values  []any
	insert  *sql.Stmt
}

// openStore makes the database: a temporary file that close removes, or the file of -db, which must not exist.
func openStore(ctx context.Context, o options) (_ *store, err error) {
	s := &store{keep: o.database != "", waiting: make(map[string]*pending), recent: make(map[int64]bool)}
	const owner = 0o600
	var file *os.File
	if s.keep {
		if file, err = os.OpenFile(o.database, os.O_CREATE|os.O_EXCL|os.O_WRONLY, owner); errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("-db: %s exists: name a new file", o.database)
		}
	} else {
		file, err = os.CreateTemp("", "mastersindia-audit-*.db") // made with 0600
	}
	if err != nil {
		return nil, fmt.Errorf("making the database: %w (TMPDIR chooses another folder)", err)
	}
	s.path = file.Name()
	// Speed instead of safety: nobody reads the database before it is complete.
	s.db, err = sql.Open("sqlite", "file:"+filepath.ToSlash(s.path)+"?_pragma=journal_mode(off)&_pragma=synchronous(off)"+
		"&_pragma=locking_mode(exclusive)&_pragma=cache_size(-8000)&_pragma=temp_store(1)&_pragma=page_size(8192)")
	if err = errors.Join(file.Close(), err); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.db.SetMaxOpenConns(1)
	if _, err = s.db.ExecContext(ctx, schemaSQL); err == nil {
		s.tx, err = s.db.BeginTx(context.WithoutCancel(ctx), nil) // to watch a context costs more than to insert a row
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// key identifies a row by its content, so that the same row from another line or file is the same row.
func key(parts ...string) int64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 2) //nolint:gosec // 62 bits fit
}

// add stores what a line tells.
func (s *store) add(f *fact) error {
	c, t := f.caller, f.token
	request, who, given := key(f.id), key(c.entity, c.accessor, c.client, c.inbound, c.display, c.policies), int64(0)
	if c.isValid() {
		who |= 1 << 62 // so that the greatest of a request's callers is one who is known
	}
	if t != (token{}) {
		given = key(t.id, t.hiddenID, t.access, t.kind, t.hiddenConfig, t.config, t.issued, t.expires)
	}
	err := errors.Join(
		s.insert("line", request, f.half, f.at, f.id, f.kind, f.outcome, f.operation, f.namespace, f.mount, f.accessor, f.path, f.name,
			who, given, f.remote, f.lease, f.why, f.file),
		s.once(key(f.accessor, f.namespace, f.mount), "mount", f.accessor, f.namespace, f.mount),
		s.once(key(f.accessor, f.namespace, f.mount), "mount", f.accessor, f.namespace, f.mount),
		s.once(who, "seen_caller", who, c.entity, c.accessor, c.client, c.inbound, c.display, c.policies),
		s.once(given, "seen_token", given, t.id, t.hiddenID, t.access, t.kind, t.hiddenConfig, t.config, t.issued, t.expires))
	for _, r := range f.rows {
		err = errors.Join(err, s.insert(r.table, append([]any{request}, r.values...)...))
	}
	return err
}

// once inserts a row unless it is known to be there.
func (s *store) once(id int64, table string, values ...any) error {
	const mostRecent = 50_000
	if id == 0 || s.recent[id] {
		return nil
	}
	if len(s.recent) >= mostRecent {
		clear(s.recent)
	}
	s.recent[id] = true
	return s.insert(table, values...)
}

// insert inserts a row, together with others, unless it is there.
func (s *store) insert(table string, values ...any) (err error) {
	const together = 25
	r := s.waiting[table]
	if r == nil {
		r = &pending{columns: len(values)}
		s.waiting[table] = r
		if r.insert, err = s.tx.Prepare(insertSQL(table, len(values), together)); err != nil { //nolint:noctx // see openStore
			return err
		}
	}
	if r.values = append(r.values, values...); len(r.values) == together*r.columns {
		_, err = r.insert.Exec(r.values...) //nolint:noctx // see openStore
		r.values = r.values[:0]
	}
	return err
}

func insertSQL(table string, columns, rows int) string {
	one := ", (?" + strings.Repeat(",?", columns-1) + ")"
	return "INSERT OR IGNORE INTO " + table + " VALUES" + strings.Repeat(one, rows)[1:]
}

// flush inserts what is waiting, and ends the transaction.
func (s *store) flush() error {
	for table, r := range s.waiting {
		if len(r.values) > 0 {
			//nolint:noctx // see openStore
			if _, err := s.tx.Exec(insertSQL(table, r.columns, len(r.values)/r.columns), r.values...); err != nil {
				return err
			}
		}
	}
	clear(s.waiting)
	return s.tx.Commit()
}

// note keeps what the reader of the report must know. An incomplete log ends with an exit code of its own.
func (s *store) note(incomplete bool, format string, args ...any) error {
	_, err := s.db.Exec("INSERT OR REPLACE INTO note VALUES (?, ?)", fmt.Sprintf(format, args...), incomplete) //nolint:noctx // one row
	return err
}

// texts is the first column of a query.
func (s *store) texts(ctx context.Context, query string, args ...any) (all []string, err error) {
	err = s.query(ctx, query, func(l row) error {
		all = append(all, l.text(l.names[0]))
		return nil
	}, args...)
	return all, err
}

// row is a row of a query, with names and values in the order of its columns.
type row struct {
	names  []string
	values []any // string, int64, float64 or nil
}

func (l row) text(name string) string {
	for n := range l.names {
		if l.names[n] == name && l.values[n] != nil {
			return fmt.Sprint(l.values[n])
		}
	}
	return ""
}

// query hands each row to take.
func (s *store) query(ctx context.Context, query string, take func(row) error, args ...any) (err error) {
	found, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	l := row{}
	if l.names, err = found.Columns(); err != nil {
		return err
	}
	pointers := make([]any, len(l.names))
	for found.Next() {
		l.values = make([]any, len(l.names))
		for n := range l.values {
			pointers[n] = &l.values[n]
		}
		if err := found.Scan(pointers...); err != nil {
			return err
		}
		if err := take(l); err != nil {
			return err
		}
	}
	return found.Err()
}

// close removes the database, unless it is to be kept.
func (s *store) close() (err error) {
	if s.db != nil {
		err = s.db.Close()
	}
	if !s.keep {
		err = errors.Join(err, os.Remove(s.path)) //nolint:gosec // G703: a temporary file of our own
	}
	return err
}
