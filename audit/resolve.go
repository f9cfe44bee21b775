// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // SQL
	"errors"
	"strings"
	"time"
)

//go:embed resolve.sql
var resolveSQL string

//go:embed report.sql
var reportSQL string

// part is a part of resolve.sql.
func part(name string) string {
	_, rest, _ := strings.Cut(resolveSQL, "-- part: "+name+"\n")
	text, _, _ := strings.Cut(rest, "-- part: ")
	return text
}

// resolve merges what belongs together, judges who was given the leaked token, and makes the views of the report.
func (s *store) resolve(ctx context.Context, o options, leaked string) error {
	if err := s.settings(ctx, o, leaked); err != nil {
		return err
	}
	if err := s.exec(ctx, part("index")); err != nil {
		return err
	}
	if err := s.askVault(ctx, o, leaked); err != nil {
		return err
	}
	for _, u := range unions() {
		if err := s.unite(ctx, u.table, u.pairs); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, part("merge")); err != nil {
		return err
	}
	id, err := s.number(ctx, "SELECT coalesce(max(id), 0) FROM token WHERE token_id = ?", tokenID(leaked))
	if err != nil {
		return err
	}
	if leaked != "" {
		err = s.exec(ctx, part("leak"), sql.Named("leaked", id))
	} else {
		err = s.exec(ctx, "CREATE TABLE leak (request INTEGER PRIMARY KEY, verdict TEXT NOT NULL, why TEXT NOT NULL)")
	}
	if err != nil {
		return err
	}
	if err := s.exec(ctx, reportSQL); err != nil {
		return err
	}
	return cmp.Or(s.noteGaps(ctx, o), s.noteLeak(ctx, leaked))
}

func (s *store) settings(ctx context.Context, o options, leaked string) error {
	since, until := any(nil), any(nil)
	if !o.since.IsZero() {
		since = o.since.UnixNano()
	}
	if !o.until.IsZero() {
		until = o.until.UnixNano()
	}
	id := ""
	if leaked != "" {
		id = tokenID(leaked)
	}
	return s.exec(ctx, "INSERT INTO setting VALUES (?, ?, ?, ?, ?, ?)", version, o.mount, o.namespace, since, until, id)
}

// union says which rows of a table are of one class: the first of a pair may be the second's.
type union struct {
	table string
	pairs []string
}

func unions() []union {
	return []union{
		{"seen_caller", []string{
			"SELECT id, min(id) OVER (PARTITION BY entity) FROM seen_caller WHERE entity <> ''",
			// Without an entity: two lines with one accessor or one client token, and lines of one request on different devices.
			"SELECT id, min(id) OVER (PARTITION BY accessor) FROM seen_caller WHERE entity = '' AND accessor <> ''",
			"SELECT id, min(id) OVER (PARTITION BY client) FROM seen_caller WHERE entity = '' AND client <> ''",
			"SELECT id, min(id) OVER (PARTITION BY inbound) FROM seen_caller WHERE entity = '' AND inbound <> ''",
			together("caller") + ` JOIN seen_caller a ON a.id = line.caller JOIN seen_caller b ON b.id = least
				WHERE a.entity = '' AND b.entity = ''`,
		}},
		{"seen_token", []string{
			"SELECT id, min(id) OVER (PARTITION BY token_id) FROM seen_token WHERE token_id <> ''",
			"SELECT id, min(id) OVER (PARTITION BY hidden_id) FROM seen_token WHERE hidden_id <> ''",
			"SELECT id, min(id) OVER (PARTITION BY access) FROM seen_token WHERE access <> ''",
			together("token"),
		}},
		// All names of one wrapping: those of other devices, and those before and after it was wrapped anew.
		{"wrapping", []string{
			`SELECT id, min(id) OVER (PARTITION BY request) FROM wrapping JOIN (
				SELECT request, made AS name FROM line WHERE made <> ''
				UNION SELECT request, opened FROM line WHERE opened <> '') USING (name)`,
		}},
	}
}

// together are pairs of values that a column has in lines of one request.
func together(column string) string {
	return strings.ReplaceAll(`SELECT DISTINCT line.COLUMN, least FROM (
			SELECT request, min(COLUMN) AS least FROM line WHERE COLUMN <> 0 GROUP BY request HAVING min(COLUMN) <> max(COLUMN)) m
		JOIN line ON line.request = m.request AND line.COLUMN NOT IN (0, least)`, "COLUMN", column)
}

