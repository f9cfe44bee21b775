// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const monitoring = "../examples/monitoring"

// patience is how long a test waits for what Prometheus finds out within seconds.
const patience = 45 * time.Second

func TestMonitoring_AlertFiresAndResolves(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	account := w.app(t, simulator.JWT)
	w.readToken(t, "app")
	p := w.monitor(t)
	p.wantRules(t)
	p.wantQuiet(t, "MastersIndiaAccountRejected")
	p.wantDashboard(t)

	// The password is changed at the vendor's, but not in Vault.
	account.Password = canary("password")
	w.upstream.addAccount(t, account)
	before := w.upstream.logins()
	w.refused(t, "write", "-f", "mastersindia/rotate/main")
	w.upstream.wantLogins(t, before+1)
	alert := p.wantFiring(t, "MastersIndiaAccountRejected")
	check.True(t, alert.Labels["config"] == "main" && alert.Labels["severity"] == "page",
		"the alert has the labels %v", alert.Labels)
	command := regexp.MustCompile(`vault (read mastersindia/status/\w+)\.`).FindStringSubmatch(alert.Annotations["description"])
	check.Require(t, command != nil, "the alert says no command: %s", alert.Annotations["description"])
	check.Contains(t, w.vault(t, strings.Fields(command[1])...), "rejected")
	check.Value(w.CLI.Must(t.Context(), account.Password, "write", "mastersindia/config/main", "password=-"))(t)
	p.wantQuiet(t, "MastersIndiaAccountRejected")
	for _, leaks := range []*harness.Leaks{w.secrets, w.tokens} {
		found, err := leaks.SearchTree(p.dir, func(string) bool { return false })
		check.True(t, err == nil && len(found) == 0, "Prometheus has stored %q (%v)", found, err)
	}
}

// TestMonitoring_MetricsReadAsInHelp also looks at what happens to those who read them as anything else is read.
func TestMonitoring_MetricsReadAsInHelp(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.readToken(t, "app")
	command := regexp.MustCompile(`\$ vault (read .*mastersindia/metrics)`).FindStringSubmatch(
		w.vault(t, "path-help", "mastersindia/metrics"))
	check.Require(t, command != nil, "the help of metrics has no command")
	text := w.vault(t, strings.Fields(command[1])...)
	check.True(t, strings.HasPrefix(text, "# HELP mastersindia_") && strings.Contains(text, `mastersindia_reads_total{config="main",result="ok"} 1`),
		"vault %s prints:\n%s", command[1], text)
	_, promtool := prometheusBinaries(t)
	check.NoError(t, harness.Promtool(t.Context(), promtool, t.TempDir(), text, "check", "metrics"))
	check.Contains(t, w.refused(t, "read", "mastersindia/metrics"), "invalid character '#'") // as docs/monitoring.md says
}

