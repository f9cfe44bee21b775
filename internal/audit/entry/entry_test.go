// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package entry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/sample"
)

// lines are those of a day, tuned or not.
func lines(tb testing.TB, shown ...string) [][]byte {
	tb.Helper()
	var out bytes.Buffer
	l := sample.New(&out, 1)
	l.Shown = shown
	l.Day()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(out.Bytes()), []byte{'\n'})
}

// wanted is what encoding/json makes of the parts of a line that Decode looks at.
type wanted struct {
	Time, Type, Error string
	Auth              *struct {
		Accessor    string
		Token       string `json:"client_token"`
		DisplayName string `json:"display_name"`
		EntityID    string `json:"entity_id"`
		Policies    []string
		Results     *struct{ Allowed bool } `json:"policy_results"`
	}
	Request *struct {
		ID, Operation, Path string
		MountPoint          string `json:"mount_point"`
		Namespace           struct{ Path string }
		RemoteAddr          string `json:"remote_address"`
		Data                json.RawMessage
	}
	Response *struct {
		Data          json.RawMessage
		MountAccessor string `json:"mount_accessor"`
		MountPoint    string `json:"mount_point"`
		Secret        struct {
			LeaseID string `json:"lease_id"`
		}
		WrapInfo struct{ Token string } `json:"wrap_info"`
	}
}

// summary has all of an entry in one text, so that two can be compared.
func (w *wanted) summary() string {
	s := fmt.Sprintf("%q %q %q", w.Time, w.Type, w.Error)
	if a := w.Auth; a != nil {
		s += fmt.Sprintf(" auth %q %q %q %q %q", a.Accessor, a.Token, a.DisplayName, a.EntityID, a.Policies)
		if a.Results != nil {
			s += fmt.Sprint(" allowed ", a.Results.Allowed)
		}
	}
	if r := w.Request; r != nil {
		s += fmt.Sprintf(" request %q %q %q %q %q %q %s", r.ID, r.Operation, r.Path, r.MountPoint, r.Namespace.Path, r.RemoteAddr, r.Data)
	}
	if r := w.Response; r != nil {
		s += fmt.Sprintf(" response %q %q %q %q %s", r.MountAccessor, r.MountPoint, r.Secret.LeaseID, r.WrapInfo.Token, r.Data)
	}
	return s
}

func summary(e *entry.Entry) string {
	s := fmt.Sprintf("%q %q %q", e.Written, e.Type, e.Error)
	if a := e.Auth; a != nil {
		s += fmt.Sprintf(" auth %q %q %q %q %q", a.Accessor, a.ClientToken, a.DisplayName, a.EntityID, a.Policies)
		if a.PolicyResults != nil {
			s += fmt.Sprint(" allowed ", a.PolicyResults.Allowed)
		}
	}
	if r := e.Request; r != nil {
		s += fmt.Sprintf(" request %q %q %q %q %q %q %s", r.ID, r.Operation, r.Path, r.MountPoint, r.Namespace, r.RemoteAddr, r.Data)
	}
	if r := e.Response; r != nil {
		s += fmt.Sprintf(" response %q %q %q %q %s", r.MountAccessor, r.MountPoint, r.LeaseID, r.WrappingToken, r.Data)
	}
	return s
}

// odd are lines that are written in unusual ways.
func odd() []string {
	const rest = `"time":"2026-03-01T08:00:00Z","type":"request"}`
	return []string{
		`{"request":{"path":"mastersindia/token/a\"b\\","id":"x\\\""},` + rest,
		`{"request":{"path":"\u006dastersindia\/token\/\ud83d\ude00"},` + rest,
		` { "request" : { "namespace" : { "path" : "a/" } , "data" : { "a" : [ 1 , {"b":"}]"} ] } } , ` + rest,
		`{"auth":null,"request":{"id":5,"data":null,"path":["x"]},"response":null,` + rest,
		`{"auth":{"policies":["a",3,null,"b"],"policy_results":{"allowed":true,"x":[]}},"request":{},` + rest,
		`{"re\u0071uest":{"id":"escaped key"},` + rest,
		`{"error":"1 error occurred:\n\t* denied\n","request":{"id":"` + "\xff" + `"},` + rest,
		`{"x":{},"y":[],"z":-1.5e+10,"n":null,"request":{},` + rest,
	}
}

