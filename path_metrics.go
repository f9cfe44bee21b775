// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

const (
	pathMetrics = "metrics"

	metricsHelpSynopsis    = "Read the metrics of this mount in the Prometheus text format."
	metricsHelpDescription = `
Logins, rotations and reads by config and result since the process started,
the duration of logins, the expiry of tokens, and open circuit breakers.

    $ vault read -format=raw mastersindia/metrics

Without -format=raw the command fails, because the response is text, not JSON.
Like every other path it requires a Vault token with a policy that allows it. At
most 1,000 accounts have series of their own, the rest share config="_other".
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
