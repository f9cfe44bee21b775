// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// pageOf makes the page of a log and returns its URL.
func pageOf(t *testing.T, log, stdin string, args ...string) string {
	t.Helper()
	return "file://" + htmlFile(t, must(t, stdin, append(append([]string{"-format=html"}, args...), log)...))
}

// lines counts the lines of a table of the page.
func lines(section string) string {
	return fmt.Sprintf(`document.querySelectorAll("#%s tbody tr").length`, section)
}

// choose sets a filter as a person would.
func choose(filter, value string) string {
	return fmt.Sprintf(`(() => { const f = document.getElementById("f-%s"); f.value = %q; f.dispatchEvent(new Event("change")); return f.value })()`,
		filter, value)
}

func TestThePageFiltersAndSorts(t *testing.T) {
	t.Parallel()
	page := pageOf(t, logFile(t, (*Log).Day, tuned()...), Token(2), "-token-file=-")
	b := openPage(t, page)
	b.want(t, `document.title`, "Audit of mastersindia/")
	b.want(t, lines("requests"), 52)
	b.want(t, lines("receivers"), 3)
	b.want(t, lines("possible"), 2)
	b.want(t, lines("refusals"), 3)
	b.want(t, `document.querySelectorAll("#timeline rect.given").length > 10`, true)
	b.screenshot(t, "light")

	const asha = "userpass-asha · 11111111-0000-4000-8000-000000000001"
	token := tokenID(Token(2))
	b.want(t, choose("who", asha), asha)
	b.want(t, lines("requests"), 16)
	b.want(t, `document.querySelectorAll("#timeline rect.ghost").length > 10`, true)
	b.want(t, choose("token", token), token)
	b.want(t, lines("requests"), 7)
	b.want(t, `document.getElementById("matches").textContent`, "7 of 52 listed requests")
	b.want(t, `new URLSearchParams(location.hash.slice(1)).get("token")`, token)
	b.screenshot(t, "filtered")
	b.eval(t, `document.getElementById("reset").click()`)
	b.want(t, lines("requests"), 52)
	for filter, want := range map[string]struct {
		value string
		lines int
	}{
		"name": {"billing", 46}, "kind": {"rotate", 1}, "outcome": {"denied", 2}, "from": {"2026-03-01 15:00:00", 8},
		"until": {"2026-03-01 08:00:01", 3}, "text": {"198.51.100.7", 1},
	} {
		b.eval(t, choose(filter, want.value))
		b.want(t, lines("requests"), want.lines)
		b.eval(t, `document.getElementById("reset").click()`)
	}
	b.eval(t, choose("from", "not a time"))
	b.want(t, `document.getElementById("f-from").className`, "wrong")
	b.eval(t, `document.getElementById("reset").click()`)

	first := `document.querySelector("#requests tbody td").textContent`
	b.want(t, first, "2026-03-01 15:21:00") // newest first
	b.eval(t, `document.querySelector("#requests th button").click()`)
	b.want(t, first, "2026-03-01 08:00:00")
	b.want(t, `document.querySelector("#requests th").getAttribute("aria-sort")`, "ascending")

	b.dragTimeline(t, 0.7, 1)
	b.want(t, lines("requests")+" < 20 && "+lines("requests")+" > 5", true)
	b.want(t, `document.getElementById("f-from").value.startsWith("2026-03-01 13:")`, true)

	b.eval(t, `location.hash = "#kind=revoke"`)
	b.wait(t, lines("requests")+" === 1")
	b.must(t, "Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}},
	}, nil)
	b.eval(t, `document.getElementById("reset").click()`)
	b.want(t, `getComputedStyle(document.body).backgroundColor`, "rgb(20, 23, 26)")
	b.screenshot(t, "dark")
	b.must(t, "Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	b.want(t, `getComputedStyle(document.getElementById("filters")).display`, "none")
	b.want(t, `getComputedStyle(document.body).backgroundColor`, "rgb(255, 255, 255)")
	b.screenshot(t, "print")
	b.wantNoComplaints(t)
}

