// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"vault-plugin-secrets-mastersindia/internal/check"
)

const kubernetesExamples = "../examples/kubernetes"

// manifestRow says what a file of examples/kubernetes holds.
type manifestRow struct {
	file string
	// kinds are apiVersion and kind of its documents, in order.
	kinds []string
	// role is what it reads: one with leases or one without, as docs/use.md makes them. It is "" where nothing is read.
	role string
	// values are where the engine's names and habits meet the tool's: the number of the document, and the path of a value in it.
	values map[string]any
}

func manifestRows(t *testing.T) []manifestRow {
	t.Helper()
	const account, vso, annotation = "v1 ServiceAccount", "secrets.hashicorp.com/v1beta1 Vault", "1 spec.template.metadata.annotations.vault|hashicorp|com/"
	return []manifestRow{
		{"setup.yaml", []string{
			"v1 Namespace", "v1 Secret", "v1 ConfigMap", account, "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
		}, "", map[string]any{"0 metadata.name": "billing", "1 metadata.name": "vault-ca", "2 metadata.name": "vault-ca"}},
		{"agent-injector.yaml", []string{account, "apps/v1 Deployment"}, "billing", map[string]any{
			annotation + "agent-inject-secret-header": "mastersindia/token/billing", annotation + "tls-secret": "vault-ca",
			annotation + "agent-inject-template-header": agentFile(t, "header.ctmpl"), "1 spec.template.spec.serviceAccountName": "billing",
		}},
		{"vault-secrets-operator.yaml", []string{account, vso + "Connection", vso + "Auth", vso + "DynamicSecret"}, "billing", map[string]any{
			"3 spec.mount": "mastersindia", "3 spec.path": "token/billing", "3 spec.allowStaticCreds": true, "3 spec.destination.transformation.excludeRaw": true,
		}},
		{"external-secrets.yaml", []string{
			account, "generators.external-secrets.io/v1alpha1 VaultDynamicSecret", "external-secrets.io/v1 ExternalSecret",
		}, "kiosk", map[string]any{
			"1 spec.path": "mastersindia/token/kiosk", "1 spec.method": "GET", "1 spec.provider.auth.kubernetes.role": "billing-batch",
		}},
		{"secrets-store-csi.yaml", []string{account, "secrets-store.csi.x-k8s.io/v1 SecretProviderClass", "apps/v1 Deployment"}, "kiosk",
			map[string]any{"1 spec.provider": "vault", "1 spec.parameters.roleName": "billing"}},
	}
}

// TestKubernetesExamples_NamesExist reads each file strictly, and checks what it says of the engine. What the tools want
// is checked by TestKubernetesExamples_MatchSchemas.
func TestKubernetesExamples_NamesExist(t *testing.T) {
	t.Parallel()
	use := readFile(t, useDocument)
	var files []string
	for _, row := range manifestRows(t) {
		files = append(files, filepath.Join(kubernetesExamples, row.file))
		documents := readManifest(t, row.file)
		var kinds []string
		for _, document := range documents {
			kinds = append(kinds, fmt.Sprint(valueAt(document, "apiVersion"), " ", valueAt(document, "kind")))
		}
		check.RequireEqual(t, kinds, row.kinds, "the kinds in %s", row.file)
		for where, want := range row.values {
			number, path, _ := strings.Cut(where, " ")
			check.Equal(t, valueAt(documents[number[0]-'0'], path), want, "%s: document %s", row.file, where)
		}
		if row.role == "" {
			continue
		}
		for _, document := range documents {
			check.Equal(t, valueAt(document, "metadata.namespace"), any("billing"), "%s: the namespace", row.file)
		}
		check.Equal(t, rolesIn(documents), []string{row.role}, "the roles that %s reads", row.file)
		check.True(t, strings.Contains(string(use), "vault write mastersindia/role/"+row.role+" "),
			"%s does not make the role %s", useDocument, row.role)
	}
	there := check.Value(filepath.Glob(kubernetesExamples + "/*.yaml"))(t)
	slices.Sort(files)
	check.Equal(t, there, files, "the files that are there, beside those that are checked")
}

// readManifest reads the documents of a file. A key that stands twice is an error.
func readManifest(t *testing.T, name string) []any {
	t.Helper()
	text := readFile(t, filepath.Join(kubernetesExamples, name))
	var documents []any
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents
		}
		check.Require(t, err == nil, "%s: document %d: %v", name, len(documents), err)
		documents = append(documents, document)
	}
}

// valueAt returns the value at a path of keys with dots between them, nil where there is none. A bar in a key stands for a dot.
func valueAt(value any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[strings.ReplaceAll(key, "|", ".")]
	}
	return value
}

// rolesIn returns the roles whose tokens are named anywhere in the value.
func rolesIn(value any) []string {
	found := map[string]bool{}
	var look func(any)
	look = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, member := range value {
				look(member)
			}
		case []any:
			for _, member := range value {
				look(member)
			}
		case string:
			for _, part := range strings.Split(value, "token/")[1:] {
				end := strings.IndexAny(part+"\n", "\"\n ")
				found[part[:end]] = true
			}
		}
	}
	look(value)
	return slices.Sorted(maps.Keys(found))
}

