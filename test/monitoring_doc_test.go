// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

const monitoringDocument = "/docs/monitoring.md"

// tableIn gives the rows of the table whose first column has the given title, by the text of the column at key.
func tableIn(t *testing.T, title string, key int) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(mounttest.ModuleRoot(t) + monitoringDocument)
	check.NoError(t, err)
	rows, inside := map[string][]string{}, false
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for n := range cells {
			cells[n] = strings.TrimSpace(cells[n])
		}
		switch {
		case cells[0] == title:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			rows[strings.Trim(cells[key], "`")] = cells
		}
	}
	return rows
}

// named are the words in code font, in order.
func named(cell string) []string {
	var words []string
	for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		words = append(words, match[1])
	}
	return slices.Sorted(slices.Values(words))
}

// realMetrics are the metrics of a mount in use, with their type, their labels and the values of some of these.
func realMetrics(t *testing.T) map[string][3][]string {
	t.Helper()
	w := jwtV1().mounted(t)
	w.read("token/app")
	textParser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := textParser.TextToMetricFamilies(strings.NewReader(w.scrape().text))
	check.NoError(t, err)
	all := map[string][3][]string{}
	for name, family := range families {
		labels, values := map[string]bool{}, map[string]bool{}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = true
				if slices.Contains([]string{"state", "result", "reason"}, label.GetName()) {
					values[label.GetValue()] = true
				}
			}
		}
		all[name] = [3][]string{{strings.ToLower(family.GetType().String())}, slices.Sorted(maps.Keys(labels)), slices.Sorted(maps.Keys(values))}
	}
	return all
}

// declaredMetrics are those of the source with their labels, which a mount may have in trouble only.
func declaredMetrics(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	inspectPlugin(t, func(node ast.Node, _ token.Position) {
		switch x := node.(type) {
		case *ast.CallExpr:
			if f, ok := x.Fun.(*ast.Ident); !ok || f.Name != "describe" {
				return
			}
			var labels []string
			for _, label := range x.Args[2:] {
				labels = append(labels, literal(label))
			}
			slices.Sort(labels)
			all["mastersindia_"+literal(x.Args[0])] = labels
		case *ast.BinaryExpr:
			_, isName := x.Y.(*ast.BasicLit)
			if prefix, ok := x.X.(*ast.Ident); ok && isName && prefix.Name == "metricsPrefix" {
				all["mastersindia_"+literal(x.Y)] = nil
			}
		}
	})
	return all
}

func TestMonitoringDoc_MetricsTable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rows := tableIn(t, "name", 0)
		declared := declaredMetrics(t)
		for name, labels := range declared {
			row := rows[name]
			check.True(t, row != nil && (labels == nil || slices.Equal(named(row[2]), labels)),
				"%s, with labels %v, is not so in the document: %v", name, labels, row)
		}
		for name, is := range realMetrics(t) {
			if shared := regexp.MustCompile(`^mastersindia_(go|process)_`).FindString(name); shared != "" {
				check.True(t, rows[shared+"*"] != nil, "%s is not in the document, nor is %s*", name, shared)
				continue
			}
			row := rows[name]
			delete(rows, name)
			if row == nil {
				t.Errorf("%s is not in the document", name)
				continue
			}
			check.True(t, row[1] == is[0][0] && slices.Equal(named(row[2]), is[1]),
				"%s is a %s with labels %v; the document has %q and %q", name, is[0][0], is[1], row[1], row[2])
			for _, value := range is[2] {
				check.True(t, slices.Contains(named(row[3]), value), "%s: the document does not name %q", name, value)
			}
		}
		for name := range rows {
			_, isDeclared := declared[name]
			check.True(t, isDeclared || strings.HasSuffix(name, "_*"), "the engine has no metric %s", name)
		}
	})
}

