// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// scraped is what a monitoring system reads, with the samples by what stands before the value: reads_total{config="gst"}.
type scraped struct {
	text    string
	samples map[string]float64
}

// scrape reads the metrics, and checks that they are a response which Vault passes on as it is.
func (w *testMount) scrape() scraped {
	w.t.Helper()
	return scrapeOf(w.t, w.read("metrics"))
}

func scrapeOf(t *testing.T, resp *logical.Response) scraped {
	t.Helper()
	check.True(t, resp.Data[logical.HTTPStatusCode] == http.StatusOK, "status code %v, want 200", resp.Data[logical.HTTPStatusCode])
	kind := text(t, resp.Data, logical.HTTPContentType)
	check.True(t, strings.HasPrefix(kind, "text/plain; version=0.0.4"), "content type %q", kind)
	check.True(t, resp.Secret == nil && len(resp.Warnings) == 0, "a response with a lease or a warning is none that Vault passes on as it is")
	body, ok := resp.Data[logical.HTTPRawBody].([]byte)
	check.Require(t, ok, "the body is %T", resp.Data[logical.HTTPRawBody])
	s := scraped{text: string(body), samples: map[string]float64{}}
	for line := range strings.Lines(s.text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, ours := strings.CutPrefix(line, "mastersindia_")
		check.True(t, ours, "a metric without the engine's prefix: %s", line)
		at := strings.LastIndex(name, " ")
		value, err := strconv.ParseFloat(name[at+1:], 64)
		check.True(t, err == nil, "%s: %v", line, err)
		_, twice := s.samples[name[:at]]
		check.True(t, !twice, "%s is there twice", name[:at])
		s.samples[name[:at]] = value
	}
	return s
}

func (s scraped) wants(t *testing.T, want map[string]float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got, there := s.samples[name]
		check.True(t, there && got == want[name], "%s is %v (there: %t), want %v", name, got, there, want[name])
	}
}

// of gives the samples of one metric, by their labels.
func (s scraped) of(metric string) map[string]float64 {
	found := map[string]float64{}
	for name, value := range s.samples {
		if labels, ok := strings.CutPrefix(name, metric+"{"); ok {
			found["{"+labels] = value
		}
	}
	return found
}

// counted gives the samples of one metric that are not zero, by their last label.
func (s scraped) counted(metric string) map[string]float64 {
	found := map[string]float64{}
	for labels, value := range s.of(metric) {
		if value != 0 {
			at := strings.LastIndex(labels, `="`)
			found[strings.TrimSuffix(labels[at+2:], `"}`)] += value
		}
	}
	return found
}

// configs are the values of the label config.
func (s scraped) configs() []string {
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(`config="([^"]*)"`).FindAllStringSubmatch(s.text, -1) {
		found[match[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// countersOnly are the samples that may never go back.
func (s scraped) countersOnly(t *testing.T) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.text))
	check.Require(t, err == nil, "the text cannot be parsed: %v", err)
	counters := map[string]bool{}
	for name, family := range families {
		name = strings.TrimPrefix(name, "mastersindia_")
		switch family.GetType().String() {
		case "COUNTER":
			counters[name] = true
		case "HISTOGRAM":
			counters[name+"_count"], counters[name+"_sum"], counters[name+"_bucket"] = true, true, true
		}
	}
	found := map[string]float64{}
	for sample, value := range s.samples {
		if name, _, _ := strings.Cut(sample, "{"); counters[name] {
			found[sample] = value
		}
	}
	return found
}

// notBehind checks that no counter has gone back or away since before.
func (s scraped) notBehind(t *testing.T, before scraped) {
	t.Helper()
	now := s.countersOnly(t)
	for name, value := range before.countersOnly(t) {
		got, there := now[name]
		check.True(t, there && got >= value, "%s went from %v to %v (there: %t)", name, value, got, there)
	}
}
