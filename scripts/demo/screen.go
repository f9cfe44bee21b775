// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/shell"
)

// width is where commands are broken into lines.
const width = 110

// ANSI styles.
const (
	bold  = "1"
	dim   = "2"
	green = "32"
	cyan  = "36"
)

// screen prints the demo. On a terminal it uses colours.
type screen struct {
	out     io.Writer
	colours bool
	steps   int
}

// newScreen returns a screen that uses colours only on a terminal, unless NO_COLOR is set.
func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{out: out, colours: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// step begins a new part of the demo.
func (s *screen) step(title string) {
	s.steps++
	s.printf("\n%s\n", s.style(bold, fmt.Sprintf("%d. %s", s.steps, title)))
}

func (s *screen) note(text string) {
	s.printf("   %s\n", s.style(dim, text))
}

// good says that something is as it should be.
func (s *screen) good(format string, values ...any) {
	s.printf("   %s %s\n", s.style(green, "✓"), fmt.Sprintf(format, values...))
}

// command shows a command as one would type it. What comes on standard input is shown by the name of a variable.
func (s *screen) command(variable string, args []string) {
	words := make([]string, 0, len(args)+4)
	if variable != "" {
		words = append(words, "printf", "%s", `"$`+variable+`"`, "|")
	}
	words = append(words, "vault")
	for _, arg := range args {
		words = append(words, shell.Quote(arg))
	}
	s.printf("\n   %s\n", s.style(cyan, strings.Join(wrap(words), " \\\n       ")))
}

func (s *screen) response(text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		s.printf("   %s\n", strings.TrimRight(line, "\n"))
	}
}

// table shows rows in columns. The first row is the heading.
func (s *screen) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for i, row := range rows {
		var line strings.Builder
		for column, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[column]-len([]rune(cell))+3))
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = s.style(bold, text)
		}
		s.printf("   %s\n", text)
	}
}

func (s *screen) printf(format string, values ...any) {
	_, _ = fmt.Fprintf(s.out, format, values...) // An error on the screen cannot be reported.
}

func (s *screen) style(code, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// wrap joins words into lines that fit.
func wrap(words []string) []string {
	lines := []string{"$"}
	for _, word := range words {
		last := len(lines) - 1
		if len(lines[last])+1+len(word) > width {
			lines = append(lines, word)
			continue
		}
		lines[last] += " " + word
	}
	return lines
}

// shorten cuts a token that need not be shown whole.
func shorten(token string) string {
	const shown = 12
	if len(token) <= shown {
		return token
	}
	return token[:shown] + "…"
}
