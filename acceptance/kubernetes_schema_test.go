// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/must"
)

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
		{
			module: "k8s.io/client-go@v0.35.4", sum: "h1:DN6fyaGuzK64UvnKO5fOA6ymSjvfGAnCAHAR0C66kD8=",
			openAPI: "openapi/openapitest/testdata/api*__v1_openapi.json",
		},
		{
			module: "github.com/external-secrets/external-secrets@v1.3.2", sum: "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
			crds: "config/crds/bases/*external-secrets.io_*.yaml",
		},
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
		if err != nil || len(found) == 0 {
			t.Fatalf("no file is %s: %v", pattern, err)
		}
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

// schemaResult is what was found of one object.
type schemaResult struct {
	Kind   string   `json:"kind"`
	Known  bool     `json:"known"`
	Faults []string `json:"faults"`
}

func (c *schemaCheck) run(t *testing.T) []schemaResult {
	t.Helper()
	input := must.Get(json.Marshal(c))(t)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./kubernetes")
	cmd.Dir, cmd.Stdin, cmd.Stderr = "../tools/openapi", bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("tools/openapi/kubernetes: %v", err)
	}
	var results []schemaResult
	if err := json.Unmarshal(output, &results); err != nil || len(results) != len(c.Objects) {
		t.Fatalf("%d results of %d objects: %v", len(results), len(c.Objects), err)
	}
	return results
}

// fetch has Go fetch the module, and returns where it lies.
func (m schemaModule) fetch(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", m.module)
	cmd.Dir = t.TempDir() // outside of our own module, whose go.sum it would write to
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetching %s: %v\n%s", m.module, err, output)
	}
	var fetched struct{ Dir, Sum string }
	must.Do(t, json.Unmarshal(output, &fetched))
	if fetched.Sum != m.sum {
		t.Fatalf("%s has the sum %s, want %s", m.module, fetched.Sum, m.sum)
	}
	return fetched.Dir
}

// TestKubernetesExamples_MatchSchemas checks each manifest as an API server does that knows its kind.
func TestKubernetesExamples_MatchSchemas(t *testing.T) {
	t.Parallel()
	var check schemaCheck
	check.addSchemas(t)
	var files []string
	for _, row := range manifestRows(t) {
		for _, document := range readManifest(t, row.file) {
			check.Objects, files = append(check.Objects, document), append(files, row.file)
		}
	}
	var checked, unknown []string
	for n, r := range check.run(t) {
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