// crdFolders is an environment variable that names folders with more CustomResourceDefinitions, separated as in PATH: such as
// config/crd/bases of a checkout of the Vault Secrets Operator, and of the Secrets Store CSI driver.
const crdFolders = "CRD_FOLDERS"

// schemaModule is a Go module that has schemas in it. It is fetched for them, and not compiled.
type schemaModule struct {
	module, sum string
	// crds and openAPI are patterns of files in it: CustomResourceDefinitions, and Kubernetes' OpenAPI.
	crds, openAPI string
}

func schemaModules() []schemaModule {
	return []schemaModule{
		{module: "k8s.io/client-go@v0.35.4", sum: "h1:DN6fyaGuzK64UvnKO5fOA6ymSjvfGAnCAHAR0C66kD8=",
			openAPI: "openapi/openapitest/testdata/api*__v1_openapi.json"},
		{module: "github.com/external-secrets/external-secrets@v1.3.2", sum: "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
			crds: "config/crds/bases/*external-secrets.io_*.yaml"},
	}
}

// schemaCheck is what tools/openapi/kubernetes reads.
type schemaCheck struct {
	OpenAPI []string `json:"openapi"`
	CRDs    []string `json:"crds"`
	Objects []any    `json:"objects"`
}

// addSchemas adds the schemas of Kubernetes and of the External Secrets Operator, and those that the environment names. The Vault
// Secrets Operator and the Secrets Store CSI driver are no modules of the Go proxy.
func (c *schemaCheck) addSchemas(t *testing.T) {
	t.Helper()
	files := func(pattern string) []string {
		found, err := filepath.Glob(pattern)
		check.Require(t, err == nil && len(found) != 0, "no file is %s: %v", pattern, err)
		return found
	}
	for _, m := range schemaModules() {
		dir := m.fetch(t)
		if m.openAPI != "" {
			c.OpenAPI = append(c.OpenAPI, files(filepath.Join(dir, m.openAPI))...)
		}
		if m.crds != "" {
			c.CRDs = append(c.CRDs, files(filepath.Join(dir, m.crds))...)
		}
	}
	for _, folder := range filepath.SplitList(os.Getenv(crdFolders)) {
		c.CRDs = append(c.CRDs, files(filepath.Join(folder, "*.yaml"))...)
	}
}

type schemaResult struct {
	Kind   string   `json:"kind"`
	Known  bool     `json:"known"`
	Faults []string `json:"faults"`
}

func (c *schemaCheck) run(t *testing.T) []schemaResult {
	t.Helper()
	input := check.Value(json.Marshal(c))(t)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./kubernetes")
	cmd.Dir, cmd.Stdin, cmd.Stderr = "../tools/openapi", bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	check.Require(t, err == nil, "tools/openapi/kubernetes: %v", err)
	var results []schemaResult
	if err := json.Unmarshal(output, &results); err != nil || len(results) != len(c.Objects) {
		t.Fatalf("%d results of %d objects: %v", len(results), len(c.Objects), err)
	}
	return results
}

func (m schemaModule) fetch(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", m.module)
	cmd.Dir = t.TempDir() // outside of our own module, whose go.sum it would write to
	output, err := cmd.Output()
	check.Require(t, err == nil, "fetching %s: %v\n%s", m.module, err, output)
	var fetched struct{ Dir, Sum string }
	check.NoError(t, json.Unmarshal(output, &fetched))
	check.Require(t, fetched.Sum == m.sum, "%s has the sum %s, want %s", m.module, fetched.Sum, m.sum)
	return fetched.Dir
}

// TestKubernetesExamples_MatchSchemas checks each manifest as an API server does that knows its kind.
func TestKubernetesExamples_MatchSchemas(t *testing.T) {
	t.Parallel()
	var wanted schemaCheck
	wanted.addSchemas(t)
	var files []string
	for _, row := range manifestRows(t) {
		for _, document := range readManifest(t, row.file) {
			wanted.Objects, files = append(wanted.Objects, document), append(files, row.file)
		}
	}
	var checked, unknown []string
	for n, r := range wanted.run(t) {
		if !r.Known {
			unknown = append(unknown, r.Kind)
			continue
		}
		checked = append(checked, r.Kind)
		for _, fault := range r.Faults {
			t.Errorf("%s: %s: %s", files[n], r.Kind, fault)
		}
	}
	t.Logf("checked: %s", strings.Join(checked, ", "))
	t.Logf("not checked, since no schema of them is at hand (%s): %s", crdFolders, strings.Join(unknown, ", "))
	for _, kind := range unknown {
		if strings.HasPrefix(kind, "rbac.authorization.k8s.io/") {
			continue // the module lacks it; make kubernetes has an API server check it
		}
		if os.Getenv(crdFolders) != "" || !strings.HasPrefix(kind, "secrets.hashicorp.com/") && !strings.HasPrefix(kind, "secrets-store.csi") {
			t.Errorf("there is no schema of %s", kind)
		}
	}
}