// dragTimeline drags over a part of the timeline, from 0 at its left to 1.
func (b *browser) dragTimeline(t *testing.T, from, to float64) {
	t.Helper()
	b.eval(t, `scrollTo(0, 0)`)
	at := func(part float64) float64 {
		x, ok := b.eval(t, fmt.Sprintf(`(() => { const r = document.querySelector("#timeline svg").getBoundingClientRect();
			return r.left + 50 + (r.width - 60) * %f })()`, part)).(float64)
		if !ok {
			t.Fatal("there is no timeline")
		}
		return x
	}
	y, _ := b.eval(t, `document.querySelector("#timeline svg").getBoundingClientRect().top + 60`).(float64)
	b.mouse(t, "mousePressed", at(from), y)
	b.mouse(t, "mouseMoved", at((from+to)/2), y)
	b.mouse(t, "mouseMoved", at(to), y)
	b.mouse(t, "mouseReleased", at(to), y)
}

func (b *browser) wantNoComplaints(t *testing.T) {
	t.Helper()
	for _, complaint := range b.complaints {
		t.Errorf("the page complains: %s", complaint)
	}
}

// hostile are texts that callers may bring into the log.
func hostile() []string {
	return []string{
		`</script><script>document.documentElement.dataset.owned = "1"</script>`,
		`<img src=x onerror='document.documentElement.dataset.owned = "1"'>`,
		`<!--<script>`, "]]>", `"}];document.documentElement.dataset.owned="1";//`, "line\u2028separator\u2029s",
		"\x1b[31mred\x1b[2J\x1b]0;title\x07", "\u009b31m", "right\u202eto left", "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1",
		"new\r\nline", "\x00", "zero\u200bwidth",
	}
}

// hostileDay is a log in which every text that somebody may choose is hostile.
func hostileDay(l *Log) {
	const mount = "mastersindia/"
	for _, text := range hostile() {
		by := Caller{Name: text, Entity: "e" + text, Method: text, Remote: text, Policies: []string{text}}
		l.Do(Request{By: by, Operation: "update", Mount: "auth/" + text + "/", Path: "login", Login: &by})
		l.Read(by, text, text, text)
		l.Do(Request{By: by, Operation: "create", Mount: mount, Path: "config/" + text, Data: map[string]any{text: text, "username": text}})
		l.Do(Request{By: by, Operation: "read", Mount: mount, Path: "token/" + text, Error: text})
		l.Do(Request{By: by, Operation: "update", Mount: mount, Path: "revoke/" + text, Answer: map[string]any{
			"tokens": map[string]any{text: map[string]any{"upstream": text, "valid_until": text}},
		}})
	}
}

func TestNothingInALogRunsInThePage(t *testing.T) {
	t.Parallel()
	b := openPage(t, pageOf(t, logFile(t, hostileDay, append(tuned(), hostile()...)...), ""))
	b.want(t, `document.documentElement.dataset.owned === undefined`, true)
	b.want(t, `document.querySelectorAll("img, iframe, object, embed, link, base").length`, 0)
	b.want(t, `document.scripts.length`, 2)
	b.want(t, lines("requests"), len(hostile())*4)
	b.want(t, `document.body.innerText.includes("\u202e") || document.body.innerText.includes("\u001b")`, false)
	b.eval(t, choose("name", hostile()[0]))
	b.want(t, lines("requests"), 4)
	b.eval(t, `location.hash = "#who=" + encodeURIComponent(`+"`"+url.PathEscape(hostile()[1])+"`"+`)`)
	b.wait(t, lines("requests")+" === 0 || "+lines("requests")+" === "+fmt.Sprint(len(hostile())*4))
	// The policy holds back what is not the page's own, even where it gets into the document.
	b.eval(t, `(() => { const s = document.createElement("script"); s.textContent = "document.documentElement.dataset.owned = 1"; document.body.append(s) })()`)
	b.want(t, `document.documentElement.dataset.owned === undefined`, true)
	if len(b.complaints) != 1 || !strings.Contains(b.complaints[0], "Content Security Policy") {
		t.Errorf("want one complaint, that of the policy, got %q", b.complaints)
	}
}

