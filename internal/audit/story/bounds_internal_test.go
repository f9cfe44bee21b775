// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"strconv"
	"testing"
	"time"
)

func TestPairingForgetsTheOldestAndCountsThem(t *testing.T) {
	t.Parallel()
	p := newPairing(100)
	for n := range 10_000 {
		key := p.key(strconv.Itoa(n))
		p.note(key, requestHalf)
		if n%10 != 0 {
			p.note(key, responseHalf)
		}
		p.note(p.key("alone "+strconv.Itoa(n)), responseHalf)
		if len(p.seen) > 100 {
			t.Fatalf("after %d requests %d are remembered, want at most 100", n, len(p.seen))
		}
	}
	p.end()
	if p.requestsAlone != 1_000 || p.responsesAlone != 10_000 || p.duplicates != 0 || len(p.seen) != 0 {
		t.Errorf("want 1000 requests and 10000 responses alone, got %d and %d, %d twice", p.requestsAlone, p.responsesAlone, p.duplicates)
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	t.Parallel()
	r := newRecent[int, int](3)
	for n := range 1_000 {
		forgotten, full := r.put(n, n)
		if full != (n >= 3) || full && forgotten != n-3 {
			t.Fatalf("putting %d forgot %d, %v", n, forgotten, full)
		}
	}
	if v, ok := r.take(998); !ok || v != 998 || len(r.values) != 2 {
		t.Errorf("taking 998 gave %d, %v and left %v", v, ok, r.values)
	}
	if _, ok := r.get(996); ok {
		t.Error("996 is still remembered")
	}
}

func TestTheHistogramKeepsItsCountsWhenItWidens(t *testing.T) {
	t.Parallel()
	h := newHistogram()
	start := time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC)
	for n := range 5_000 {
		h.add(start.Add(time.Duration(n)*97*time.Second), groupGiven)
	}
	report, sum := h.report(), int64(0)
	for n, part := range report.Parts {
		sum += part.Count[groupGiven]
		if n > 0 && !part.Start.After(report.Parts[n-1].Start) {
			t.Errorf("part %d begins at %s, not after the one before", n, part.Start)
		}
	}
	if sum != 5_000 || len(report.Parts) > mostParts || len(report.Parts) < mostParts/4 {
		t.Errorf("%d parts count %d requests, want at most %d parts and 5000", len(report.Parts), sum, mostParts)
	}
}