// unite gives rows that are equal, in however many steps, the same class: the smallest id among them.
func (s *store) unite(ctx context.Context, table string, queries []string) error {
	parent := make(map[int64]int64)
	find := func(id int64) int64 {
		root := id
		for up, ok := parent[root]; ok; up, ok = parent[root] {
			root = up
		}
		for id != root {
			id, parent[id] = parent[id], root
		}
		return root
	}
	for _, query := range queries {
		rows, err := s.db.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		for rows.Next() {
			var a, b int64
			if err := rows.Scan(&a, &b); err != nil {
				return errors.Join(err, rows.Close())
			}
			if a, b = find(a), find(b); a != b {
				parent[max(a, b)] = min(a, b)
			}
		}
		if err := cmp.Or(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	update := "UPDATE " + table + " SET class = ? WHERE id = ?" //nolint:gosec // G202: the tables are those of unions
	for id := range parent {
		if _, err := tx.ExecContext(ctx, update, find(id), id); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// noteGaps notes what the report cannot know, or what is easily overlooked.
func (s *store) noteGaps(ctx context.Context, o options) error {
	type gap struct {
		query      string
		incomplete bool
		text       string // with a %s for each text of the query
	}
	all := []gap{
		{"SELECT mount FROM setting WHERE NOT EXISTS (SELECT 1 FROM request WHERE mine AND kind NOT IN ('admin', 'unwrap'))", true,
			"The log has nothing about the mount %s: vault secrets list shows the paths, give one with -mount."},
		{"SELECT count(DISTINCT mount.namespace) AS n FROM mount JOIN setting ON mount.path = setting.mount HAVING n > 1", false,
			"Mounts of this path in %s namespaces are reported together: choose one with -namespace."},
		{"SELECT count(*) FROM request WHERE mine AND outcome = 1 AND NOT followed HAVING count(*) > 0", true,
			"%s requests were forwarded to the active node, and the log of that node does not have them: give the files of all nodes."},
		{`SELECT 'at ' || m.path || ' until ' || strftime('%Y-%m-%d %H:%M:%S', m.last / 1000000000, 'unixepoch')
			|| ' and at ' || n.path || ' from ' || strftime('%Y-%m-%d %H:%M:%S', n.first / 1000000000, 'unixepoch') FROM mount m, mount n
			WHERE m.accessor = n.accessor AND m.namespace = n.namespace AND m.path <> n.path AND m.first < n.first
			AND m.accessor IN (SELECT accessor FROM request WHERE mine) ORDER BY 1`, false, "The mount was moved: it was %s (UTC)."},
		{`SELECT count(*) FROM request WHERE kind = 'admin' AND path = 'sys/remount' AND outcome = 5
			AND EXISTS (SELECT 1 FROM request WHERE mine AND accessor NOT LIKE '%mastersindia%' AND kind <> 'admin')
			HAVING count(*) > 0`, true,
			"%s mounts were moved, and the log hides which. The plugin of this mount is registered under a name by which it cannot be " +
				"followed: make a report with -mount of each path that it had."},
		{"SELECT CAST(count(*) AS TEXT) FROM request WHERE mine AND (kind = 'read' AND began IS NULL) HAVING count(*) > 0", false,
			"%s reads have a response and no request in the log: a file before may be missing."},
	}
	for _, g := range all {
		texts, err := s.texts(ctx, g.query)
		if err != nil {
			return err
		}
		for _, text := range texts {
			if err := s.note(ctx, g.incomplete, g.text, text); err != nil {
				return err
			}
		}
	}
	if o.since.IsZero() {
		return nil
	}
	first, err := s.number(ctx, "SELECT coalesce(min(ns), 0) FROM request WHERE mine")
	if err != nil || first <= o.since.UnixNano() {
		return err
	}
	return s.note(ctx, false, "The log begins at %s, after -since: the files from before may be missing.",
		time.Unix(0, first).UTC().Format(time.RFC3339))
}

// noteLeak notes that the log does not tell everybody who was given the leaked token, if so.
func (s *store) noteLeak(ctx context.Context, leaked string) error {
	if leaked == "" {
		return nil
	}
	possible, err := s.number(ctx, "SELECT count(*) FROM leak WHERE verdict = 'possible'")
	if err == nil && possible > 0 {
		err = s.note(ctx, true, "%d reads may have given the leaked token, and the log does not tell: "+
			"they are listed as possible, with the reason.", possible)
	}
	certain, failed := s.number(ctx, "SELECT count(*) FROM leak WHERE verdict = 'yes'")
	if err = cmp.Or(err, failed); err != nil || certain > 0 {
		return err
	}
	return s.note(ctx, true, "No read in the log is known to have given the leaked token, so that this clears nobody: "+
		"it was given in files that are not here, through another mount, or not by this Vault (token_id %s).", tokenID(leaked))
}
