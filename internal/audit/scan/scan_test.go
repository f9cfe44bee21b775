// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package scan_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/logfile"
	"vault-plugin-secrets-mastersindia/internal/audit/sample"
	"vault-plugin-secrets-mastersindia/internal/audit/scan"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

const mount = "mastersindia/"

// write makes a log and returns its text.
func write(tb testing.TB, fill func(*sample.Log)) []byte {
	tb.Helper()
	var out bytes.Buffer
	l := sample.New(&out, 1)
	fill(l)
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// file puts a log into a file.
func file(tb testing.TB, name string, text []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func zip(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// read makes a report of files, with the counts of what was read.
func read(tb testing.TB, o story.Options, files ...string) *story.Report {
	tb.Helper()
	if o.Mount == "" {
		o.Mount = mount
	}
	if o.Limits == (story.Limits{}) {
		o.Limits = story.DefaultLimits()
	}
	var sources []*logfile.Source
	for _, name := range files {
		source, err := logfile.Open(name, nil)
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = source.Close() }()
		sources = append(sources, source)
	}
	logfile.Order(sources, entry.TimeOf)
	collector := story.NewCollector(o)
	pass := scan.Scan{
		Filter: entry.NewFilter(o.Mount, true), Observer: story.NewObserver(o.Mount, nil), Collector: collector, Workers: 2,
	}
	input, err := pass.Files(tb.Context(), sources)
	if err != nil {
		tb.Fatal(err)
	}
	r := collector.Report()
	input.RequestsUnanswered, input.ResponsesAlone = r.Input.RequestsUnanswered, r.Input.ResponsesAlone
	input.Duplicates = r.Input.Duplicates
	r.Input = input
	return r
}

// wantWhole checks that every line was counted once.
func wantWhole(tb testing.TB, in story.Input, lines int64) {
	tb.Helper()
	sum := in.Entries + in.Related + in.Elsewhere + in.Garbage + in.TooLong + in.CutShort + in.Empty
	if in.Lines != lines || sum != lines {
		tb.Errorf("want %d lines counted once each, got %d lines, and %d in %+v", lines, in.Lines, sum, in)
	}
}

func TestAnyOrderAndPackingOfFilesGivesTheSameReport(t *testing.T) {
	t.Parallel()
	text := write(t, func(l *sample.Log) { l.Shown = []string{"token_id"}; l.Day() })
	half := bytes.IndexByte(text[len(text)/2:], '\n') + len(text)/2 + 1
	one := file(t, "audit.log", text)
	early, late := file(t, "audit.log.1.gz", zip(t, text[:half])), file(t, "audit.log", text[half:])
	members := file(t, "members", append(zip(t, text[:half]), zip(t, text[half:])...))
	want := read(t, story.Options{}, one)
	for name, files := range map[string][]string{
		"newest first": {late, early}, "oldest first": {early, late}, "gzip of several members": {members},
	} {
		got := read(t, story.Options{}, files...)
		if asJSON(t, got.Readings) != asJSON(t, want.Readings) || fmt.Sprint(got.Summary.Given) != fmt.Sprint(want.Summary.Given) ||
			got.Input.RequestsUnanswered != want.Input.RequestsUnanswered {
			t.Errorf("%s: the report differs from that of one file: %+v, want %+v", name, got.Summary, want.Summary)
		}
		wantWhole(t, got.Input, int64(bytes.Count(text, []byte{'\n'})))
	}
}

// TestAFileThatBeginsWithNoEntryIsReadInItsOrder: a rotation may cut a line, and a wrapping is followed to its unwrapping only.
func TestAFileThatBeginsWithNoEntryIsReadInItsOrder(t *testing.T) {
	t.Parallel()
	asha, erp := sample.People()[0], sample.People()[3]
	text := write(t, func(l *sample.Log) {
		l.Do(sample.Request{By: asha, Operation: "read", Mount: mount, Path: "token/billing", Wrap: "wrapping-1"})
		l.Do(sample.Request{By: erp, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-1"}, Answer: l.Answer(sample.Token(1), "gst")})
	})
	lines := bytes.SplitAfter(text, []byte{'\n'})
	early := file(t, "audit.log.1", bytes.Join(lines[:2], nil))
	late := file(t, "audit.log", append([]byte("\n\"}}\n"), bytes.Join(lines[2:], nil)...))
	r := read(t, story.Options{}, late, early)
	if len(r.Readings) != 2 || r.Readings[0].Who.DisplayName != erp.Name {
		t.Errorf("want the wrapping and its unwrapping by %s, got %s", erp.Name, asJSON(t, r.Readings))
	}
}

func asJSON(tb testing.TB, value any) string {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestWhatCannotBeReadIsCountedAndNeverFatal(t *testing.T) {
	t.Parallel()
	text := write(t, (*sample.Log).Day)
	lines := int64(bytes.Count(text, []byte{'\n'}))
	whole := read(t, story.Options{}, file(t, "whole", text))
	last := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	tests := map[string]struct {
		text []byte
		want story.Input
		note string
	}{
		"cut short":           {text[:len(text)-20], story.Input{Lines: lines, CutShort: 1}, ""},
		"no newline at end":   {text[:len(text)-1], story.Input{Lines: lines}, ""},
		"garbage":             {append([]byte("not json\n{\"mastersindia\": 1}\n{\"type\":\"request\"}x mastersindia\n\x00\xff\n"), text...), story.Input{Lines: lines + 4, Garbage: 4}, ""},
		"empty lines":         {append([]byte("\n  \n\r\n"), text...), story.Input{Lines: lines + 3, Empty: 3}, ""},
		"a line far too long": {append(append([]byte("{"), bytes.Repeat([]byte("x"), logfile.MaxLine+logfile.BlockSize)...), append([]byte("\n"), text...)...), story.Input{Lines: lines + 1, TooLong: 1}, ""},
		"a long line":         {append(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 3*logfile.BlockSize)...), append([]byte("\"}\n"), text...)...), story.Input{Lines: lines + 1}, ""},
		"nothing":             {nil, story.Input{}, ""},
		"gzip cut short":      {zip(t, text)[:len(zip(t, text))*2/3], story.Input{Lines: -1}, "ends too early"},
		"gzip damaged":        {damaged(zip(t, text)), story.Input{Lines: -1}, "reading stopped"},
		"crlf":                {bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), story.Input{Lines: lines}, ""},
		"syslog prefix":       {bytes.ReplaceAll(text, []byte("{\"auth\""), []byte("Mar  1 08:00:00 host vault[7]: @cee: {\"auth\"")), story.Input{Lines: lines}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := read(t, story.Options{}, file(t, "audit.log", test.text))
			if test.want.Lines >= 0 {
				wantWhole(t, r.Input, test.want.Lines)
				got := story.Input{Lines: r.Input.Lines, Garbage: r.Input.Garbage, TooLong: r.Input.TooLong, CutShort: r.Input.CutShort, Empty: r.Input.Empty}
				if fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("want %+v, got %+v", test.want, got)
				}
			} else {
				wantWhole(t, r.Input, r.Input.Lines)
			}
			if !strings.Contains(r.Input.Files[0].Note, test.note) || test.note == "" && r.Input.Files[0].Note != "" {
				t.Errorf("want a note of %q, got %q", test.note, r.Input.Files[0].Note)
			}
			if test.want.Lines > lines && r.Summary.Given != whole.Summary.Given {
				t.Errorf("what surrounds the unreadable is lost: %d tokens given, want %d", r.Summary.Given, whole.Summary.Given)
			}
		})
	}
	if cut := text[last:]; !bytes.Contains(cut, []byte("status/gst")) {
		t.Errorf("the last line is not what the tests take it for: %s", cut)
	}
}

