// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// mostLines bounds a section of the table, which is for reading. The other formats list everything.
const mostLines = 40

// Table writes the report for people at a terminal: what matters most comes first.
func Table(w io.Writer, r *story.Report) error {
	p := &page{out: bufio.NewWriter(w)}
	p.head(r)
	p.alarms(r.Alarms)
	if r.Leak != nil {
		p.leak(r.Leak)
	}
	p.summary(&r.Summary)
	p.readings(r.Readings)
	p.refusals(r.Refusals)
	p.changes(r.Rows)
	p.objects(r.Objects)
	p.rotations(r.Rows)
	p.revocations(r.Revocations)
	p.tokens(r.Tokens)
	p.input(r)
	return p.out.Flush()
}

// page writes lines; the buffer remembers the first error until it is flushed.
type page struct{ out *bufio.Writer }

func (p *page) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *page) title(text string) { p.line("\n%s", strings.ToUpper(text)) }

// grid writes aligned columns. Cells may come from the log.
func (p *page) grid(head []string, rows [][]string, all bool) {
	shown := rows
	if !all && len(rows) > mostLines {
		shown = rows[:mostLines]
	}
	width := make([]int, len(head))
	measure := func(cells []string) {
		for n, cell := range cells {
			width[n] = max(width[n], utf8.RuneCountInString(cell))
		}
	}
	measure(head)
	for _, cells := range shown {
		for n := range cells {
			cells[n] = clean(cells[n])
		}
		measure(cells)
	}
	for _, cells := range append([][]string{head}, shown...) {
		var b strings.Builder
		for n, cell := range cells {
			b.WriteString("  " + cell)
			if n < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", width[n]-utf8.RuneCountInString(cell)))
			}
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
	if more := len(rows) - len(shown); more > 0 {
		p.line("  ... and %s more: -format=html, csv or json has them all", number(int64(more)))
	}
}
