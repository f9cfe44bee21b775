// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReport_SameForCopies: copies and compressed files tell nothing new.
func TestReport_SameForCopies(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", (*Log).Day, tuned()...)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	plain, packed := file(t, text), file(t, zipped.String())
	for _, format := range formats() {
		want := must(t, "", "-format="+format, plain)
		for _, files := range [][]string{{packed}, {plain, packed}, {packed, plain}, {plain, plain}} {
			if got := must(t, "", append([]string{"-format=" + format}, files...)...); got != want {
				t.Errorf("%s of %d files is another report", format, len(files))
			}
		}
	}
}

// TestReport_SameEachTime: eight runs, also with many rows of the same time.
func TestReport_SameEachTime(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		for n := range 200 {
			by := Caller{Name: "approle", Entity: fmt.Sprintf("entity-%d", n%9), Remote: "10.1.1.1"}
			l.Do(Request{By: by, Operation: "read", Mount: mountPath, Path: fmt.Sprintf("token/role-%d", n%7), NoResponse: true})
			l.Do(Request{By: by, Operation: "read", Mount: mountPath, Path: "token/none", NoRequest: true, Error: "refused"})
			l.Wait(-10 * time.Millisecond)
		}
	})
	want := must(t, "", "-format=json", path)
	for range 8 {
		if must(t, "", "-format=json", path) != want {
			t.Fatal("another run gives another report")
		}
	}
}

// TestCount_SlowRequest: however many others come between a request and its response, it is one.
func TestCount_SlowRequest(t *testing.T) {
	withoutVault(t)
	slow := Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Lease: true}
	text := logOf(t, "", func(l *Log) { slow.Answer = l.Answer(Token(1), "gst"); l.Do(slow) }, "token_id")
	request, response, _ := strings.Cut(text, "\n")
	between := logOf(t, "", func(l *Log) {
		l.n = 10
		for range 2100 {
			l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
		}
	})
	r := mustJSON(t, request+"\n"+between+response, "-")
	if r.count("given") != 1 || r.count("unanswered") != 2100 || r.count("requests") != 2101 {
		t.Errorf("want one read and 2100 unanswered, got %v", r["summary"])
	}
}

// TestCount_CopiesOfLargeFiles: a copy counts nothing twice, however many requests it has.
func TestCount_CopiesOfLargeFiles(t *testing.T) {
	withoutVault(t)
	const requests = 20_010
	var text strings.Builder
	for n := range requests {
		fmt.Fprintf(&text, `{"time":"2026-03-01T08:00:00Z","type":"response","auth":{"display_name":"a","entity_id":"e","policy_results":{"allowed":true}},`+
			`"request":{"id":"%012d","operation":"list","path":"mastersindia/role","mount_point":"mastersindia/"},"response":{}}`+"\n", n)
	}
	path, copied := file(t, text.String()), file(t, text.String()+"\n")
	if r := mustJSON(t, "", path, copied); r.count("requests") != requests {
		t.Errorf("want %d requests, got %v", requests, r["summary"])
	}
}

// container puts around each line what a container runtime does: Docker's JSON or CRI, in parts of at most size bytes.
func container(t *testing.T, text string, docker bool, size int) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for line != "" {
			part := line[:min(size, len(line))]
			line = line[len(part):]
			if docker {
				if line == "" {
					part += "\n"
				}
				quoted, err := json.Marshal(part)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, `{"log":%s,"stream":"stdout","time":"2026-03-01T08:00:00.000000001Z"}`+"\n", quoted)
			} else {
				fmt.Fprintf(&out, "2026-03-01T08:00:00.000000001Z stdout %s %s\n", map[bool]string{true: "F", false: "P"}[line == ""], part)
			}
		}
	}
	return out.String()
}

func TestContainers_AreUnwrapped(t *testing.T) {
	withoutVault(t)
	text := "==> Vault server started! Log data will stream in below:\n" + logOf(t, "", (*Log).Day, tuned()...)
	want := must(t, text, "-format=json", "-")
	for _, docker := range []bool{true, false} {
		for _, size := range []int{16 << 10, 700} {
			wrapped := container(t, text, docker, size)
			if r := runWith(t, wrapped, "-format=json", "-"); r.code != exitOK || r.stdout != want {
				t.Errorf("docker %t, parts of %d: exit code %d, another report: %s", docker, size, r.code, r.stderr)
			}
			if r := runWith(t, wrapped[:len(wrapped)-600], "-"); r.code != exitIncomplete || !strings.Contains(r.stdout, "damaged") {
				t.Errorf("docker %t, parts of %d: a damaged line gives exit code %d", docker, size, r.code)
			}
		}
	}
}

