// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// tokenLife is that of the upstream's tokens, which are replaced after 66 % of it.
	tokenLife = 90 * time.Second
	// refresh is the interval in the manifest, scaled: it says at most a quarter of a token's life.
	refresh = "20s"
	// rotations are how many the Secret is to show.
	rotations = 4
)

// placeholders are what users replace in the manifests; the rest is applied as it stands.
func placeholders(v *server) *strings.Replacer {
	return strings.NewReplacer(
		"https://vault.example.com:8200", v.url,
		"    PUT THE CERTIFICATE HERE\n", "    "+strings.ReplaceAll(strings.TrimSpace(string(v.ca.CertPEM())), "\n", "\n    ")+"\n",
		"refreshInterval: 15m\n", "refreshInterval: "+refresh+"\n",
	)
}

// TestSecrets_HoldNoDeadToken applies the manifests, and tries what lies in the Secrets every second over four rotations, while
// the controllers are restarted and the plugin is reloaded and killed. An account whose tokens are replaced only when they have
// ended proves that a dead token would be seen. The Vault Secrets Operator takes part where VSO_BIN names it.
func TestSecrets_HoldNoDeadToken(t *testing.T) {
	t.Parallel()
	c, v := startCluster(t), startServer(t)
	c.defineKinds(t)
	c.apply(t, replaced(t, v, "setup.yaml"))
	v.addAccount(t, "gst", tokenLife)
	v.runReadme(t, c)
	c.apply(t, replaced(t, v, "agent-injector.yaml"))
	c.apply(t, replaced(t, v, "external-secrets.yaml"))
	control := &samples{name: "control", role: "control", namespace: "control"}
	v.prepare(t, c, control, "external-secrets.yaml", "lease=false", "rotation_percent=100")
	rows := []*samples{{name: "gst", role: "kiosk", namespace: "billing"}}
	operators := []*operator{c.startOperator(t, "external-secrets", program(t, "ESO_BIN"), "--metrics-addr=127.0.0.1:0")}
	if path := os.Getenv("VSO_BIN"); path != "" {
		rows = append(rows, &samples{name: "vso", role: "vso", namespace: "vso"})
		v.prepare(t, c, rows[1], "vault-secrets-operator.yaml", "lease=true", "rotation_percent=66")
		operators = append(operators, c.startOperator(t, "vault-secrets-operator", path, "--leader-elect=false",
			"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"))
	}
	v.watch(t, c, append(rows, control), []func(){
		func() {
			for _, o := range operators {
				o.restart(t)
			}
		},
		func() { v.must(t, "plugin", "reload", "-plugin="+harness.PluginName) },
		func() {
			if _, err := v.KillPlugin(); err != nil {
				t.Error(err)
			}
		},
	})
	t.Logf("tokens of %s:\n%s", tokenLife, table(t, v, append(rows, control)))
	v.judge(t, rows, control)
}

// watch samples the Secrets until each has shown all rotations. The first rotation of the first row is followed by the first
// disturbance, and so on. The last row need not come to an end.
func (v *server) watch(t *testing.T, c *cluster, rows []*samples, disturbances []func()) {
	t.Helper()
	deadline := time.After(startTimeout + (rotations+1)*tokenLife)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	unfinished := func(s *samples) bool { return len(s.tokens) <= rotations }
	for disturbed := 0; slices.ContainsFunc(rows[:len(rows)-1], unfinished); {
		select {
		case <-deadline:
			t.Errorf("not all of the %d rotations were seen in time", rotations)
			return
		case <-second.C:
		}
		for _, s := range rows {
			if err := s.take(t.Context(), c, v); err != nil {
				t.Error(err)
			}
		}
		if disturbed < min(len(rows[0].tokens)-1, len(disturbances)) {
			disturbances[disturbed]()
			disturbed++
		}
	}
}

func (v *server) judge(t *testing.T, rows []*samples, control *samples) {
	t.Helper()
	for _, s := range rows {
		check.True(t, s.dead == 0, "the Secret of %s held a dead token in %d of %d samples", s.namespace, s.dead, s.taken)
		logins := v.logins(s.name)
		check.True(t, logins <= len(s.tokens)+1, "%d logins for the %d tokens of %s", logins, len(s.tokens), s.name)
	}
	check.True(t, control.dead != 0,
		"no dead token was seen of the account that is not rotated ahead of time: this test proves nothing")
	// The Vault Secrets Operator keeps a Vault token and a lease for each token that still lives.
	most := 4 * (len(rows) - 1)
	for _, path := range []string{"mastersindia/token/kiosk", "mastersindia/token/vso", "auth/kubernetes/login"} {
		n := v.leases(t, path)
		check.True(t, n <= most, "%d leases are left below %s, want at most %d", n, path, most)
	}
}

