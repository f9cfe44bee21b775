// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// troubleshootingFile has the list of messages, and logLinesFile the table of those that go into the server's log.
const (
	troubleshootingFile = "docs/operate.md"
	logLinesFile        = "docs/monitoring.md"
)

// TestMessages_AllExplainedInDocument compares the messages in the source with the lists below "Troubleshooting" and with the table
// of log lines: what changes in a message is "…" in both. The lists may cut off the end of a long one, also by "…". Two kinds may go without, since they have their remedy in them: those
// that refuse what a request gave, and say what it should give; and those with a command to type.
func TestMessages_AllExplainedInDocument(t *testing.T) {
	t.Parallel()
	said := messagesOfTheSource(t)
	explained := append(messagesOfTheDocument(t), logLinesOfTheDocument(t)...)
	t.Logf("%d messages in the source, %d in the documents", len(said), len(explained))
	if len(said) < 50 {
		t.Fatal("the source has hardly a message: has the way changed in which they are made?")
	}
	command := regexp.MustCompile(`vault (read|write|list|delete|path-help|status) |(try|write) again|(?i:run the command again)`)
	for message, from := range said {
		if !slices.ContainsFunc(explained, func(text string) bool { return said.means(text, message) }) && !from.refusesInput && !command.MatchString(message) {
			t.Errorf("%s: is not explained in %s: %s", from.where, troubleshootingFile, message)
		}
	}
	for _, text := range explained {
		meant := 0
		for message := range said {
			if said.means(text, message) {
				meant++
			}
		}
		if meant != 1 {
			t.Errorf("%s or %s explains what %d messages of the engine begin with: %s", troubleshootingFile, logLinesFile, meant, text)
		}
	}
}

// messages are the texts in the source, and where each is made.
type messages map[string]origin

// means reports whether a text of the document is a message, or the beginning of one.
func (m messages) means(text, message string) bool {
	if m[text].where != "" {
		return text == message
	}
	beginning, isCut := strings.CutSuffix(text, " …")
	return isCut && strings.HasPrefix(message, beginning+" ")
}

// messagesOfTheDocument are the texts that the items of the lists begin with, each with an explanation behind its colon.
func messagesOfTheDocument(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(troubleshootingFile)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Troubleshooting by message\n")
	if !found {
		t.Fatalf("%s has no section on troubleshooting", troubleshootingFile)
	}
	var messages []string
	items := regexp.MustCompile("(?m)^ *- (`[^`]+`(?: ·\\s+`[^`]+`)*):\\s+\\S").FindAllStringSubmatch(section, -1)
	if want := len(regexp.MustCompile("(?m)^ *- ").FindAllString(section, -1)); len(items) != want {
		t.Errorf("%s has %d items, of which %d are messages with an explanation", troubleshootingFile, want, len(items))
	}
	for _, item := range items {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(item[1], -1) {
			messages = append(messages, message[1])
		}
	}
	return messages
}

// logLinesOfTheDocument are the messages of the table of log lines, warnings and errors.
func logLinesOfTheDocument(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(logLinesFile)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, row := range regexp.MustCompile("(?m)^\\| (?:warn|error|warn, error) \\| `(.+?)` \\|").FindAllStringSubmatch(string(text), -1) {
		messages = append(messages, row[1])
	}
	return messages
}

// messagesOfTheSource are all texts that a caller or the server's log can get to see, and where they are made.
func messagesOfTheSource(t *testing.T) messages {
	t.Helper()
	var files []string
	for _, pattern := range []string{
		"*.go", "backend/stored/*.go", "backend/account/*.go", "backend/issuer/*.go", "backend/ledger/*.go", "backend/upstream/error.go",
		"backend/upstream/network_error.go", "backend/upstream/classify.go", "cmd/vault-plugin-secrets-mastersindia/*.go",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	c := collector{fset: token.NewFileSet(), said: make(messages)}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "check.go" { // that is for tests too
			continue
		}
		parsed, err := parser.ParseFile(c.fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			c.function = ""
			if f, is := declaration.(*ast.FuncDecl); is {
				c.function = f.Name.Name
			}
			ast.Inspect(declaration, c.visit)
		}
	}
	return c.said
}

// collector finds messages by the calls that make them.
type collector struct {
	fset     *token.FileSet
	function string // that is looked at
	said     messages
}

// origin is where a message is made, and whether it refuses what a request gave.
type origin struct {
	where        string
	refusesInput bool
}

func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		c.call(n)
	case *ast.ValueSpec:
		if strings.HasSuffix(n.Names[0].Name, "Rule") && len(n.Values) == 1 {
			c.refusal(n, "…: "+text(n.Values[0]))
		}
		if strings.HasPrefix(n.Names[0].Name, "message") && len(n.Values) == 1 {
			c.note(n, text(n.Values[0]))
		}
	case *ast.ReturnStmt:
		if slices.Contains([]string{
			"headline", "Error", "remedy", "correction", "statusMessage", "failureMessage", "untried", "revocationWarning", "unsavedWarning",
			"aliveWarning",
		}, c.function) {
			for _, result := range n.Results {
				c.note(result, text(result))
			}
		}
	case *ast.AssignStmt:
		if slices.Contains([]string{"verificationErrorResponse", "unknownToken", "revocationWarning", "notUnderstood"}, c.function) {
			for _, value := range n.Rhs {
				c.note(value, text(value))
			}
		}
	}
	return true
}