// TestFiles_ABadOneIsANote: what the others tell is reported, with an exit code that says that something is missing.
func TestFiles_ABadOneIsANote(t *testing.T) {
	withoutVault(t)
	good := logFile(t, (*Log).Day, tuned()...)
	for _, bad := range []string{
		file(t, "\xfd7zXZ\x00"+"x"), file(t, "an archive, or the log of a server\n"), file(t, strings.ReplaceAll(logOf(t, "", (*Log).Day), "", "\x00")),
		good + ".none", t.TempDir(), file(t, "\x1f\x8bxx"),
	} {
		r := runWith(t, "", "-format=json", bad, good)
		if r.code != exitIncomplete || !strings.Contains(r.stdout, `"given":42`) || !strings.Contains(r.stdout, bad) {
			t.Errorf("%s: want a report and a note, got %d: %s%s", bad, r.code, r.stderr, r.stdout)
		}
	}
	for _, bad := range []string{good + ".none", t.TempDir(), file(t, "\x1f\x8bxx")} {
		if r := runWith(t, "", bad); r.code != exitFailed || r.stdout != "" {
			t.Errorf("%s alone: want exit code 1, got %d", bad, r.code)
		}
	}
}

// TestLines_PlainBeforeGzip: "cat audit.log*" puts compressed files behind the plain one. What is in them is read, or it is said that it is not.
func TestLines_PlainBeforeGzip(t *testing.T) {
	withoutVault(t)
	read := func(who int) string {
		return logOf(t, "", func(l *Log) { l.n = 10 * who; l.Read(People()[who], "billing", Token(1), "gst") }, tuned()...)
	}
	var zipped strings.Builder
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(read(1))); err != nil || z.Close() != nil {
		t.Fatal("not compressed")
	}
	got := search(t, Token(1), file(t, read(0)+zipped.String()))
	if got.code == exitOK && got.given != "userpass-asha userpass-bina" {
		t.Errorf("the compressed part shows userpass-bina, and the report clears her: given to %q, exit code %d", got.given, got.code)
	}
}

// TestFiles_EmptyGzip: no program compresses to nothing, so that an empty file of that name is one whose lines are lost (a full disk).
func TestFiles_EmptyGzip(t *testing.T) {
	withoutVault(t)
	empty := filepath.Join(t.TempDir(), "audit.log.2.gz")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := logFile(t, readByAsha, tuned()...)
	wantLeak(t, search(t, Token(1), log, empty), exitIncomplete, "userpass-asha", "")
}

// TestLines_BeforeBadGzip: what was read of a file counts, also where something behind it only begins like gzip.
func TestLines_BeforeBadGzip(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByAsha, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text+"\x1f\x8b and no more\n")), exitIncomplete, "userpass-asha", "")
}

// TestFiles_RotatedOneMissing: the numbers of rotated files tell that one between them was forgotten, as by audit.log.*.gz where the newest is
// not yet compressed.
func TestFiles_RotatedOneMissing(t *testing.T) {
	withoutVault(t)
	dir := t.TempDir()
	text := logOf(t, "", readByAsha, tuned()...)
	for names, missing := range map[string]string{
		"audit.log audit.log.2":               "audit.log.1",
		"audit.log.4 audit.log.1 audit.log":   "audit.log.2",
		"audit.log audit.log.1 audit.log.2":   "",
		"audit.log.2 audit.log.3":             "", // of an older day
		"audit.log audit.log.20260301":        "",
		"audit-10.0.0.1 audit-10.0.0.3":       "", // of two nodes
		"a.log a.log.1 b.log.7 b.log.8 c.log": "",
	} {
		var files []string
		for name := range strings.FieldsSeq(names) {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, path)
		}
		r := runWith(t, Token(1), append([]string{"-token-file=-"}, files...)...)
		if (r.code == exitIncomplete) != (missing != "") || !strings.Contains(r.stdout, missing+" is not among the files") && missing != "" {
			t.Errorf("%s: want a note of %q, got exit code %d and\n%s", names, missing, r.code, r.stdout)
		}
	}
}

// TestLines_OfTheServersLog: a Vault server that logs as JSON, at level trace, to the same standard output as an audit device.
func TestLines_OfTheServersLog(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByAsha, tuned()...)
	other := `{"@level":"trace","@message":"handle request","@module":"secrets.vault-plugin-secrets-mastersindia.mastersindia_1"}` + "\n"
	wantLeak(t, search(t, Token(1), file(t, other+text+other)), exitOK, "userpass-asha", "")
}

