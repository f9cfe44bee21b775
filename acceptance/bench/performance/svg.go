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

// The measures of a plot with a vertical axis.
const (
	high   = 220
	leftOf = 60
)

// heights draws the rules of a vertical axis from 0 to most or a little more, and returns where a value is on it.
func (c *canvas) heights(most float64) (at func(value float64) float64) {
	step := tick(most)
	most = math.Ceil(most/step) * step
	at = func(value float64) float64 { return top + high*(1-value/most) }
	for value := 0.0; value <= most+step/2; value += step {
		c.rule(leftOf, at(value), width-right, at(value))
		c.text(leftOf-8, at(value)+4, "end", fmt.Sprintf("%g", value))
	}
	return at
}

// path joins points, which are in pixels.
func (c *canvas) path(points []point, colour string, more ...string) {
	var path strings.Builder
	for n, p := range points {
		fmt.Fprintf(&path, "%s%.1f %.1f ", map[bool]string{true: "M", false: "L"}[n == 0], p.x, p.y)
	}
	fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s" stroke-width="2" %s/>`+"\n", strings.TrimSpace(path.String()), colour,
		strings.Join(more, " "))
}

// line is a plot of points over a logarithmic axis, joined by lines.
type line struct {
	title, unit string
	points      []point
}

type point struct{ x, y float64 }

func (l line) svg() string {
	c := &canvas{}
	if len(l.points) == 0 {
		return c.page(top, l.title)
	}
	mostX, mostY := 1.0, 0.0
	for _, p := range l.points {
		mostX, mostY = max(mostX, p.x), max(mostY, p.y)
	}
	height := c.heights(mostY)
	var joined []point
	for _, p := range l.points {
		at := point{leftOf, height(p.y)}
		if mostX > 1 {
			at.x += math.Log(p.x) / math.Log(mostX) * (width - leftOf - right)
		}
		joined = append(joined, at)
		fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", at.x, at.y, colours()[0])
		c.text(at.x, at.y-9, "middle", fmt.Sprintf("%.1f", p.y), `font-size="11"`)
		c.text(at.x, top+high+18, "middle", fmt.Sprintf("%g", p.x))
	}
	c.path(joined, colours()[0])
	c.text(width-right+24, top+high+18, "start", l.unit)
	return c.page(top+high+28, l.title)
}

// course is a plot of values in the course of time, each beside what it is without what is going on.
type course struct {
	title, unit string
	from, step  float64 // of the horizontal axis
	// event is what goes on from 0 to until.
	event  string
	until  float64
	curves []curve
}

type curve struct {
	name   string
	values []float64
	usual  float64 // drawn as a dashed line
}

func (o course) svg() string {
	c := &canvas{}
	most, steps := 0.0, 0
	for _, curve := range o.curves {
		steps = max(steps, len(curve.values))
		for _, value := range append([]float64{curve.usual}, curve.values...) {
			most = max(most, value)
		}
	}
	if most == 0 {
		return c.page(top, o.title)
	}
	at := func(x float64) float64 { return leftOf + (x-o.from)/(o.step*float64(steps))*(width-leftOf-right) }
	fmt.Fprintf(c, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity="0.2"/>`+"\n",
		at(0), top, at(o.until)-at(0), high, ink)
	c.text(at(0), top-6, "start", o.event, `font-size="11"`)
	height := c.heights(most)
	x := 0.0
	for n, curve := range o.curves {
		colour := colours()[n%len(colours())]
		c.rect(x, 32, 11, 11, colour)
		c.text(x+16, 42, "start", curve.name)
		x += 40 + 7*float64(len(curve.name))
		var joined []point
		for step, value := range curve.values {
			joined = append(joined, point{at(o.from + o.step*(float64(step)+0.5)), height(value)})
		}
		c.path(joined, colour)
		c.path([]point{{leftOf, height(curve.usual)}, {width - right, height(curve.usual)}}, colour, `stroke-dasharray="4 4"`,
			`stroke-opacity="0.8"`)
	}
	const marks = 0.5
	for value := o.from; value <= o.from+o.step*float64(steps)+marks/2; value += marks {
		c.text(at(value), top+high+18, "middle", fmt.Sprintf("%g", value))
	}
	c.text(width-right+24, top+high+18, "start", o.unit)
	return c.page(top+high+28, o.title)
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
