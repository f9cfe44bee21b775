// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestEveryRowTakesEveryPlaceInTurn(t *testing.T) {
	t.Parallel()
	rows := []string{"a", "b", "c", "d"}
	places := map[string][]int{}
	for round := range 2 * len(rows) {
		for place, row := range turned(rows, round) {
			places[row] = append(places[row], place)
		}
	}
	for _, row := range rows {
		slices.Sort(places[row])
		if places[row] = slices.Compact(places[row]); len(places[row]) < len(rows) {
			t.Errorf("row %s is only ever at the places %v", row, places[row])
		}
	}
	if rows[0] != "a" || rows[3] != "d" {
		t.Errorf("the list itself has become %v", rows)
	}
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	g := define(flags)
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	return g.options(flags)
}

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-quick", "-rounds=7", "-storage=raft"})
	if err != nil || o.rounds != 7 || o.duration > time.Second || len(o.storages) != 1 || !slices.Contains(o.clients, rotatingClients) {
		t.Errorf("options %+v (%v)", o, err)
	}
	for _, wrong := range []string{"-clients=0", "-clients=1,", "-storage=disk", "-rounds=0", "-duration=1ms", "-life=1s"} {
		if _, err := parse([]string{wrong}); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

func TestLoadCountsWhatTheServerAnswers(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	var paths [2]atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if r.Header.Get("X-Vault-Token") != "one" && r.Header.Get("X-Vault-Token") != "two" {
			http.Error(w, "no token", http.StatusForbidden)
			return
		}
		paths[len(r.URL.Path)%2].Add(1)
		// Past 2 KiB net/http sends chunks.
		_, _ = w.Write([]byte(strings.Repeat("x", 5000)))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	path := func(_, n int) string { return strings.Repeat("p", 1+n%2) }
	measured, err := load(t.Context(), address, []string{"one", "two"}, 200*time.Millisecond, path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(measured.latencies); int64(measured.all) != served.Load() || n == 0 || n > measured.all {
		t.Errorf("%d requests, %d of them measured; the server had %d", measured.all, n, served.Load())
	}
	if paths[0].Load() == 0 || paths[1].Load() == 0 {
		t.Error("the clients did not read all the paths that they were given")
	}
	if _, err := load(t.Context(), address, []string{"three"}, time.Second, path); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a refused read gave %v, want an error that says 403", err)
	}
}
