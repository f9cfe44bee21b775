// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/expfmt"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	pathMetrics = "metrics"

	metricsHelpSynopsis    = "Read the metrics of this mount in the Prometheus text format."
	metricsHelpDescription = `
Logins, rotations and reads by config and result since the process started,
the duration of logins, the expiry of tokens, and open circuit breakers.

    $ vault read -format=raw mastersindia/metrics

Without -format=raw the command fails, because the response is text, not JSON.
At most 1,000 accounts have series of their own, the rest share config="_other".
`
)

func (b *backend) metricsPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern: pathMetrics + "$",
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:     b.metricsRead,
				Summary:      metricsHelpSynopsis,
				Description:  "The response is text, not JSON. Counters begin when the process starts.",
				DisplayAttrs: display("read", "metrics"),
				Responses: map[int][]framework.Response{http.StatusOK: {{
					Description: "Metrics.", MediaType: string(expfmt.NewFormat(expfmt.TypeTextPlain)),
				}}},
				ForwardPerformanceStandby: true,
			},
		},
		HelpSynopsis:    metricsHelpSynopsis,
		HelpDescription: metricsHelpDescription,
	}}
}

func (b *backend) metricsRead(ctx context.Context, _ *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	configs, err := b.store.list(ctx, configPrefix)
	if err != nil {
		return nil, err
	}
	now := prometheus.NewPedanticRegistry()
	if err := now.Register(scrape{summary: b.issuer.Summary(configs), stored: len(configs)}); err != nil {
		return nil, fmt.Errorf("collecting the metrics: %w", err)
	}
	families, err := prometheus.Gatherers{b.metrics.registry, now}.Gather()
	if err != nil {
		return nil, fmt.Errorf("collecting the metrics: %w", err)
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, fmt.Errorf("writing the metrics: %w", err)
		}
	}
	return &logical.Response{Data: map[string]any{
		logical.HTTPStatusCode:  http.StatusOK,
		logical.HTTPContentType: string(format),
		logical.HTTPRawBody:     text.Bytes(),
	}}, nil
}

// metricsPrefix begins the name of every metric.
const metricsPrefix = "mastersindia_"

// metrics are the metrics of one mount. Each mount has its own registry, since several share a process.
type metrics struct {
	registry *prometheus.Registry
	duration prometheus.Histogram
}

func newMetrics(version, commit string) *metrics {
	registry := prometheus.NewRegistry()
	registered := promauto.With(registry)
	m := &metrics{
		registry: registry,
		duration: registered.NewHistogram(prometheus.HistogramOpts{
			Name: metricsPrefix + "login_duration_seconds",
			Help: "Duration of logins, from dial to last byte.",
			// A login takes 50 to 500 ms on a good day, and request_timeout (15 s unless set) on a bad one.
			Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60},
		}),
	}
	registered.NewGauge(prometheus.GaugeOpts{
		Name:        metricsPrefix + "build_info",
		Help:        "Always 1; the labels name the build of the plugin.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	}).Set(1)
	// The process is a child of Vault, and nothing else reports on it. All mounts share it.
	own := prometheus.WrapRegistererWithPrefix(metricsPrefix, registry)
	own.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// loggedIn observes how long a login took.
func (m *metrics) loggedIn(took time.Duration) { m.duration.Observe(took.Seconds()) }

// scrape is the state of the accounts at one time. It is a collector made for one response, so that nothing is counted twice and
// a deleted config leaves no series behind.
type scrape struct {
	summary issuer.Summary
	// stored is the number of configs in storage, of which most may not be in memory.
	stored int
}

type description = *prometheus.Desc

func describe(name, help string, labels ...string) description {
	return prometheus.NewDesc(metricsPrefix+name, help, labels, nil)
}

// Describe implements prometheus.Collector. It describes nothing, since the series depend on the accounts.
func (s scrape) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s scrape) Collect(out chan<- prometheus.Metric) {
	reads := describe("reads_total", "Reads of token/, by result: ok, paused, cancelled, error, or the kind of the failed login.",
		"config", "result")
	logins := describe("logins_total", "Logins upstream, by result: ok, or the kind of the error.", "config", "result")
	rotations := describe("rotations_total", "Logins that replaced a token, by reason: rotation, forced, or rejected by an API.",
		"config", "reason")
	expiry := describe("token_expiry_timestamp_seconds", "Expiry of the current token, in Unix seconds.", "config")
	open := describe("breaker_open", "1 while the circuit breaker is open, because the upstream refuses the credentials.", "config")
	waiting := describe("waiting_readers", "Readers waiting for a login.")
	accounts := describe("accounts", "Configs by the state of their account.", "state")

	counter := func(d description, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge := func(d description, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for config, c := range s.summary.Counts {
		// Each series begins at zero: Prometheus would not see the increase of one that appears with 1.
		for result, n := range fromZero(c.Reads, append(results(), issuer.ResultPaused, issuer.ResultCancelled)) {
			counter(reads, n, config, result)
		}
		for result, n := range fromZero(c.Logins, append(results(), string(account.Blocked))) {
			counter(logins, n, config, result)
		}
		for reason, n := range fromZero(c.Rotations, rotationReasons()) {
			counter(rotations, n, config, reason)
		}
	}
	for config, at := range s.summary.ExpiresAt {
		gauge(expiry, float64(at.Unix()), config)
	}
	for config, n := range s.summary.Open {
		gauge(open, float64(n), config)
	}
	gauge(waiting, float64(s.summary.Waiting))
	for state, n := range s.states() {
		gauge(accounts, float64(n), string(state))
	}
}

// results are the results that both reads and logins can have.
func results() []string {
	return []string{
		counters.OK, issuer.ResultError, string(upstream.Rejected), string(upstream.Invalid), string(upstream.Throttled),
		string(upstream.Unavailable), string(upstream.Malformed),
	}
}

func rotationReasons() []string {
	return []string{string(account.ReasonRotation), string(account.ReasonForced), string(account.ReasonRejected)}
}

// fromZero adds a zero for each key that was not counted.
func fromZero(counts map[string]int64, keys []string) map[string]int64 {
	all := make(map[string]int64, len(keys))
	for _, key := range keys {
		all[key] = 0
	}
	maps.Copy(all, counts)
	return all
}

// states counts all configs: those that are not in memory are idle.
func (s scrape) states() map[issuer.AccountState]int {
	counts := map[issuer.AccountState]int{
		account.StateIdle: 0, account.StateReady: 0, account.StateBackingOff: 0, account.StateRejected: 0, account.StatePaused: 0,
	}
	known := 0
	for state, n := range s.summary.States {
		counts[state] += n
		known += n
	}
	counts[account.StateIdle] += max(s.stored-known, 0)
	return counts
}