// damaged changes a byte in the middle.
func damaged(zipped []byte) []byte {
	zipped[len(zipped)/2] ^= 0xff
	zipped[len(zipped)/2+1] ^= 0xff
	return zipped
}

func TestARotationWhileReadingIsSaid(t *testing.T) {
	t.Parallel()
	path := file(t, "audit.log", write(t, (*sample.Log).Day))
	source, err := logfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	collector := story.NewCollector(story.Options{Mount: mount, Limits: story.DefaultLimits()})
	pass := scan.Scan{Filter: entry.NewFilter(mount, true), Observer: story.NewObserver(mount, nil), Collector: collector}
	input, err := pass.Files(t.Context(), []*logfile.Source{source})
	if err != nil || !strings.Contains(input.Files[0].Note, "rotated") || input.Entries == 0 {
		t.Errorf("want all entries and a note of the rotation, got %+v, %v", input, err)
	}
}

func TestCountsAreExactWhereListsAreCut(t *testing.T) {
	t.Parallel()
	path := file(t, "audit.log", write(t, func(l *sample.Log) { l.Long(2_500_000, 2, 500) }))
	want := read(t, story.Options{}, path)
	limits := story.Limits{Rows: 10, Who: 5, Tokens: 1, Readings: 7, Refusals: 2, Objects: 2, Window: 100, Pending: 10, Wrapped: 10, Logins: 10, Texts: 10}
	got := read(t, story.Options{Limits: limits}, path)
	if got.Summary.Given != want.Summary.Given || got.Summary.Requests != want.Summary.Requests {
		t.Errorf("want the same counts, got %+v, want %+v", got.Summary, want.Summary)
	}
	var sum int64
	for _, r := range got.Readings {
		sum += r.Count
	}
	if sum != want.Summary.Given {
		t.Errorf("the readings add up to %d, want %d", sum, want.Summary.Given)
	}
	var inParts int64
	for _, p := range got.Histogram.Parts {
		inParts += p.Count["given"]
	}
	if inParts != want.Summary.Given {
		t.Errorf("the histogram adds up to %d, want %d", inParts, want.Summary.Given)
	}
	notices := strings.Join(got.Notices, "\n")
	for _, said := range []string{"are not listed", "more than 5 callers", "more than 1 tokens", "more than 7 combinations"} {
		if !strings.Contains(notices, said) {
			t.Errorf("no notice of %q:\n%s", said, notices)
		}
	}
	if len(got.Rows) != 10 || len(want.Notices) != 0 {
		t.Errorf("want 10 rows, got %d; want no notice without limits, got %q", len(got.Rows), want.Notices)
	}
}

