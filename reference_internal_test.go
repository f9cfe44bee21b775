// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// referenceFile is the reference of the paths. It is written by "make docs".
const referenceFile = "docs/reference.md"

// chapter is the part of the reference on one path that the code does not declare.
type chapter struct {
	// path is the path with its name in angle brackets.
	path string
	// example is a block of commands, which the acceptance tests run.
	example string
}

// chapters are in the order of the reference.
func chapters() []chapter {
	return []chapter{
		{"config/<name>", "$ vault read mastersindia/config/gst"},
		{"config/", "$ vault list -detailed mastersindia/config"},
		{"role/<name>", "$ vault write mastersindia/role/billing config=gst max_ttl=1h\n" +
			"Success! Data written to: mastersindia/role/billing\n" +
			"$ vault read mastersindia/role/billing\n" +
			"$ vault write mastersindia/role/billing max_ttl=0\n" +
			"Success! Data written to: mastersindia/role/billing"},
		{"role/", "$ vault list -detailed mastersindia/role"},
		{"token/<role>", "$ vault read mastersindia/token/billing"},
		{"rotate/<config>", "$ vault write -f mastersindia/rotate/gst"},
		{"revoke/<config>", "$ vault write -f mastersindia/revoke/gst"},
		{"status/<config>", "$ vault read mastersindia/status/gst"},
		{"status/", "$ vault list -detailed mastersindia/status"},
		{"lookup", "$ vault read -field=access_token mastersindia/token/billing | vault write mastersindia/lookup token=-"},
		{"ledger/<config>", "$ vault read mastersindia/ledger/gst"},
		{"ledger/", "$ vault list -detailed mastersindia/ledger"},
		{"preset/<name>", "$ vault read mastersindia/preset/einvoice-production"},
		{"preset/", "$ vault list -detailed mastersindia/preset"},
		{"metrics", "$ vault read -format=raw mastersindia/metrics"},
	}
}

const referenceHead = `# Reference

Every path of the engine, generated from the code by ` + "`make docs`" + `. Vault has the same as path-help and as OpenAPI:

` + "```console" + `
$ vault path-help mastersindia/config/gst
$ vault read -format=json sys/internal/specs/openapi > openapi.json
` + "```" + `

The paths assume that the engine is mounted at ` + "`mastersindia/`" + `.

- **Names** have 1 to 128 letters, digits, ` + "`_`, `-` and `.`" + `, begin and end with a letter, a digit or ` + "`_`" + `, and have no
  ` + "`..`" + `. They are case-sensitive, and not ` + "`_other`" + `.
- **Parameters** and fields of a response are strings unless stated. Unknown parameters are refused.
- **Durations** are whole seconds, such as ` + "`90`" + `, or have a unit, such as ` + "`15s`, `5m` or `12h`" + `. A read returns seconds.
- **Times** in responses are RFC 3339 in UTC, and empty if there is none.
- **Updates** change only the given fields; a field set to ` + "`\"\"`" + ` is reset to its default.
- **Lists** take the capability ` + "`list`" + ` and ` + "`LIST /v1/<path>`" + `. They return ` + "`keys`" + `, the names, and ` + "`key_info`" + `, the details
  of each.

## Errors

[operate.md](operate.md#troubleshooting-by-message) explains the messages. Each path names the errors of its own.

`

// commonFailures are the errors that the head explains: those of every path, and those of several.
func commonFailures() []failure {
	all := append([]failure{
		{http.StatusBadRequest, "a parameter is unknown or has the wrong type, or the name is invalid"},
		{http.StatusForbidden, "no policy of the Vault token allows the request; the engine itself never returns 403"},
		{http.StatusNotFound, "what is read does not exist, or the list is empty"},
		{http.StatusInternalServerError, "Vault's storage fails or has damaged entries"},
		{http.StatusServiceUnavailable, "Vault is sealed, or the plugin is being reloaded"},
	}, upstreamFailures()...)
	slices.SortStableFunc(all, func(a, b failure) int { return cmp.Compare(a.status, b.status) })
	return all
}