func TestMonitoringDoc_ExamplesUseExistingMetrics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		known := realMetrics(t)
		for _, file := range []string{"alerts.yml", "alerts_test.yml", "dashboard.json"} {
			text, err := os.ReadFile(filepath.Join(mounttest.ModuleRoot(t), "examples/monitoring", file))
			check.NoError(t, err)
			names := regexp.MustCompile(`\bmastersindia_\w+`).FindAllString(string(text), -1)
			check.True(t, len(names) >= 8, "%s names only %d metrics", file, len(names))
			for _, name := range names {
				bare := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
				_, there := known[name]
				check.True(t, there || (known[bare][0] != nil && known[bare][0][0] == "histogram"), "%s: there is no metric %s", file, name)
			}
		}
	})
}

// logLine is a call of a logger's, as the source has it.
type logLine struct {
	level, message string
	fields         []string
	at             string
}

// logLines are those of the plugin.
func logLines(t *testing.T) []logLine {
	t.Helper()
	var lines []logLine
	inspectPlugin(t, func(node ast.Node, at token.Position) {
		if call, ok := node.(*ast.CallExpr); ok {
			if line, ok := asLogLine(call); ok {
				line.at = at.String()
				lines = append(lines, line)
			}
		}
	})
	return lines
}

// inspectPlugin shows each node of the plugin's source, without tests; at.Filename begins at the module's root.
func inspectPlugin(t *testing.T, visit func(node ast.Node, at token.Position)) {
	t.Helper()
	files, root := token.NewFileSet(), os.DirFS(mounttest.ModuleRoot(t))
	check.NoError(t, fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{
			".git", "acceptance", "audit", "bin", "examples", "internal", "scripts", "simulator", "test", "tools",
			"cmd/mastersindia-simulator",
		}, path):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for node := range ast.Preorder(file) {
			visit(node, files.Position(node.Pos()))
		}
		return nil
	}))
}

// asLogLine reads a call such as i.logger.Warn("message", "field", value).
func asLogLine(call *ast.CallExpr) (logLine, bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Trace", "Debug", "Info", "Warn", "Error", "Log"}, method.Sel.Name) || len(call.Args) == 0 {
		return logLine{}, false
	}
	of := method.X
	if made, ok := of.(*ast.CallExpr); ok {
		of = made.Fun
	}
	name := ""
	switch x := of.(type) {
	case *ast.SelectorExpr:
		name = x.Sel.Name
	case *ast.Ident:
		name = x.Name
	}
	if !strings.EqualFold(name, "logger") {
		return logLine{}, false
	}
	line, args := logLine{level: strings.ToLower(method.Sel.Name)}, call.Args
	if line.level == "log" {
		line.level, args = "warn, error", args[1:]
	}
	line.message = literal(args[0])
	for n := 1; n < len(args); n += 2 {
		line.fields = append(line.fields, literal(args[n]))
	}
	slices.Sort(line.fields)
	return line, true
}

// literal is a string constant's text.
func literal(e ast.Expr) string {
	if basic, ok := e.(*ast.BasicLit); ok {
		if text, err := strconv.Unquote(basic.Value); err == nil {
			return text
		}
	}
	return fmt.Sprintf("%T", e)
}

func TestMonitoringDoc_LogLinesTable(t *testing.T) {
	t.Parallel()
	rows := tableIn(t, "level", 1)
	lines := logLines(t)
	check.Require(t, len(lines) >= 15, "only %d log lines were found in the source", len(lines))
	found := map[string]bool{}
	for _, line := range lines {
		found[line.message] = true
		row := rows[line.message]
		if row == nil {
			t.Errorf("%s: %q is not in the document", line.at, line.message)
			continue
		}
		check.True(t, row[0] == line.level && slices.Equal(named(row[2]), line.fields),
			"%s: %q has level %s and fields %v, in the document %q and %q", line.at, line.message, line.level, line.fields, row[0], row[2])
		check.True(t, row[3] != "", "%q: the document does not say what to do", line.message)
	}
	for message := range rows {
		check.True(t, found[message], "the engine has no log line %q", message)
	}
}