// TestThePageHidesNoReceiver: filters and cards leave what is about a receiver, whatever line of the log tells of it.
func TestThePageHidesNoReceiver(t *testing.T) {
	withoutVault(t)
	asha, bina, cron, erp, omar := People()[0], People()[1], People()[2], People()[3], People()[4]
	log := logFile(t, func(l *Log) {
		l.Read(asha, "billing", Token(1), "gst")
		l.Read(asha, "filing", Token(1), "gst")
		l.Do(Request{By: cron, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(erp, "w", l.Answer(Token(1), "gst")))
		l.Do(Request{By: bina, Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
		l.Do(Request{By: omar, Operation: "delete", Mount: mountPath, Path: "role/x", Answer: map[string]any{}})
		l.Do(Request{By: omar, Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{tokenID(Token(1)): map[string]any{"upstream": "unsupported"}}}})
	}, tuned()...)
	b := openPage(t, pageOf(t, log, Token(1), "-token-file=-"))
	b.want(t, `document.getElementById("leak").innerText.includes("Given to 2 readers")`, true)
	card := func(n int) string { return fmt.Sprintf(`document.querySelectorAll(".card")[%d].click()`, n) }
	for _, c := range []struct{ do, section, want string }{
		{card(0), "readings", erp.Name},
		{card(0), "receivers", erp.Name},
		{card(4), "changes", "role/x"},
		{choose("who", asha.Name+" · "+asha.Entity), "revocations", asha.Name},
		{choose("token", tokenID(Token(1))), "possible", bina.Name},
		{choose("from", "2026-03-01T08:00:00+05:30"), "receivers", asha.Name},
	} {
		b.eval(t, c.do)
		b.want(t, fmt.Sprintf(`document.getElementById(%q).innerText.includes(%q)`, c.section, c.want), true)
		b.want(t, `document.getElementById("f-from").className`, "")
		b.eval(t, `document.getElementById("reset").click()`)
	}
	b.eval(t, `location.hash = "#kind=read&who=somebody+else"`) // of the view of another report
	b.wait(t, `document.getElementById("f-kind").value === "read"`)
	b.want(t, lines("receivers"), 3)
	b.wantNoComplaints(t)
}

// TestThePageHidesNoReceiverOfUnknownRole: what is about a receiver is not hidden by what a filter of roles, tokens or kinds cannot know of it.
func TestThePageHidesNoReceiverOfUnknownRole(t *testing.T) {
	withoutVault(t)
	asha, bina, cron, erp := People()[0], People()[1], People()[2], People()[3]
	log := logFile(t, func(l *Log) {
		l.Read(asha, "billing", Token(1), "gst")
		l.Do(Request{By: cron, Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
		l.Do(unwrap(erp, "w", map[string]any{"note": Token(1)}))
		l.Do(Request{By: bina, Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w2"})
	}, append(tuned(), "note")...)
	page := pageOf(t, log, Token(1), "-token-file=-")
	b := openPage(t, page)
	for _, c := range []struct{ do, section, want string }{
		{choose("token", tokenID(Token(1))), "receivers", erp.Name},
		{choose("name", "billing"), "receivers", erp.Name},
		{choose("name", "billing"), "possible", bina.Name},
		{`document.querySelectorAll(".card")[0].click()`, "possible", bina.Name},
	} {
		b.eval(t, c.do)
		b.want(t, `document.getElementById("`+c.section+`").innerText.includes("`+c.want+`")`, true)
		b.eval(t, `document.getElementById("reset").click()`)
	}
}