// call takes the message out of a call that makes one.
func (c *collector) call(n *ast.CallExpr) {
	args := n.Args
	switch name := nameOf(n.Fun); {
	case name == "userError" || name == "Errorf" && slices.Contains([]string{"request.go", "params.go", "unknown_parameter.go"}, c.fset.Position(n.Pos()).Filename):
		c.refusal(n, text(args[0]))
	case name == "Errorf" || name == "New" && len(args) == 1 || name == "AddWarning":
		c.note(n, text(args[0]))
	case name == "CodedError" && len(args) == 2:
		c.note(n, text(args[1]))
	case (name == "Warn" || name == "Error") && len(args) > 0:
		c.note(n, text(args[0]))
	case name == "Log" && len(args) > 1: // at a level that is found out
		c.note(n, text(args[1]))
	case name == "add" && len(args) >= 2: // (*problems).add
		c.refusal(n, field(args[0])+text(args[1]))
	case name == "unless": // what a value should have been
		c.refusal(n, "…: must be "+text(args[1]))
	case name == "between":
		c.refusal(n, field(args[1])+"must be "+text(args[5]))
	}
}

// field is the beginning of a message about a field.
func field(e ast.Expr) string { return text(e) + ": " }

// note keeps a message, unless it is none: it has two words of its own.
func (c *collector) note(at ast.Node, message string) { c.keep(at, message, false) }

// refusal keeps a message that refuses what a request gave.
func (c *collector) refusal(at ast.Node, message string) { c.keep(at, message, true) }

func (c *collector) keep(at ast.Node, message string, refusesInput bool) {
	message = strings.TrimSpace(regexp.MustCompile(`(… ?)+…`).ReplaceAllString(message, "…"))
	if len(regexp.MustCompile(`[a-z]{2,}`).FindAllString(message, 3)) < 2 || slices.Contains(unseen(), message) {
		return
	}
	c.said[message] = origin{c.fset.Position(at.Pos()).String(), refusesInput}
}

// unseen are texts that no user sees: their callers recognise the error and return another message, or they are only templates.
func unseen() []string {
	return []string{
		"no such account", "the engine is stopping", "the account is paused", "the account is paused: …", "…; next attempt at …",
		"no unexpired token of that ID", "no token of that ID in the ledger", "this account has no refresh endpoint",
		"the config was changed or its tokens were revoked meanwhile", "the accounts are being read after a start", "…: must be …", "…; …; next attempt …; …", "config …: …; …config/…", "token_id: …", "rejected_token_id: …",
	}
}

// nameOf is the name of the function that is called.
func nameOf(fun ast.Expr) string {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	default:
		return ""
	}
}

// text is the text that an expression gives, with "…" for what is known at run time only.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "…"
		}
		unquoted, err := strconv.Unquote(e.Value)
		if err != nil {
			return "…"
		}
		return regexp.MustCompile(`%%|%[a-z]`).ReplaceAllStringFunc(unquoted, func(verb string) string {
			if verb == "%%" {
				return "%"
			}
			return "…"
		})
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" && len(e.Args) > 0 {
			return text(e.Args[0])
		}
		return "…"
	default:
		return "…"
	}
}

// Metadata that is accepted can be put into any header or template; what is refused is not repeated.
func FuzzMetadata(f *testing.F) {
	for _, pair := range []string{
		"gstin=29ABCDE1234F2Z5", "=", "a", "a=b=c", "a=\r\nX: 1", "-a=b", "a b=c", "é=1", "a=\xff", "a=" + strings.Repeat("x", 1023),
	} {
		f.Add(pair, "Mode=Buyer")
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		metadata, ok := decodePairs([]any{one, other})
		if !ok {
			return
		}
		var wrong problems
		checkMetadata(metadata, &wrong)
		if err := wrong.err(); err != nil {
			for name, value := range metadata {
				if !isPlainWord(name) && len(name) > 12 && strings.Contains(err.Error(), name) {
					t.Fatalf("%q repeats a name that is no word", err)
				}
				if len(value) > 40 && strings.Contains(err.Error(), value) {
					t.Fatalf("%q repeats a value", err)
				}
			}
			return
		}
		for name, value := range metadata {
			if name == "" || strings.ContainsFunc(name, func(r rune) bool {
				return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
			}) {
				t.Fatalf("the name %q is accepted", name)
			}
			if !utf8.ValidString(value) || strings.ContainsAny(value, "\r\n\x00") || len(name)+len(value) > 1024 {
				t.Fatalf("the value %q is accepted", value)
			}
		}
	})
}
