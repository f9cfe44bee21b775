// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Prometheus is a Prometheus server of our own on a free loopback port.
type Prometheus struct {
	// Addr is the server's URL.
	Addr string

	*Process

	client *http.Client
}

// FindPrometheus finds a Prometheus that has promtool beside it, or fetches one: progress is written to progress.
func FindPrometheus(ctx context.Context, progress io.Writer) (prometheus, promtool string, err error) {
	root, err := moduleRoot()
	if err != nil {
		return "", "", err
	}
	prometheus, err = runIn(ctx, root, progress, "scripts/get-prometheus")
	if err != nil {
		return "", "", fmt.Errorf("finding a Prometheus: %w", err)
	}
	return prometheus, filepath.Join(filepath.Dir(prometheus), "promtool"), nil
}

// StartPrometheus starts the server with a configuration file. It keeps its data beside that.
func StartPrometheus(ctx context.Context, program, config string) (*Prometheus, error) {
	dir := filepath.Dir(config)
	if err := makeDirs(filepath.Join(dir, "tmp")); err != nil {
		return nil, err
	}
	var err error
	for range 3 { // another process may take the port before Prometheus listens on it
		var p *Prometheus
		if p, err = startPrometheus(ctx, program, config, dir); err == nil || ctx.Err() != nil {
			return p, err
		}
	}
	return nil, err
}

func startPrometheus(ctx context.Context, program, config, dir string) (*Prometheus, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p := &Prometheus{Addr: "http://" + address, client: &http.Client{Timeout: 10 * time.Second}}
	p.Process, err = startProcess(processSpec{
		name: "prometheus", path: program, log: filepath.Join(dir, "prometheus.log"), env: childEnv(dir),
		args: []string{
			"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address,
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.WaitFor(ctx, func(ctx context.Context) error { _, err := p.Query(ctx, "vector(1)"); return err }); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// Series is one series of a response to a query.
type Series struct {
	Labels map[string]string `json:"metric"`
	// Sample is the time of the value and the value, which is a string.
	Sample [2]any `json:"value"`
}

// Query evaluates an expression that gives a vector, now.
func (p *Prometheus) Query(ctx context.Context, expr string) ([]Series, error) {
	var result []Series
	err := p.get(ctx, "query?query="+url.QueryEscape(expr), &result, "result")
	return result, err
}

// Alert is an alert that is pending or firing.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
}

// Alerts returns the alerts that are pending or firing.
func (p *Prometheus) Alerts(ctx context.Context) ([]Alert, error) {
	var alerts []Alert
	err := p.get(ctx, "alerts", &alerts, "alerts")
	return alerts, err
}

// RuleGroup is a group of rules as the server has evaluated it.
type RuleGroup struct {
	Rules []struct {
		Name      string `json:"name"`
		Health    string `json:"health"`
		LastError string `json:"lastError"`
	} `json:"rules"`
}

// Rules returns all rules and how their evaluation went.
func (p *Prometheus) Rules(ctx context.Context) ([]RuleGroup, error) {
	var groups []RuleGroup
	err := p.get(ctx, "rules", &groups, "groups")
	return groups, err
}

// get asks the server's API and decodes one field of the data in its response.
func (p *Prometheus) get(ctx context.Context, path string, into any, field string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Addr+"/api/v1/"+path, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var response struct {
		Status string                     `json:"status"`
		Error  string                     `json:"error"`
		Data   map[string]json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&response); err != nil {
		return fmt.Errorf("reading the response of Prometheus to %s: %w", path, err)
	}
	if response.Status != "success" {
		return fmt.Errorf("prometheus refused %s: %s", path, response.Error)
	}
	return json.Unmarshal(response.Data[field], into)
}

// Promtool runs promtool with stdin as its standard input, in the directory of the files that it is to read. The error has what
// it said.
func Promtool(ctx context.Context, program, dir, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("promtool %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}