func TestMonitoring_ExamplesPassPromtool(t *testing.T) {
	t.Parallel()
	_, promtool := prometheusBinaries(t)
	dir := t.TempDir()
	config := exampleConfig(t, dir, "127.0.0.1:8200", "a-token")
	for _, args := range [][]string{
		{"check", "config", config},
		{"check", "rules", "--lint-fatal", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		check.NoError(t, harness.Promtool(t.Context(), promtool, dir, "", args...))
	}
}

// TestMonitoring_EveryAlertIsTested keeps an alert from being added that nobody has seen fire.
func TestMonitoring_EveryAlertIsTested(t *testing.T) {
	t.Parallel()
	alerts, stories := example(t, "alerts.yml"), example(t, "alerts_test.yml")
	parts := strings.Split(alerts, "- alert: ")[1:]
	check.True(t, len(parts) >= 8, "only %d alerts", len(parts))
	for _, part := range parts {
		name := strings.TrimSpace(part[:strings.Index(part, "\n")])
		short := strings.TrimPrefix(name, "MastersIndia")
		check.True(t, strings.Contains(stories, short), "%s has no story in alerts_test.yml", name)
		check.Contains(t, part, "summary:", "description:", "severity:")
		check.True(t, regexp.MustCompile(`vault (read|list|write|token|status|plugin) ?|promtool check`).MatchString(part),
			"%s does not say what to type", name)
	}
}

// observer is a Prometheus that scrapes a testVault.
type observer struct {
	*harness.Prometheus

	dir string
}

// monitor starts a Prometheus with the example's configuration and a token of the example's policy.
func (w *testVault) monitor(t *testing.T) *observer {
	t.Helper()
	program, _ := prometheusBinaries(t)
	o := &observer{dir: t.TempDir()}
	config := exampleConfig(t, o.dir, strings.TrimPrefix(w.Addr, "http://"), w.metricsToken(t))
	o.Prometheus = check.Value(harness.StartPrometheus(t.Context(), program, config))(t)
	harness.EndWith(t, o.Prometheus)
	o.eventually(t, func(ctx context.Context) error {
		for _, expr := range []string{`up{job="mastersindia"} == 1`, `count_over_time(mastersindia_accounts{state="ready"}[20s]) >= 3`} {
			if series, err := o.Query(ctx, expr); err != nil || len(series) == 0 {
				return fmt.Errorf("%s gives nothing (%w)", expr, errors.Join(err, errors.New("no scrape yet")))
			}
		}
		return nil
	})
	return o
}

func (w *testVault) metricsToken(t *testing.T) string {
	t.Helper()
	return w.tokenFor(t, "-orphan", "-period=768h", "-policy="+w.policy(t, "prometheus", example(t, "policy.hcl")))
}

func prometheusBinaries(t *testing.T) (prometheus, promtool string) {
	t.Helper()
	prometheus, promtool, err := harness.FindPrometheus(t.Context(), os.Stderr)
	check.NoError(t, err)
	return prometheus, promtool
}

func example(t *testing.T, name string) string {
	t.Helper()
	text := readFile(t, filepath.Join(monitoring, name))
	return string(text)
}

// exampleConfig puts the examples into dir with what differs here: where Vault is, how Prometheus is let in, and how often it
// looks.
func exampleConfig(t *testing.T, dir, vault, token string) string {
	t.Helper()
	config, tokenFile := example(t, "prometheus.yml"), filepath.Join(dir, "vault-token")
	for from, to := range map[string]string{
		"scrape_interval: 30s":        "scrape_interval: 1s",
		"evaluation_interval: 30s":    "evaluation_interval: 1s",
		"scheme: https":               "scheme: http",
		"/etc/prometheus/vault-token": tokenFile,
		"vault.example.com:8200":      vault,
		"    tls_config:\n      ca_file: /etc/prometheus/vault-ca.pem\n": "",
	} {
		check.Require(t, strings.Count(config, from) == 1, "prometheus.yml does not have %q once", from)
		config = strings.Replace(config, from, to, 1)
	}
	for name, text := range map[string]string{
		"prometheus.yml": config, "vault-token": token,
		"alerts.yml": example(t, "alerts.yml"), "alerts_test.yml": example(t, "alerts_test.yml"),
	} {
		check.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return filepath.Join(dir, "prometheus.yml")
}

func (o *observer) eventually(t *testing.T, ready func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check.NoError(t, o.WaitFor(ctx, ready))
}

// wantRules waits until all rules were evaluated, and none in vain.
func (o *observer) wantRules(t *testing.T) {
	t.Helper()
	o.eventually(t, func(ctx context.Context) error {
		groups, err := o.Rules(ctx)
		if err != nil || len(groups) == 0 {
			return errors.Join(err, errors.New("no rules are loaded"))
		}
		for _, group := range groups {
			for _, rule := range group.Rules {
				if rule.Health != "ok" {
					return fmt.Errorf("rule %s: %s %s", rule.Name, rule.Health, rule.LastError)
				}
			}
		}
		return nil
	})
}

func (o *observer) wantFiring(t *testing.T, name string) (found harness.Alert) {
	t.Helper()
	began := time.Now()
	o.eventually(t, func(ctx context.Context) error {
		alerts, err := o.Alerts(ctx)
		for _, alert := range alerts {
			if alert.Labels["alertname"] == name && alert.State == "firing" {
				found = alert
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("%s does not fire", name))
	})
	t.Logf("%s fires after %s", name, time.Since(began).Round(time.Millisecond))
	return found
}

func (o *observer) wantQuiet(t *testing.T, name string) {
	t.Helper()
	began := time.Now()
	o.eventually(t, func(ctx context.Context) error {
		alerts, err := o.Alerts(ctx)
		if err != nil {
			return err
		}
		for _, alert := range alerts {
			if alert.Labels["alertname"] == name {
				return fmt.Errorf("%s is %s", name, alert.State)
			}
		}
		return nil
	})
	t.Logf("%s is quiet after %s", name, time.Since(began).Round(time.Millisecond))
}

// wantDashboard checks that every query of the dashboard gives something.
func (o *observer) wantDashboard(t *testing.T) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	check.NoError(t, json.Unmarshal([]byte(example(t, "dashboard.json")), &dashboard))
	variables := strings.NewReplacer("$__rate_interval", "20s", "$job", "mastersindia", "$instance", ".+", "$config", ".+")
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			series, err := o.Query(t.Context(), variables.Replace(target.Expr))
			check.True(t, err == nil && len(series) != 0, "panel %q: %s gives %d series (%v)", panel.Title, target.Expr, len(series), err)
		}
	}
	check.True(t, queries >= 12, "only %d queries", queries)
	t.Logf("%d queries of %d panels give data", queries, len(dashboard.Panels))
}
