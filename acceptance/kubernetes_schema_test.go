// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// crdFolders is an environment variable that names folders with more CustomResourceDefinitions, separated as in PATH: such as
// config/crd/bases of a checkout of the Vault Secrets Operator, and of the Secrets Store CSI driver.
const crdFolders = "CRD_FOLDERS"

// schemaModule is a Go module that has schemas in it. It is fetched for them, and not compiled.
type schemaModule struct {
	module, sum string
	// crds and openAPI are patterns of files in it.
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

// publishedSchemas are the schemas of Kubernetes and of the External Secrets Operator, and those that the environment names. The
// Vault Secrets Operator and the Secrets Store CSI driver are no modules of the Go proxy.
func publishedSchemas(t *testing.T) *harness.Schemas {
	t.Helper()
	schemas := harness.NewSchemas()
	add := func(pattern string, one func(file string) error) {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is %s: %v", pattern, err)
		}
		for _, file := range files {
			if err := one(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range schemaModules() {
		dir := m.fetch(t)
		if m.openAPI != "" {
			add(filepath.Join(dir, m.openAPI), schemas.AddOpenAPI)
		}
		if m.crds != "" {
			add(filepath.Join(dir, m.crds), schemas.AddCRDs)
		}
	}
	for _, folder := range filepath.SplitList(os.Getenv(crdFolders)) {
		add(filepath.Join(folder, "*.yaml"), schemas.AddCRDs)
	}
	return schemas
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
	if err := json.Unmarshal(output, &fetched); err != nil {
		t.Fatal(err)
	}
	if fetched.Sum != m.sum {
		t.Fatalf("%s has the sum %s, want %s", m.module, fetched.Sum, m.sum)
	}
	return fetched.Dir
}

// TestKubernetesExamples_MatchSchemas checks each manifest as an API server does that knows its kind.
func TestKubernetesExamples_MatchSchemas(t *testing.T) {
	t.Parallel()
	schemas := publishedSchemas(t)
	var checked, unknown []string
	for _, row := range manifestRows(t) {
		for n, document := range readManifest(t, row.file) {
			kind := row.kinds[n]
			if !schemas.Knows(kind) {
				unknown = append(unknown, kind)
				continue
			}
			checked = append(checked, kind)
			for _, fault := range schemas.Check(kind, document) {
				t.Errorf("%s: %s: %s", row.file, kind, fault)
			}
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
