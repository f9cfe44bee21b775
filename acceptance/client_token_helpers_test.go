// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// clientToken is a client, and what was observed of its current token.
type clientToken struct {
	testVault *testVault
	name      string
	// file is written by the client; "" if it calls upstream itself, see take.
	file string
	// pid is set if the command lines of the client and its children are searched for tokens.
	pid   int
	ended func() error // an error once the client has ended by itself
	stop  func() error

	mu      sync.Mutex
	samples int
	refused int
	tokens  []string // those that it held, in this order
	since   time.Time
	left    time.Duration // the least life that a token had left when it was used
	renders int           // how often its file was replaced
	wrong   []string

	last     fs.FileInfo
	lastText string
}

// take sends the value of an Authorization header upstream, as the client would, and reports whether it was accepted.
func (h *clientToken) take(ctx context.Context, authorization string) bool {
	token, ok := strings.CutPrefix(strings.TrimSpace(authorization), "JWT ")
	left := harness.LifeLeft(token)
	var status int
	var body []byte
	var err error
	if ok {
		status, body, ok, err = simulator.CallBusiness(ctx, h.testVault.upstream.url, h.testVault.upstream.client, simulator.JWT, token, "")
	}
	if ctx.Err() != nil {
		return false // the client has ended
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tokens) == 0 || h.tokens[len(h.tokens)-1] != token {
		if slices.Contains(h.tokens, token) {
			h.wrong = append(h.wrong, "went back to an older token")
		}
		h.tokens, h.since = append(h.tokens, token), time.Now()
	}
	if h.samples == 0 || left < h.left {
		h.left = left
	}
	h.samples++
	if !ok {
		h.refused++
		h.wrong = append(h.wrong, fmt.Sprintf("sample %d was refused (%d %s, %v): the client has held this token for %s",
			h.samples, status, body, err, time.Since(h.since).Round(time.Millisecond)))
	}
	return ok
}

// watch observes the client until it has seen all rotations, or ends.
func (h *clientToken) watch(ctx context.Context) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	deadline := time.Now().Add(clientsTimeout)
	for h.rotations() < rotationsSeen {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := h.ended(); err != nil {
			h.complain(err.Error())
			return
		}
		if time.Now().After(deadline) {
			h.complain(fmt.Sprintf("%d rotations within %s, want %d", h.rotations(), clientsTimeout, rotationsSeen))
			return
		}
		h.lookAtFile(ctx)
	}
}

// searchCommands periodically searches the command lines of the client and its children for tokens, since other users can read
// them.
func (h *clientToken) searchCommands(ctx context.Context) {
	ticker := time.NewTicker(3 * sampleEvery)
	defer ticker.Stop()
	for h.pid != 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		found, err := h.testVault.tokens.SearchProcess(h.pid)
		if err != nil && !errors.Is(err, harness.ErrNoProc) {
			h.complain(err.Error())
		}
		for _, finding := range found {
			h.complain("leaked: " + finding)
		}
	}
}

func (h *clientToken) rotations() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.tokens) - 1
}

// lookAtFile uses the token in the file of the client, and checks that the file is replaced atomically: it is never missing,
// never empty, and never overwritten in place.
func (h *clientToken) lookAtFile(ctx context.Context) {
	if h.file == "" {
		return
	}
	text, info, err := readOpened(h.file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.last == nil:
		return // the first token is still to come
	case err != nil:
		h.complain("its file: " + err.Error())
		return
	case text == "":
		h.complain("its file is empty")
		return
	case h.last == nil || !os.SameFile(h.last, info):
		h.mu.Lock()
		h.renders++
		h.mu.Unlock()
	case text != h.lastText:
		h.complain("its file was written over: a reader can find half a token in it")
	}
	h.last, h.lastText = info, text
	authorization, _ := strings.CutPrefix(text, "Authorization: ")
	h.take(ctx, authorization)
}

func (h *clientToken) complain(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, what)
}

// report fails the test for each problem, and logs the figures.
func (h *clientToken) report(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Logf("%s: %d samples, %d refused; %d rotations; %d renders; at the nearest its token had %s left",
		h.name, h.samples, h.refused, len(h.tokens)-1, h.renders, h.left.Round(100*time.Millisecond))
	for n, wrong := range h.wrong {
		if n == 5 {
			t.Errorf("%s: and %d more", h.name, len(h.wrong)-n)
			break
		}
		t.Errorf("%s: %s; the logs are in %s", h.name, wrong, h.testVault.Dir)
	}
}

// readOpened reads a file and returns its info.
func readOpened(name string) (string, fs.FileInfo, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return "", nil, err
	}
	text, err := io.ReadAll(file)
	return string(text), info, err
}

// documented returns the only block of the document in the given language that contains the words.
func documented(t *testing.T, language, words string) string {
	t.Helper()
	text := readFile(t, useDocument)
	var found []string
	blocks := strings.Split("\n"+string(text), "\n```")
	for n := 1; n < len(blocks); n += 2 {
		first, block, _ := strings.Cut(blocks[n], "\n")
		if first == language && strings.Contains(block, words) {
			found = append(found, block)
		}
	}
	check.Require(t, len(found) == 1, "%s has %d blocks of %q with %q in them, want one", useDocument, len(found), language, words)
	return found[0]
}

// readsByName counts the reads of tokens in the audit log by the display name of the Vault token.
func (w *testVault) readsByName(t *testing.T) map[string]int {
	t.Helper()
	file := check.Value(os.Open(w.AuditLog()))(t)
	defer func() { _ = file.Close() }()
	reads := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte("mastersindia/token/")) {
			continue // decoding is slow, and this is done after each run of a client
		}
		var entry struct {
			Type string
			Auth struct {
				DisplayName string `json:"display_name"`
			}
			Request struct{ Operation, Path string }
			Error   string
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatalf("%s: %v", w.AuditLog(), err)
		}
		if entry.Type == "response" && entry.Error == "" && entry.Request.Operation == "read" &&
			strings.HasPrefix(entry.Request.Path, "mastersindia/token/") {
			reads[entry.Auth.DisplayName]++
		}
	}
	check.NoError(t, lines.Err())
	return reads
}
