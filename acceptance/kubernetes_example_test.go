// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"vault-plugin-secrets-mastersindia/internal/must"
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
	const account = "v1 ServiceAccount"
	return []manifestRow{
		{"setup.yaml", []string{
			"v1 Namespace", "v1 Secret", "v1 ConfigMap", account, "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
		}, "", map[string]any{"0 metadata.name": "billing", "1 metadata.name": "vault-ca", "2 metadata.name": "vault-ca"}},
		{"agent-injector.yaml", []string{account, "apps/v1 Deployment"}, "billing", map[string]any{
			"1 spec.template.metadata.annotations.vault|hashicorp|com/agent-inject-secret-header":   "mastersindia/token/billing",
			"1 spec.template.metadata.annotations.vault|hashicorp|com/agent-inject-template-header": agentFile(t, "header.ctmpl"),
			"1 spec.template.spec.serviceAccountName":                                               "billing",
			"1 spec.template.metadata.annotations.vault|hashicorp|com/tls-secret":                   "vault-ca",
		}},
		{"vault-secrets-operator.yaml", []string{
			account, "secrets.hashicorp.com/v1beta1 VaultConnection", "secrets.hashicorp.com/v1beta1 VaultAuth",
			"secrets.hashicorp.com/v1beta1 VaultDynamicSecret",
		}, "billing", map[string]any{
			"3 spec.mount": "mastersindia", "3 spec.path": "token/billing", "3 spec.allowStaticCreds": true,
			"3 spec.destination.transformation.excludeRaw": true,
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
			kinds = append(kinds, textAt(document, "apiVersion")+" "+textAt(document, "kind"))
			if got := textAt(document, "metadata.namespace"); got != "billing" && row.role != "" {
				t.Errorf("%s: a %s in the namespace %q", row.file, textAt(document, "kind"), got)
			}
		}
		if !slices.Equal(kinds, row.kinds) {
			t.Errorf("%s holds %q, want %q", row.file, kinds, row.kinds)
			continue
		}
		for where, want := range row.values {
			number, path, _ := strings.Cut(where, " ")
			if got := valueAt(documents[number[0]-'0'], path); got != want {
				t.Errorf("%s: document %s is %v, want %v", row.file, where, got, want)
			}
		}
		if row.role == "" {
			continue
		}
		if roles := rolesIn(documents); !slices.Equal(roles, []string{row.role}) {
			t.Errorf("%s reads the roles %q, want %q", row.file, roles, row.role)
		}
		if !strings.Contains(string(use), "vault write mastersindia/role/"+row.role+" ") {
			t.Errorf("%s does not make the role %s", useDocument, row.role)
		}
	}
	there := must.Get(filepath.Glob(kubernetesExamples + "/*.yaml"))(t)
	slices.Sort(files)
	if !slices.Equal(there, files) {
		t.Errorf("there are the files %q, and these are checked: %q", there, files)
	}
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
		if err != nil {
			t.Fatalf("%s: document %d: %v", name, len(documents), err)
		}
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

func textAt(value any, path string) string {
	text, _ := valueAt(value, path).(string)
	return text
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