func (v *server) logins(account string) int {
	return v.sim.Counters().Of(simulator.JWT, account).Logins
}

// replaced is a manifest with what users replace in it; all else is as it stands.
func replaced(t *testing.T, v *server, name string) string {
	t.Helper()
	return placeholders(v).Replace(manifest(t, name))
}

func manifest(t *testing.T, name string) string {
	t.Helper()
	text := check.Value(os.ReadFile(filepath.Join(examples, name)))(t)
	return string(text)
}

// prepare makes an account, and does for it in a namespace of its own what setup.yaml and the README do for the first one; then
// it applies the manifest with the other names.
func (v *server) prepare(t *testing.T, c *cluster, s *samples, name, lease, rotation string) {
	t.Helper()
	v.addAccount(t, s.name, tokenLife, rotation)
	v.must(t, "write", "mastersindia/role/"+s.role, "config="+s.name, lease)
	v.must(t, "write", "sys/policies/acl/"+s.name, `policy=path "mastersindia/token/`+s.role+`" { capabilities = ["read"] }`)
	role := []string{
		"write", "auth/kubernetes/role/" + s.name, "token_policies=" + s.name, "audience=vault",
		"bound_service_account_names=" + s.name, "bound_service_account_namespaces=" + s.name,
	}
	if lease == "lease=false" {
		role = append(role, "token_type=batch", "token_ttl=5m")
	}
	v.must(t, role...)
	setup, _, _ := strings.Cut(replaced(t, v, "setup.yaml"), "\n---\napiVersion: v1\nkind: ServiceAccount\n")
	names := strings.NewReplacer(
		"namespace: billing\n", "namespace: "+s.namespace+"\n", "name: billing\n", "name: "+s.name+"\n",
		"role: billing-batch\n", "role: "+s.name+"\n", "role: billing\n", "role: "+s.name+"\n",
		"serviceAccount: billing\n", "serviceAccount: "+s.name+"\n",
		"token/kiosk\n", "token/"+s.role+"\n", "token/billing\n", "token/"+s.role+"\n",
	)
	c.apply(t, names.Replace(setup))
	c.apply(t, names.Replace(replaced(t, v, name)))
}

// defineKinds applies the CustomResourceDefinitions of the External Secrets Operator's module, and those of CRD_FOLDERS.
func (c *cluster) defineKinds(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-C", "../../tools/external-secrets", "-m", "-f", "{{.Dir}}",
		"github.com/external-secrets/external-secrets")
	dir, err := cmd.Output()
	check.Require(t, err == nil, "looking for the External Secrets Operator's module: %v", err)
	folders := filepath.SplitList(os.Getenv("CRD_FOLDERS"))
	for _, folder := range append([]string{filepath.Join(strings.TrimSpace(string(dir)), "config/crds/bases")}, folders...) {
		files, err := filepath.Glob(filepath.Join(folder, "*_*.yaml"))
		check.Require(t, err == nil && len(files) != 0, "%s has no definitions: %v", folder, err)
		for _, file := range files {
			text, err := os.ReadFile(file) //nolint:gosec // G703: the person who runs this names the folder
			check.NoError(t, err)
			c.apply(t, string(text))
		}
	}
}

// operator is a controller that may do everything in the cluster.
type operator struct {
	start func(n int) *harness.Program
	runs  []*harness.Program
}

func (c *cluster) startOperator(t *testing.T, name, path string, args ...string) *operator {
	t.Helper()
	o := &operator{start: func(n int) *harness.Program {
		return start(t, fmt.Sprintf("%s-%d", name, n), path, []string{"KUBECONFIG=" + c.kubeconfig}, args...)
	}}
	o.runs = append(o.runs, o.start(1))
	return o
}

func (o *operator) restart(t *testing.T) {
	t.Helper()
	if err := o.runs[len(o.runs)-1].Stop(); err != nil {
		t.Error(err)
	}
	o.runs = append(o.runs, o.start(len(o.runs)+1))
}