// reference is the whole document.
func reference(t *testing.T) string {
	t.Helper()
	b := newBackend(Options{}, &logical.BackendConfig{})
	t.Cleanup(b.issuer.Stop)
	left := make(map[string]*framework.Path)
	for _, path := range b.Paths {
		left[unnamedPath(path.Pattern)] = path
	}
	var doc strings.Builder
	doc.WriteString(referenceHead)
	for _, f := range commonFailures() {
		fmt.Fprintf(&doc, "- %d: %s\n", f.status, f.when)
	}
	for _, c := range chapters() {
		key := regexp.MustCompile(`<\w+>`).ReplaceAllString(c.path, "<>")
		path := left[key]
		if path == nil {
			t.Fatalf("there is no path %s", c.path)
		}
		delete(left, key)
		writeChapter(&doc, c, path)
	}
	for path := range left {
		t.Errorf("the reference has no chapter on %s", path)
	}
	return doc.String()
}

// unnamedPath is the path of a pattern without the name of its parameter: config/<> for config/(?P<name>...).
func unnamedPath(pattern string) string {
	pattern = regexp.MustCompile(`\(\?P<\w+>.*\)`).ReplaceAllString(pattern, "<>")
	return strings.NewReplacer("/?$", "/", "$", "").Replace(pattern)
}

func writeChapter(doc *strings.Builder, c chapter, path *framework.Path) {
	fmt.Fprintf(doc, "\n## `%s`\n\n", c.path)
	if path.Operations[logical.ListOperation] == nil { // the text of a list says it too
		fmt.Fprintf(doc, "%s\n\n", path.HelpSynopsis)
	}
	fmt.Fprintf(doc, "```console\n%s\n```\n", c.example)
	if rest := prose(path.HelpDescription); rest != "" && rest != path.HelpSynopsis {
		fmt.Fprintf(doc, "\n%s\n", rest)
	}
	writeOperations(doc, c, path)
	writeFields(doc, path)
	writeResponses(doc, path)
	writeFailures(doc, path)
}

// writeFailures lists the errors of all operations of a path, and of those that the head explains only the status.
func writeFailures(doc *strings.Builder, path *framework.Path) {
	when := make(map[int]string)
	for _, handler := range path.Operations {
		for status, responses := range handler.Properties().Responses {
			if status >= http.StatusBadRequest {
				when[status] = responses[0].Description
			}
		}
	}
	if path.Operations[logical.ListOperation] != nil {
		return
	}
	var failures []string
	for _, status := range slices.Sorted(maps.Keys(when)) {
		f := failure{status, when[status]}
		text := fmt.Sprint(status)
		if !slices.Contains(append(commonFailures(), nameNotFound(), storageFailure()), f) {
			text += " (" + f.when + ")"
		}
		failures = append(failures, text)
	}
	if len(failures) > 0 {
		fmt.Fprintf(doc, "\n[Errors](#errors): %s.\n", strings.Join(failures, ", "))
	}
}

