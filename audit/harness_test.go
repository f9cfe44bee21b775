// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// mountPath is the mount of the tests.
const mountPath = "mastersindia/"

// tuned are the keys that docs/audit.md tunes, as far as the sample has them.
func tuned() []string {
	return []string{"token_id", "config", "issued_at", "expires_at", "error", "upstream", "valid_until", "preset", "username", "token_url", "max_ttl"}
}

// logOf returns a log whose audit device has the key and shows the names.
func logOf(t *testing.T, key string, fill func(*Log), names ...string) string {
	t.Helper()
	var text bytes.Buffer
	l := New(&text, 1)
	l.Shown = names
	if key != "" {
		l.Key = key
	}
	fill(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// readByAsha is a read that is known to have given the first token.
func readByAsha(l *Log) { l.Read(People()[0], "billing", Token(1), "gst") }

// readByTwo are reads of that token by two callers, an hour apart.
func readByTwo(l *Log) {
	readByAsha(l)
	l.Wait(time.Hour)
	l.Read(People()[1], "billing", Token(1), "gst")
}

// file writes a file for a test and returns its name.
func file(t *testing.T, text string) string {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err == nil {
		err = errors.Join(root.WriteFile("audit.log", []byte(text), 0o600), root.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root.Name(), "audit.log")
}

// htmlFile writes a page, for a browser, and returns its name.
func htmlFile(t *testing.T, text string) string {
	t.Helper()
	path := file(t, text)
	if err := os.Rename(path, path+".html"); err != nil {
		t.Fatal(err)
	}
	return path + ".html"
}

// logFile writes a log of one device and returns its name.
func logFile(t *testing.T, fill func(*Log), names ...string) string {
	t.Helper()
	return file(t, logOf(t, "", fill, names...))
}

// result is what a run of the program gave.
type result struct {
	code           int
	stdout, stderr string
}

func runWith(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// must runs the program, which has to write a report.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := runWith(t, stdin, args...)
	if r.code != exitOK && r.code != exitIncomplete {
		t.Fatalf("%q: exit code %d: %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// line is one row of a list of the report.
type line map[string]any

func (l line) text(name string) string {
	if l[name] == nil {
		return ""
	}
	return fmt.Sprint(l[name])
}

// report is a report in JSON.
type report map[string][]line

func mustJSON(t *testing.T, stdin string, args ...string) report {
	t.Helper()
	text := must(t, stdin, append([]string{"-format=json"}, args...)...)
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	r := make(report)
	for name, list := range all {
		var lines []line
		if json.Unmarshal(list, &lines) == nil {
			r[name] = lines
		}
	}
	return r
}

// count is a number of the summary.
func (r report) count(name string) int { return int(r["summary"][0][name].(float64)) }

// all joins a column of a list.
func (r report) all(list, name string) string {
	var texts []string
	for _, l := range r[list] {
		texts = append(texts, l.text(name))
	}
	return strings.Join(texts, "; ")
}

// leak is who was given a leaked token, and who may have been, sorted, with the exit code.
type leak struct {
	code            int
	given, possible string
	why             string
}

// search searches the token in logs.
func search(t *testing.T, token string, args ...string) leak {
	t.Helper()
	database := filepath.Join(t.TempDir(), "audit.db")
	r := runWith(t, token, append([]string{"-token-file=-", "-format=csv", "-db=" + database}, args...)...)
	if r.code == exitFailed || r.code == exitUsage {
		t.Fatalf("%q: exit code %d: %s", args, r.code, r.stderr)
	}
	stored, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.stdout+r.stderr+string(stored), token) {
		t.Errorf("the report or its database shows the token")
	}
	rows, err := csv.NewReader(strings.NewReader(r.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := map[bool][]string{}
	out := leak{code: r.code}
	for n, row := range rows {
		if n == 0 {
			continue
		}
		cell := func(name string) string {
			if at := slices.Index(rows[0], name); at >= 0 {
				return row[at]
			}
			return ""
		}
		yes := cell("received") == "yes"
		found[yes] = append(found[yes], cell("who"))
		out.why += cell("why") + "; "
	}
	for _, names := range found {
		slices.Sort(names)
	}
	out.given, out.possible = strings.Join(found[true], " "), strings.Join(found[false], " ")
	return out
}

// vaultWith is a Vault whose audit devices have these keys, by name. It answers sys/audit and sys/audit-hash only.
func vaultWith(t *testing.T, devices map[string]string) {
	t.Helper()
	vaultOf(t, devices, nil)
}

// deviceWith is a Vault with one audit device of these options, whose key is "key".
func deviceWith(t *testing.T, options map[string]string) {
	t.Helper()
	vaultOf(t, map[string]string{"file": "key"}, options)
}

// vaultOf is a Vault with audit devices of these options, by name, and the keys of their HMACs.
func vaultOf(t *testing.T, devices, options map[string]string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sys/audit" && len(devices) > 0 {
			all := map[string]any{}
			for name := range devices {
				all[name+"/"] = map[string]any{"type": "file", "path": name + "/", "options": options}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"data": all})
			return
		}
		var asked struct{ Input string }
		key, known := devices[strings.TrimPrefix(r.URL.Path, "/v1/sys/audit-hash/")]
		if !known || json.NewDecoder(r.Body).Decode(&asked) != nil {
			http.Error(w, `{"errors":["unknown audit backend"]}`, http.StatusBadRequest)
			return
		}
		hash := (&Log{Key: key}).HMAC(asked.Input)
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"hash": hash}})
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "invented-vault-token")
}

// withoutVault takes Vault out of the environment.
func withoutVault(t *testing.T) {
	t.Helper()
	t.Setenv("VAULT_ADDR", "")
}

// wantLeak checks a search: who was given the token, who may have been, and the exit code.
func wantLeak(t *testing.T, got leak, code int, given, possible string) {
	t.Helper()
	if got.code != code || got.given != given || got.possible != possible {
		t.Errorf("want exit code %d, given to %q, possibly to %q; got %d, %q, %q (%s)", code, given, possible, got.code, got.given, got.possible, got.why)
	}
}
