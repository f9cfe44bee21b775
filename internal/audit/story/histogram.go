// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"maps"
	"slices"
	"time"
)

// Histogram counts requests over time, in parts of equal length. It counts all, also where rows had to be cut.
type Histogram struct {
	// Step is the length of a part in seconds.
	Step  int64  `json:"step_seconds"`
	Parts []Part `json:"parts"`
}

// Part is one part of the time, with the requests by group.
type Part struct {
	Start time.Time        `json:"start"`
	Count map[string]int64 `json:"count"`
}

// Groups of the histogram.
const (
	groupGiven  = "given"
	groupDenied = "denied"
	groupChange = "change"
	groupOther  = "other"
)

// mostParts bounds the parts: beyond, two become one.
const mostParts = 600

type histogram struct {
	step  int64
	parts map[int64]map[string]int64
}

func newHistogram() *histogram { return &histogram{step: 1, parts: make(map[int64]map[string]int64)} }

func (h *histogram) add(at time.Time, group string) {
	h.count(floorDiv(at.Unix(), h.step), group, 1)
	for len(h.parts) > mostParts {
		h.widen()
	}
}

func (h *histogram) count(part int64, group string, n int64) {
	if h.parts[part] == nil {
		h.parts[part] = make(map[string]int64)
	}
	h.parts[part][group] += n
}

func (h *histogram) widen() {
	old := h.parts
	h.step *= 2
	h.parts = make(map[int64]map[string]int64)
	for part, groups := range old {
		for group, n := range groups {
			h.count(floorDiv(part, 2), group, n)
		}
	}
}

func (h *histogram) report() Histogram {
	out := Histogram{Step: h.step, Parts: make([]Part, 0, len(h.parts))}
	for _, part := range slices.Sorted(maps.Keys(h.parts)) {
		out.Parts = append(out.Parts, Part{Start: time.Unix(part*h.step, 0).UTC(), Count: h.parts[part]})
	}
	return out
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

func groupOf(kind Kind, outcome Outcome) string {
	switch {
	case outcome != OK:
		return groupDenied
	case kind == Read || kind == Unwrap:
		return groupGiven
	case kind == View:
		return groupOther
	default:
		return groupChange
	}
}
