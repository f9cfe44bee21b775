// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	_ "embed" // SQL
	"errors"
	"time"
)

//go:embed resolve.sql
var resolveSQL string

//go:embed report.sql
var reportSQL string

// resolve merges what belongs together, judges who was given the leaked token, and makes the views of the report.
func (s *store) resolve(ctx context.Context, o options) error {
	if err := s.exec(ctx, "INSERT INTO setting VALUES (?, ?, ?, ?, ?)", o.mount, o.namespace, nanoseconds(o.since), nanoseconds(o.until),
		tokenID(o.leaked)); err != nil {
		return err
	}
	if err := s.askVault(ctx, o); err != nil {
		return err
	}
	// Names of the leaked token and of revoked ones, whether the log has them or not.
	if err := s.exec(ctx, `INSERT INTO seen_token SELECT -row_number() OVER (), token_id, hidden_id, access, '', '', '', '', '' FROM (
			SELECT leaked AS token_id, '' AS hidden_id, '' AS access FROM setting WHERE leaked <> '' UNION SELECT token_id, '', '' FROM revoked
			UNION SELECT text, value, '' FROM hmac WHERE kind = 'id'
			UNION SELECT leaked, '', value FROM hmac, setting WHERE kind = 'leaked')`); err != nil {
		return err
	}
	if err := s.unite(ctx); err != nil {
		return err
	}
	return s.exec(ctx, resolveSQL+reportSQL)
}

func (s *store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.db.ExecContext(ctx, query, args...)
	return err
}

func nanoseconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// unite gives rows that are equal, in however many steps, the same class: the smallest id among them.
func (s *store) unite(ctx context.Context) error {
	parent := make(map[int64]int64)
	find := func(id int64) int64 {
		for up, ok := parent[id]; ok; up, ok = parent[id] {
			if above, more := parent[up]; more {
				parent[id] = above
			}
			id = up
		}
		return id
	}
	err := s.query(ctx, "SELECT a, b FROM same WHERE a <> b", func(r row) error {
		a, isID := r.values[0].(int64)
		b, alsoID := r.values[1].(int64)
		if !isID || !alsoID {
			return errors.New("a row without id")
		}
		if a, b = find(a), find(b); a != b {
			parent[max(a, b)] = min(a, b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.tx, err = s.db.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
		return err
	}
	for id := range parent {
		if err := s.insert("class", id, find(id)); err != nil {
			return errors.Join(err, s.tx.Rollback())
		}
	}
	return s.flush()
}