func TestAllWhoWereGivenALeakedTokenAreListedWhereOthersAreCut(t *testing.T) {
	t.Parallel()
	path := file(t, "audit.log", write(t, func(l *sample.Log) { l.Long(2_500_000, 2, 20) }))
	leaked := &story.Leaked{
		TokenID:    entry.TokenID(sample.Token(1)),
		TokenHMACs: []string{sample.New(&bytes.Buffer{}, 1).HMAC(sample.Token(1))},
	}
	limits := story.DefaultLimits()
	want := read(t, story.Options{Limits: limits, Leaked: leaked}, path)
	limits.Readings = 40
	got := read(t, story.Options{Limits: limits, Leaked: leaked}, path)
	if asJSON(t, got.Leak.Receivers) != asJSON(t, want.Leak.Receivers) || len(want.Leak.Receivers) < 60 {
		t.Errorf("of %d readers of the leaked token %d are listed", len(want.Leak.Receivers), len(got.Leak.Receivers))
	}
	if len(got.Readings) >= len(want.Readings) || len(got.Leak.Unchecked) == 0 {
		t.Errorf("%d of %d readings are listed, and of what is left out the report says %q",
			len(got.Readings), len(want.Readings), got.Leak.Unchecked)
	}
}

// TestMemoryIsBounded compares the memory that is held after a log and after one of four times its length, where each line brings
// a new caller, role, address and token: the worst case.
// It runs alone: the memory of other tests would be counted.
func TestMemoryIsBounded(t *testing.T) {
	limits := small()
	held := func(size int64) uint64 {
		path := file(t, "audit.log", write(t, func(l *sample.Log) {
			for n := 0; l.Bytes < size; n++ {
				text := fmt.Sprint(n)
				by := sample.Caller{Name: "ci-" + text, Entity: "entity-" + text, Method: "jwt", Remote: "10.0.0." + text}
				l.Do(sample.Request{By: by, Operation: "update", Mount: "auth/jwt/", Path: "login", Login: &by})
				l.Read(by, "role-"+text, "token-"+text, "gst")
				l.Do(sample.Request{By: by, Operation: "read", Mount: mount, Path: "token/x" + text, Error: "permission denied " + text, Denied: true})
				l.Do(sample.Request{By: by, Operation: "create", Mount: mount, Path: "role/x" + text, Data: map[string]any{"config": text}, NoResponse: n%2 == 0})
				l.Do(sample.Request{By: by, Operation: "read", Mount: mount, Path: "token/x", Wrap: "wrapping-" + text})
				l.Wait(time.Hour)
			}
		}))
		collector := story.NewCollector(story.Options{Mount: mount, Limits: limits})
		pass := scan.Scan{Filter: entry.NewFilter(mount, true), Observer: story.NewObserver(mount, nil), Collector: collector, Workers: 2}
		source, err := logfile.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = source.Close() }()
		before := heap()
		if _, err := pass.Files(t.Context(), []*logfile.Source{source}); err != nil {
			t.Fatal(err)
		}
		after := heap()
		runtime.KeepAlive(collector)
		return after - min(before, after)
	}
	short, long := held(3_000_000), held(12_000_000)
	t.Logf("held after 3 MB of log: %d kB, after 12 MB: %d kB", short>>10, long>>10)
	if long > short+short/4+256<<10 {
		t.Errorf("memory grows with the log: %d bytes after 3 MB, %d after 12 MB", short, long)
	}
}

// small are limits that a short log reaches.
func small() story.Limits {
	return story.Limits{
		Rows: 100, Who: 100, Tokens: 100, Readings: 100, Refusals: 100, Objects: 100, Window: 200, Pending: 100, Wrapped: 100,
		Logins: 100, Texts: 100,
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// FuzzLines makes sure that no content makes the reader panic, lose a line, or count one twice.
func FuzzLines(f *testing.F) {
	day := write(f, (*sample.Log).Day)
	f.Add(day[:5000], 300)
	f.Add([]byte("\n\n{}\n{\"type\":\"request\",\"request\":{\"path\":\"mastersindia/token/x\"}}"), 1)
	f.Add([]byte("{\"a\":\"\\u006dastersindia\"}\n\x1f\x8b"), 70000)
	f.Add(zip(f, day[:3000]), 1)
	f.Fuzz(func(t *testing.T, text []byte, repeat int) {
		repeat = min(max(repeat, 1), 3*logfile.BlockSize/2/(len(text)+1)+1)
		text = bytes.Repeat(text, repeat)
		if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			if _, err := logfile.Open(file(t, "audit.log", text), nil); err != nil {
				return // no gzip, and said before anything is read
			}
			r := read(t, story.Options{Limits: small()}, file(t, "audit.log", text))
			wantWhole(t, r.Input, r.Input.Lines)
			return
		}
		lines := int64(bytes.Count(text, []byte{'\n'}))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			lines++
		}
		wantWhole(t, read(t, story.Options{Limits: small()}, file(t, "audit.log", text)).Input, lines)
	})
}