// TestLines_NestedTooDeep: to decode a line of millions of brackets would take a stack of gigabytes, or try it from each of them. It is damaged.
func TestLines_NestedTooDeep(t *testing.T) {
	withoutVault(t)
	good := logOf(t, "", readByAsha, tuned()...)
	many := strings.Repeat("[", 3<<20)
	for _, bad := range []string{
		`{"x":"mastersindia","request":` + strings.Repeat(`{"a":`, 1<<20), `{"x":"other","request":` + strings.Repeat(`{"a":`, 1<<20),
		`{"time":"2026-03-01T08:00:00Z","type":"request","request":{"path":"mastersindia/x","data":{"a":` + many + strings.ReplaceAll(many, "[", "]") + "}}}",
		`{"log":"x","stream":` + many, `{"log":"{\"request\":` + many + `mastersindia\n"}`,
	} {
		began := time.Now()
		if got := search(t, Token(1), file(t, good+bad+"\n")); got.code != exitIncomplete || got.given != "userpass-asha" || time.Since(began) > 5*time.Second {
			t.Errorf("%.60s: %+v after %s", bad, got, time.Since(began))
		}
	}
	wide := strings.Repeat(`{"a":[]},`, 5000) // Vault writes as many of them as a request has
	wantLeak(t, search(t, Token(1), file(t, strings.ReplaceAll(good, `"headers":{`, `"headers":{"x":[`+wide+`1],`))), exitOK, "userpass-asha", "")
}

// TestLines_InAnyShape: what programs make of a log on its way is read as it is, or it is said that it is not.
func TestLines_InAnyShape(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := strings.TrimSpace(logOf(t, "key", func(l *Log) {
		l.Other(People()[2])
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}))
	lines := strings.Split(text, "\n")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(lines[5]), "", "  "); err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(lines[5])
	const both = "userpass-asha userpass-bina"
	for name, test := range map[string]struct {
		text, given, possible string
		code                  int
	}{
		"two entries on a line":   {strings.Join(lines, ""), both, "", exitOK},
		"an array":                {"[" + strings.Join(lines, ",") + "]", both, "", exitOK},
		"an array, line by line":  {"[\n" + strings.Join(lines, ",\n") + "\n]\n", both, "", exitOK},
		"a prefix with a brace":   {"{vault} " + strings.Join(lines, "\nvault[{1}]: "), both, "", exitOK},
		"carriage returns":        {strings.Join(lines, "\r\n"), both, "", exitOK},
		"escaped slashes":         {strings.ReplaceAll(text, "/", `\/`), both, "", exitOK},
		"a byte order mark":       {"\ufeff" + text, both, "", exitOK},
		"one without its end":     {strings.Join(lines[:5], "\n") + "\n" + lines[5][:300], "userpass-asha", "userpass-bina", exitIncomplete},
		"one cut before the next": {lines[5][:500] + strings.Join(lines[:5], "\n"), "userpass-asha", "userpass-bina", exitIncomplete},
		"one without its start":   {lines[5][strings.Index(lines[5], `"hmac-sha256:`)+60:strings.Index(lines[5], "mastersindia")] + "}\n" + strings.Join(lines[:4], "\n"), "userpass-asha", "", exitIncomplete},
		"pretty printed":          {strings.Join(lines[:5], "\n") + "\n" + pretty.String(), "userpass-asha", "userpass-bina", exitIncomplete},
		"in the text of another":  {strings.Join(lines[:5], "\n") + `{"stream":"stdout","message":` + string(quoted) + "}\n", "userpass-asha", "userpass-bina", exitIncomplete},
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, test.text)), test.code, test.given, test.possible)
	}
}

// TestLines_TailOfAResponse: a file that begins in the middle of a line says that something is missing, however little of it is left.
func TestLines_TailOfAResponse(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := logOf(t, "key", readByAsha)
	for _, tail := range []string{
		`/token/billing/0a1b2c3d"}},"time":"2026-03-01T08:00:00Z","type":"response"}`,
		`"lease_id":"mastersindia/token/billing/0a1b2c3d"}},"time":"2026-03-01T08:00:00Z","type":"response"}`,
	} {
		wantLeak(t, search(t, Token(1), file(t, tail+"\n"+text)), exitIncomplete, "userpass-asha", "")
	}
}

// TestLines_WholeOneAfterACutOne: a crash leaves a part of a line, and the next line begins behind it. Vault's lines have many braces.
func TestLines_WholeOneAfterACutOne(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := strings.TrimSpace(logOf(t, "key", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}))
	text = strings.ReplaceAll(text, `"policy_results":{"allowed":true}`, `"metadata":{"username":"x"},"policy_results":{"allowed":true,`+
		`"granting_policies":[{"type":""},{"name":"default","namespace_id":"root","type":"acl"},{"name":"billing","namespace_id":"root","type":"acl"}]}`)
	lines := strings.Split(text, "\n")
	cut, _, _ := strings.Cut(lines[3], `"secret"`)
	wantLeak(t, search(t, Token(1), file(t, strings.Join([]string{lines[0], lines[2], cut + lines[1]}, "\n"))), exitIncomplete, "userpass-asha", "userpass-bina")
}