// prose is a help text without its examples. The reference has its own, which are run.
func prose(help string) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(help), "\n\n") {
		if !strings.HasPrefix(paragraph, "    ") {
			paragraphs = append(paragraphs, strings.ReplaceAll(paragraph, "<", "&lt;"))
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// verbs are the operations in the order of the reference, each with its HTTP method.
func verbs() []struct {
	op     logical.Operation
	method string
} {
	return []struct {
		op     logical.Operation
		method string
	}{
		{logical.CreateOperation, http.MethodPost},
		{logical.UpdateOperation, http.MethodPost},
		{logical.ReadOperation, http.MethodGet},
		{logical.ListOperation, "LIST"},
		{logical.DeleteOperation, http.MethodDelete},
	}
}

func writeOperations(doc *strings.Builder, c chapter, path *framework.Path) {
	url := "/v1/mastersindia/" + strings.TrimSuffix(c.path, "/")
	switch {
	case path.Operations[logical.ListOperation] != nil:
		return // the head explains lists
	case len(path.Operations) == 1: // the text above says what it does
		for _, verb := range verbs() {
			if path.Operations[verb.op] != nil {
				fmt.Fprintf(doc, "\nCapability `%s`: `%s %s`.\n", verb.op, verb.method, url)
			}
		}
		return
	}
	doc.WriteString("\nCapabilities:\n\n")
	for _, verb := range verbs() {
		handler, has := path.Operations[verb.op]
		if !has {
			continue
		}
		capability := "`" + string(verb.op) + "`"
		_, creates := path.Operations[logical.CreateOperation]
		switch {
		case creates && verb.op == logical.CreateOperation:
			continue // the next row is about both
		case creates && verb.op == logical.UpdateOperation:
			capability = "`create`, `update`"
		}
		what := handler.Properties().Summary
		if verb.op == logical.DeleteOperation || !creates && verb.op == logical.UpdateOperation { // the text above describes others
			what += " " + handler.Properties().Description
		}
		fmt.Fprintf(doc, "- %s: `%s %s`. %s\n", capability, verb.method, url, line(what))
	}
}

// writeFields lists the parameters of a path, those that its name is captured from left out.
func writeFields(doc *strings.Builder, path *framework.Path) {
	names := slices.DeleteFunc(slices.Collect(maps.Keys(path.Fields)), func(name string) bool {
		return strings.Contains(path.Pattern, "(?P<"+name+">")
	})
	if len(names) == 0 {
		return
	}
	sortFields(names)
	doc.WriteString("\nParameters:\n\n")
	for _, name := range names {
		field := path.Fields[name]
		fmt.Fprintf(doc, "- `%s`%s: %s\n", name, inBrackets(field.Type, defaultOf(name, field)), line(shortened(field)))
	}
}

// sortFields puts the fields of a config in the order in which they are declared, and others behind them by name.
func sortFields(names []string) {
	var declared []configField
	if slices.Contains(names, "protocol") {
		declared = configFields()
	}
	place := func(name string) int {
		n := slices.IndexFunc(declared, func(f configField) bool { return f.name == name })
		if n < 0 {
			return len(declared)
		}
		return n
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
}

// inBrackets are the type of a field, unless it is a string, and what else is said of it, behind its name.
func inBrackets(kind framework.FieldType, more string) string {
	parts := []string{typeName(kind), more}
	if kind == framework.TypeString {
		parts[0] = ""
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// defaultOf is the default of a parameter. That of request_format is in its description.
func defaultOf(name string, field *framework.FieldSchema) string {
	switch {
	case field.Required:
		return "required"
	case field.Default != nil:
		return fmt.Sprintf("default `%v`", field.Default)
	}
	for _, f := range configFields() {
		if f.name != name || !f.perProtocol || name == "request_format" {
			continue
		}
		var byProtocol []string
		for _, protocol := range protocols() {
			value := f.fallback(specOf(protocol))
			if n, is := value.(int); is {
				value = shortDuration(n)
			}
			if value != "" {
				byProtocol = append(byProtocol, fmt.Sprintf("%s `%v`", protocol, value))
			}
		}
		return "default for " + strings.Join(byProtocol, ", ")
	}
	return ""
}

func writeResponses(doc *strings.Builder, path *framework.Path) {
	written := false
	for _, verb := range verbs() {
		handler, has := path.Operations[verb.op]
		if !has || written {
			continue
		}
		if verb.op == logical.ListOperation {
			return // the head explains lists
		}
		for _, response := range handler.Properties().Responses[http.StatusOK] {
			written = true
			if len(response.Fields) == 0 {
				fmt.Fprintf(doc, "\nReturns `%s`, not JSON.\n", response.MediaType)
				continue
			}
			writeResponse(doc, path, response.Fields)
		}
	}
}

// writeResponse lists the fields of a response, or says in one sentence that they are those of a write.
func writeResponse(doc *strings.Builder, path *framework.Path, fields map[string]*framework.FieldSchema) {
	names := slices.Collect(maps.Keys(fields))
	sortFields(names)
	if !slices.ContainsFunc(names, func(name string) bool { return path.Fields[name] == nil }) {
		missing := slices.DeleteFunc(slices.Sorted(maps.Keys(path.Fields)), func(name string) bool {
			return fields[name] != nil || strings.Contains(path.Pattern, "(?P<"+name+">")
		})
		but := ""
		if len(missing) > 0 {
			but = " except `" + strings.Join(missing, "`, `") + "`"
		}
		fmt.Fprintf(doc, "\nA read returns every parameter%s.\n", but)
		return
	}
	doc.WriteString("\nResponse:\n\n")
	row := func(name string) string {
		return fmt.Sprintf("%s: %s\n", inBrackets(fields[name].Type, ""), line(shortened(fields[name])))
	}
	for len(names) > 0 {
		same := 1 // fields of one meaning share a row
		for same < len(names) && row(names[same]) == row(names[0]) {
			same++
		}
		fmt.Fprintf(doc, "- `%s`%s", strings.Join(names[:same], "`, `"), row(names[0]))
		names = names[same:]
	}
}

// shortened is the description of a field without what the head of the reference or another column says.
func shortened(field *framework.FieldSchema) string {
	text := strings.Join(strings.Fields(field.Description), " ")
	text = strings.NewReplacer(
		" RFC 3339, UTC.", "", " RFC 3339, UTC; empty if there is none.", "", " RFC 3339, UTC; empty ", " Empty ",
		"; empty if there is none.", ".", ", in seconds or as a duration", "",
	).Replace(text)
	return regexp.MustCompile(` Default (?:[^.: ]|:\S)+(?: for [^.]*)?\.( |$)`).ReplaceAllString(text, "$1")
}

func typeName(t framework.FieldType) string {
	switch t {
	case framework.TypeDurationSecond:
		return "duration"
	case framework.TypeKVPairs:
		return "key=value pairs"
	case framework.TypeTime:
		return "time"
	case framework.TypeInt:
		return "number"
	case framework.TypeSlice, framework.TypeStringSlice:
		return "list"
	default:
		return t.String()
	}
}

// line is a text on one line, with what would be a tag left as it stands.
func line(text string) string {
	return strings.NewReplacer("\n", " ", "<", "&lt;").Replace(text)
}

// withOutputs adds the output of the commands in the previous version to a new document. It comes from a real Vault: the
// acceptance tests compare it, and write it where it is missing.
func withOutputs(document, previous string) string {
	outputs := make(map[string]string)
	eachCommand(previous, func(command, output string) string {
		outputs[command] = output
		return output
	})
	return eachCommand(document, func(command, output string) string {
		if output == "" {
			return outputs[command]
		}
		return output
	})
}

// eachCommand returns a document with the output of each of its commands replaced.
func eachCommand(document string, replace func(command, output string) string) string {
	blocks := regexp.MustCompile("(?s)```console\n.*?```")
	commands := regexp.MustCompile(`(?m)^\$ (.*\n)((?:[^$\x60\n].*\n|\n)*)`)
	return blocks.ReplaceAllStringFunc(document, func(block string) string {
		return commands.ReplaceAllStringFunc(block, func(found string) string {
			parts := commands.FindStringSubmatch(found)
			return "$ " + parts[1] + replace(parts[1], parts[2])
		})
	})
}

// TestReference_MatchesCode checks that the reference is up to date.
func TestReference_MatchesCode(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	want := withOutputs(reference(t), string(got))
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, expected := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for n := range max(len(have), len(expected)) {
		if n >= len(have) || n >= len(expected) || have[n] != expected[n] {
			t.Fatalf("%s differs from the code from line %d on: run make docs", referenceFile, n+1)
		}
	}
}

// TestReference_KeepsCommandOutput checks that the output of commands stays when the reference is generated again.
func TestReference_KeepsCommandOutput(t *testing.T) {
	t.Parallel()
	const former = "```console\n$ one\nKey\n\n---\n$ two\n$ three\nold\n```\n$ one\n"
	const anew = "# New\n```console\n$ three\nnew\n$ one\n$ two\n```\n$ one\n"
	const want = "# New\n```console\n$ three\nnew\n$ one\nKey\n\n---\n$ two\n```\n$ one\n"
	if got := withOutputs(anew, former); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
