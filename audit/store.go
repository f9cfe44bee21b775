// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // SQL
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schemaSQL string

// store is the database that the log is read into. One goroutine writes it.
type store struct {
	db     *sql.DB
	path   string
	keep   bool
	tx     *sql.Tx
	insert map[string]*sql.Stmt
	// recent are keys of rows that were just inserted, so that those that many lines share are inserted once.
	recent map[int64]bool
	mounts map[[3]string][2]int64 // first and last time of a mount's accessor, namespace and path
}

// openStore makes the database: a temporary file that close removes, or the file of -db, which must not exist.
func openStore(ctx context.Context, o options) (*store, error) {
	s := &store{
		path: o.database, keep: o.database != "", insert: make(map[string]*sql.Stmt), recent: make(map[int64]bool),
		mounts: make(map[[3]string][2]int64),
	}
	const owner = 0o600
	var file *os.File
	var err error
	if s.keep {
		file, err = os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, owner)
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("-db: %s exists: name a new file", s.path)
		}
	} else {
		file, err = os.CreateTemp("", "mastersindia-audit-*.db") // made with 0600
	}
	if err != nil {
		return nil, fmt.Errorf("making the database: %w (TMPDIR chooses another folder)", err)
	}
	s.path = file.Name()
	if err := file.Close(); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// prepare trades safety for speed: nobody reads the database before it is complete.
func (s *store) prepare(ctx context.Context) (err error) {
	if s.db, err = sql.Open("sqlite", "file:"+filepath.ToSlash(s.path)+"?"+strings.Join([]string{
		"_pragma=journal_mode(off)", "_pragma=synchronous(off)", "_pragma=locking_mode(exclusive)", "_pragma=cache_size(-6000)",
		"_pragma=temp_store(1)", "_pragma=page_size(8192)",
	}, "&")); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	if err := s.exec(ctx, schemaSQL); err != nil {
		return err
	}
	s.tx, err = s.db.BeginTx(ctx, nil)
	return err
}

// exec runs statements outside of the transaction that add uses.
func (s *store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.db.ExecContext(ctx, query, args...)
	return err
}

// into inserts a row unless it is there.
func (s *store) into(ctx context.Context, table string, values ...any) (err error) {
	statement := s.insert[table]
	if statement == nil {
		if statement, err = s.prepared(ctx, table, len(values)); err != nil {
			return err
		}
		s.insert[table] = statement
	}
	_, err = statement.ExecContext(ctx, values...)
	return err
}

func (s *store) prepared(ctx context.Context, table string, columns int) (*sql.Stmt, error) {
	query := "INSERT OR IGNORE INTO " + table + " VALUES (?" + strings.Repeat(",?", columns-1) + ")"
	if s.tx == nil {
		return s.db.PrepareContext(ctx, query)
	}
	return s.tx.PrepareContext(ctx, query)
}

// mostRecent bounds how many keys are remembered.
const mostRecent = 50_000

// once reports whether a row is new, as far as it is remembered.
func (s *store) once(id int64) bool {
	if s.recent[id] {
		return false
	}
	if len(s.recent) >= mostRecent {
		clear(s.recent)
	}
	s.recent[id] = true
	return true
}

// add stores what a line tells.
func (s *store) add(ctx context.Context, f *fact) error {
	if f.kind == kindLogin {
		return s.into(ctx, "login", f.caller.accessor, f.method, f.accessor)
	}
	request, who, token := key(f.id), f.caller.key(), int64(0)
	if f.token.id != "" || f.token.hiddenID != "" || f.token.access != "" {
		token = f.token.key()
	}
	at := time.Unix(0, f.at).UTC().Format("2006-01-02T15:04:05.000000000Z")
	err := s.into(ctx, "line", request, f.half, f.at, at, f.id, f.kind, f.outcome, f.operation, f.namespace, f.mount, f.accessor,
		f.path, f.name, who, token, f.remote, f.lease, f.reason, f.made, f.opened, f.asText)
	if f.accessor != "" {
		mount := [3]string{f.accessor, f.namespace, f.mount}
		span, known := s.mounts[mount]
		if !known {
			span = [2]int64{f.at, f.at}
		}
		s.mounts[mount] = [2]int64{min(span[0], f.at), max(span[1], f.at)}
	}
	if c := f.caller; err == nil && s.once(who) {
		err = s.into(ctx, "seen_caller", who, c.entity, c.accessor, c.client, c.inbound, c.display, c.policies, who)
	}
	if err == nil && token != 0 && s.once(token) {
		err = s.addToken(ctx, f.token)
	}
	for _, p := range f.parameters {
		err = cmp.Or(err, s.into(ctx, "parameter", request, p.name, p.state, p.value))
	}
	for _, r := range f.revoked {
		err = cmp.Or(err, s.into(ctx, "revoked", request, r.tokenID, r.upstream, r.validUntil))
	}
	for _, name := range f.secrets {
		err = cmp.Or(err, s.into(ctx, "secret", request, name))
	}
	return err
}

func (s *store) addToken(ctx context.Context, t token) error {
	id := t.key()
	return s.into(ctx, "seen_token", id, t.id, t.hiddenID, t.access, t.kind, t.hiddenConfig, t.config, t.issued, t.expires, id)
}

// commit ends the transaction of the lines.
func (s *store) commit(ctx context.Context) error {
	for at, span := range s.mounts {
		if err := s.into(ctx, "mount", at[0], at[1], at[2], span[0], span[1]); err != nil {
			return err
		}
	}
	clear(s.insert) // ended with their transaction
	tx := s.tx
	s.tx = nil
	return tx.Commit()
}

// note keeps what the reader of the report must know. An incomplete log ends with an exit code of its own.
func (s *store) note(ctx context.Context, incomplete bool, format string, args ...any) error {
	return s.exec(ctx, "INSERT INTO note VALUES (?, ?) ON CONFLICT DO UPDATE SET incomplete = max(incomplete, excluded.incomplete)",
		fmt.Sprintf(format, args...), incomplete)
}

// number is the result of a query for one number.
func (s *store) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// texts is the result of a query for texts.
func (s *store) texts(ctx context.Context, query string, args ...any) (all []string, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// complete returns errIncomplete if the log does not tell all that the report needs.
func (s *store) complete(ctx context.Context) error {
	n, err := s.number(ctx, "SELECT count(*) FROM note WHERE incomplete")
	if err == nil && n > 0 {
		err = errIncomplete
	}
	return err
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