// TestLines_CutBeforeALineOfAnotherMount: after a power loss the next line begins behind the part of a line that is left, or behind zeros in
// its place. The report says that something is missing, wherever the line was cut.
func TestLines_CutBeforeALineOfAnotherMount(t *testing.T) {
	withoutVault(t)
	lines := strings.SplitAfter(logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Other(People()[2])
	}, tuned()...), "\n")
	other := strings.ReplaceAll(lines[2], "userpass", "brace } in a text")
	pattern := newFilter(mountPath)
	wantLeak(t, search(t, Token(1), file(t, lines[0]+lines[1]+other)), exitOK, "userpass-asha", "")
	wantLeak(t, search(t, Token(1), file(t, lines[0]+lines[1]+lines[0][:300]+other)), exitIncomplete, "userpass-asha", "")
	wantLeak(t, search(t, Token(1), file(t, lines[0]+lines[1]+strings.Repeat("\x00", 4096)+other)), exitIncomplete, "userpass-asha", "")
	wantLeak(t, search(t, Token(1), file(t, strings.Repeat("\x00", 4096)+lines[0]+lines[1])), exitIncomplete, "userpass-asha", "")
	for at := len(`{"auth":{`); at < len(lines[0])-1; at++ {
		for _, behind := range []string{"", other} {
			if cut := []byte(lines[0][:at] + behind); !pattern.wants(cut) && !isCut(cut) {
				t.Fatalf("not noticed: %s", cut)
			}
		}
	}
}

// TestLines_OfARawDevice: lines of a device with log_raw=true have no HMACs, and it is said all the same that they could not be read.
func TestLines_OfARawDevice(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}, "access_token", "authorization", "token_type", "config", "issued_at", "expires_at", "token_id")
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, hmacPrefix, "")), "\n")
	quoted, err := json.Marshal(lines[3])
	if err != nil {
		t.Fatal(err)
	}
	var wide strings.Builder
	for _, c := range lines[3] {
		wide.WriteString(string(c) + "\x00")
	}
	for name, last := range map[string]string{
		"in the text of another":   `{"MESSAGE":` + string(quoted) + `}`,
		"escaped":                  strings.ReplaceAll(lines[3], `"`, `\"`),
		"cut near its start":       lines[3][:30],
		"cut before the request":   lines[3][:60],
		"in UTF-16, as PowerShell": wide.String(),
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, strings.Join([]string{lines[0], lines[1], last}, "\n")+"\n")), exitIncomplete, "userpass-asha", "")
	}
}

// TestLines_TooLong: Vault hashes each number of a request in 76 bytes, so that a request of 200 KB makes a line of 8 MB. The report says
// that there is a line that it did not read, and clears nobody who asked for what may have been unwrapped with it.
func TestLines_TooLong(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		long := unwrap(people[1], "w", l.Answer(Token(1), "gst"))
		numbers := make([]string, 110_000)
		for n := range numbers {
			numbers[n] = l.HMAC("0")
		}
		long.Data["x"] = numbers
		l.Do(long)
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "approle")
	if text := must(t, "", path); !strings.Contains(text, "2 lines are damaged or too long") {
		t.Errorf("want a note of two lines, got %.300s", text)
	}
}

// TestContainers_LinesWithoutNewline: a container runtime may leave the newline out of its lines.
func TestContainers_LinesWithoutNewline(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByTwo, tuned()...)
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "{\"log\":%q,\"stream\":\"stdout\",\"kubernetes\":{\"pod_name\":\"vault-0\"}}\n", strings.TrimSuffix(line, "\n"))
	}
	wantLeak(t, search(t, Token(1), file(t, b.String())), exitOK, "userpass-asha userpass-bina", "")
}

func TestTime_ImpossibleCostsOneLine(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", (*Log).Day)
	for _, impossible := range []string{"9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+05:00"} {
		log := text + `{"time":"` + impossible + `","type":"request","request":{"id":"x","operation":"read",` +
			`"path":"mastersindia/token/billing","mount_point":"mastersindia/"}}` + "\n"
		if r := mustJSON(t, log, "-"); r.count("given") != 42 || !strings.Contains(r.all("notes", "text"), "1 lines are damaged") {
			t.Errorf("%s: want 42 tokens and one damaged line, got %v, %v", impossible, r["summary"], r["notes"])
		}
	}
}
