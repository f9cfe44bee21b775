// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium with one page, driven over two pipes by the DevTools protocol: each message is JSON and ends in
// a zero byte.
type browser struct {
	in      *os.File
	out     *bufio.Reader
	session string
	next    int
	// complaints are uncaught errors, messages on the console, and what the page's policy refused.
	complaints []string
}

// findBrowser returns a Chromium, or skips the test: scripts/get-chromium installs one.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no chromium on the PATH: scripts/get-chromium installs one")
	}
	t.Skip("no chromium on the PATH, so the page is not looked at: scripts/get-chromium installs one")
	return ""
}

// openPage starts a browser and opens the page in it.
func openPage(t *testing.T, url string) *browser {
	t.Helper()
	path := findBrowser(t)
	theirIn, in := pipe(t)
	out, theirOut := pipe(t)
	dir := profile(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	command := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--window-size=1400,1600", "--user-data-dir="+dir, "--remote-debugging-pipe", "about:blank")
	command.Env = append(os.Environ(), "TMPDIR="+dir) // or it leaves files behind
	command.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	b := &browser{in: in, out: bufio.NewReaderSize(out, 1<<20)}
	t.Cleanup(func() {
		defer cancel()
		if b.call("Browser.close", nil, nil) != nil {
			cancel() // kills it
		}
		_ = command.Wait()
	})
	var target struct{ TargetID string }
	b.must(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.must(t, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Runtime", "Log", "Page"} {
		b.must(t, domain+".enable", nil, nil)
	}
	b.must(t, "Page.navigate", map[string]any{"url": url}, nil)
	b.wait(t, `document.documentElement?.dataset.ready === "true"`)
	return b
}

// profile is an empty directory. Helpers of the browser write into it for a moment after it has ended.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium-*") //nolint:usetesting // t.TempDir fails where something is written while it removes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for range 100 {
			if os.RemoveAll(dir) == nil {
				return
			}
			<-again.C
		}
		t.Errorf("%s cannot be removed", dir)
	})
	return dir
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// call sends a command and waits for its answer. What else comes in between is looked through for complaints.
func (b *browser) call(method string, params map[string]any, answer any) error {
	b.next++
	message := map[string]any{"id": b.next, "method": method, "params": params}
	if params == nil {
		message["params"] = map[string]any{}
	}
	if b.session != "" && !strings.HasPrefix(method, "Browser.") {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		return err
	}
	for {
		text, err := b.out.ReadBytes(0)
		if err != nil {
			return err
		}
		var got struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(text[:len(text)-1], &got); err != nil {
			return err
		}
		switch got.Method {
		case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded":
			b.complaints = append(b.complaints, string(got.Params))
		}
		switch {
		case got.ID != b.next:
		case got.Error != nil:
			return errors.New(method + ": " + got.Error.Message)
		case answer != nil:
			return json.Unmarshal(got.Result, answer)
		default:
			return nil
		}
	}
}

func (b *browser) must(t *testing.T, method string, params map[string]any, answer any) {
	t.Helper()
	if err := b.call(method, params, answer); err != nil {
		t.Fatal(err)
	}
}

// eval runs an expression in the page and returns its value as JSON would have it.
func (b *browser) eval(t *testing.T, expression string) any {
	t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Text string }
	}
	b.must(t, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		t.Fatalf("%s: %s", expression, answer.ExceptionDetails.Text)
	}
	return answer.Result.Value
}

// want checks the value of an expression.
func (b *browser) want(t *testing.T, expression string, want any) {
	t.Helper()
	if got := b.eval(t, expression); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %v", expression, got, want)
	}
}

// wait waits until an expression is true.
func (b *browser) wait(t *testing.T, expression string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		if is, _ := b.eval(t, expression).(bool); is {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not true: %s; the page complains: %q", expression, b.complaints)
		}
	}
}

// mouse moves, presses or releases the mouse.
func (b *browser) mouse(t *testing.T, what string, x, y float64) {
	t.Helper()
	b.must(t, "Input.dispatchMouseEvent", map[string]any{
		"type": what, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1,
	}, nil)
}

// screenshot writes what the page looks like to the directory that SCREENSHOTS names, if it names one.
func (b *browser) screenshot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	b.must(t, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+name+".png", image, 0o600); err != nil { //nolint:gosec // G703: the caller of the test names it
		t.Fatal(err)
	}
}
