// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The measures of a plot, in pixels. All colours can be read on white and on near black, and there is no background: a page's
// theme need not be known.
const (
	width   = 760
	left    = 130
	right   = 70
	top     = 64
	barHigh = 13
	groupBy = 10 // space between groups
	ink     = "#6e7781"
)

func colours() []string { return []string{"#2f81f7", "#d4772c", "#8957e5"} }

// canvas collects the elements of a plot.
type canvas struct{ strings.Builder }

func (c *canvas) text(x, y float64, anchor, text string, more ...string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, strings.Join(more, " "),
		html.EscapeString(text))
}

func (c *canvas) rect(x, y, w, h float64, colour string) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="%s"/>`+"\n", x, y, w, h, colour)
}

func (c *canvas) rule(x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.35"/>`+"\n", x1, y1, x2, y2, ink)
}

// page puts the elements under a title.
func (c *canvas) page(height float64, title string) string {
	const font = `font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12"`
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" role="img" %s fill="%s">`+"\n"+
		"<title>%s</title>\n", width, height, width, font, ink, html.EscapeString(title)) +
		fmt.Sprintf(`<text x="0" y="18" font-size="14" font-weight="600">%s</text>`+"\n", html.EscapeString(title)) +
		c.String() + "</svg>\n"
}

// bars is a plot of horizontal bars, in groups of one bar a series.
type bars struct {
	title, unit string
	series      []string
	groups      []group
}

// group has a value for each series; 0 is none.
type group struct {
	name   string
	values []float64
}

func (b bars) svg() string {
	c := &canvas{}
	x := 0.0
	for n, name := range b.series {
		c.rect(x, 32, 11, 11, colours()[n%len(colours())])
		c.text(x+16, 42, "start", name)
		x += 40 + 7*float64(len(name))
	}
	most := 0.0
	for _, g := range b.groups {
		for _, value := range g.values {
			most = max(most, value)
		}
	}
	y := float64(top)
	for _, g := range b.groups {
		first := y
		for n, value := range g.values {
			if value <= 0 {
				continue
			}
			long := max(value/most*(width-left-right), 1)
			c.rect(left, y, long, barHigh-2, colours()[n%len(colours())])
			c.text(left+long+5, y+barHigh-3, "start", fmt.Sprintf(b.unit, value), `font-size="11"`)
			y += barHigh
		}
		if y == first {
			continue
		}
		c.text(left-8, (first+y)/2+3, "end", g.name)
		y += groupBy
	}
	c.rule(left, top-4, left, y-groupBy+2)
	return c.page(y, b.title)
}

// line is a plot of points over a logarithmic axis, joined by lines.
type line struct {
	title, unit string
	points      []point
}

type point struct{ x, y float64 }

func (l line) svg() string {
	const high, leftOf = 220, 60
	c := &canvas{}
	if len(l.points) == 0 {
		return c.page(top, l.title)
	}
	mostX, mostY := 1.0, 0.0
	for _, p := range l.points {
		mostX, mostY = max(mostX, p.x), max(mostY, p.y)
	}
	step := tick(mostY)
	mostY = math.Ceil(mostY/step) * step
	at := func(p point) (x, y float64) {
		x = leftOf
		if mostX > 1 {
			x += math.Log(p.x) / math.Log(mostX) * (width - leftOf - right)
		}
		return x, top + high*(1-p.y/mostY)
	}
	for value := 0.0; value <= mostY+step/2; value += step {
		_, y := at(point{1, value})
		c.rule(leftOf, y, width-right, y)
		c.text(leftOf-8, y+4, "end", fmt.Sprintf("%g", value))
	}
	var path strings.Builder
	for n, p := range l.points {
		x, y := at(p)
		fmt.Fprintf(&path, "%s%.1f %.1f ", map[bool]string{true: "M", false: "L"}[n == 0], x, y)
		fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", x, y, colours()[0])
		c.text(x, y-9, "middle", fmt.Sprintf("%.1f", p.y), `font-size="11"`)
		c.text(x, top+high+18, "middle", fmt.Sprintf("%g", p.x))
	}
	fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(path.String()), colours()[0])
	c.text(width-right+24, top+high+18, "start", l.unit)
	return c.page(top+high+28, l.title)
}

// tick is the distance of about five rules up to most, a round number.
func tick(most float64) float64 {
	const rules = 5
	power := math.Pow(10, math.Floor(math.Log10(most/rules)))
	for _, round := range []float64{1, 2, 5} {
		if most/rules <= round*power {
			return round * power
		}
	}
	return 10 * power
}