func TestDecodeReadsWhatEncodingJSONReads(t *testing.T) {
	t.Parallel()
	all := lines(t)
	for _, text := range odd() {
		all = append(all, []byte(text))
	}
	for _, line := range all {
		var want wanted
		// A value of another type is left out by both; encoding/json says so after it has read the rest.
		if err := json.Unmarshal(line, &want); err != nil && !strings.Contains(err.Error(), "cannot unmarshal") {
			t.Fatalf("%v: %s", err, line)
		}
		got, err := entry.Decode(line)
		if err != nil {
			t.Errorf("%v: %s", err, line)
			continue
		}
		if summary(got) != want.summary() {
			t.Errorf("%s\nwant %s\ngot  %s", line, want.summary(), summary(got))
		}
	}
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	t.Parallel()
	whole := string(lines(t)[20])
	for _, line := range []string{
		"", "x", "{}", "[]", `"{"`, `{"type":"request"}`, `{"request":{},"type":"other","time":"2026-03-01T08:00:00Z"}`,
		`{"request":{},"type":"request","time":"yesterday"}`, `{"request":{},"type":"request"}`, whole + "}", whole + "x",
		`{"request":{},"type":"request","time":"2026-03-01T08:00:00Z",}`, `{"a" "b"}`, `{"a":,}`, `{,}`, strings.Repeat("[", 1000),
	} {
		if e, err := entry.Decode([]byte(line)); err == nil {
			t.Errorf("%.60q was taken for %+v", line, e)
		}
	}
	for cut := range len(whole) {
		if _, err := entry.Decode([]byte(whole[:cut])); err == nil {
			t.Fatalf("a line that is cut short at %d was taken for a whole one", cut)
		}
	}
}

func TestTheFilterHoldsNothingBackHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	f := entry.NewFilter("mastersindia/", false)
	for _, line := range []string{
		`{"request":{"path":"mastersindia/token/a"}}`, `{"request":{"path":"mastersindia\/token\/a"}}`,
		`{"request":{"path":"\u006d\u0061stersindia/token/a"}}`, `{"request":{"path":"masters\u0069ndia/"}}`,
		`{"request":{"path":"mastersindi\u0061"}}`, `{"request" : {"path" : "sys/wrapping/unwrap"}}`, `{"a":"\u003c\u0026\u004D"}`,
	} {
		if !f.Wants([]byte(line)) {
			t.Errorf("%s was held back", line)
		}
	}
	for _, line := range []string{`{"request":{"path":"kv/data/a"}}`, `{"a":"\u003c\u0026\u00e4\u00"}`, `{"a":"\u00`} {
		if f.Wants([]byte(line)) {
			t.Errorf("%s was let through", line)
		}
	}
	if odd := entry.NewFilter("ä&/", false); !odd.Wants([]byte(`{"request":{"path":"\u00e4\u0026/token"}}`)) {
		t.Error("a mount without a plain letter: its line was held back")
	}
}

func TestTheTokenIDIsThatOfTheEngine(t *testing.T) {
	t.Parallel()
	if got, want := entry.TokenID("abc"), issuer.TokenID("abc"); got != want || want != "ba7816bf8f01cfea" {
		t.Errorf("want the engine's %s, got %s", want, got)
	}
}

func TestSecretsAreNeverFields(t *testing.T) {
	t.Parallel()
	fields := entry.Fields([]byte(`{"password":"shown-by-mistake","client_secret":"hmac-sha256:00","PASSWORD":"x","username":"u",
		"paused":true,"headers":{"A":"hmac-sha256:00"},"max_ttl":60,"token":"shown-too"}`))
	text := fmt.Sprintf("%+v", fields)
	if strings.Contains(text, "shown") || strings.Contains(text, "hmac") {
		t.Errorf("a secret or an HMAC is in %s", text)
	}
	for _, f := range fields {
		secret := f.Name != "username" && f.Name != "paused" && f.Name != "headers" && f.Name != "max_ttl"
		if f.Secret != secret || f.InClear != (secret && f.Name != "client_secret") || f.Hidden != (f.Name == "client_secret" || f.Name == "headers") {
			t.Errorf("%+v", f)
		}
	}
}

// FuzzDecode makes sure that no line makes it panic, that what encoding/json takes for a whole entry is taken too, and that the filter
// holds back no line of the mount.
func FuzzDecode(f *testing.F) {
	for _, line := range lines(f, "token_id") {
		f.Add(line)
	}
	for _, line := range odd() {
		f.Add([]byte(line))
	}
	filter := entry.NewFilter("mastersindia/", false)
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := entry.Decode(line)
		if err == nil && strings.HasPrefix(e.Request.Path, "mastersindia/") && !filter.Wants(line) {
			t.Errorf("held back: %q", line)
		}
		var all map[string]any
		if json.Unmarshal(line, &all) != nil {
			return
		}
		plain, _ := json.Marshal(all) // without duplicate keys
		request, isEntry := all["request"].(map[string]any)
		again, errAgain := entry.Decode(plain)
		if !isEntry || errAgain != nil {
			return
		}
		path, _ := request["path"].(string)
		if path != again.Request.Path {
			t.Errorf("the path is %q, want %q", again.Request.Path, path)
		}
	})
}
