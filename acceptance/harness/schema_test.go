// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const kites = `
spec:
  group: toys.example.com
  names: {kind: Kite}
  versions:
    - name: v1
      served: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec:
              type: object
              required: [colour]
              properties:
                colour: {type: string, enum: [red, blue]}
                name: {type: string, pattern: '^[a-z]+$', minLength: 2, maxLength: 4}
                tails: {type: integer, minimum: 1, maximum: 3}
                weight: {type: number}
                port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
                knots: {type: array, minItems: 1, maxItems: 2, items: {type: object, properties: {at: {type: boolean}}}}
                labels: {type: object, minProperties: 1, maxProperties: 1, additionalProperties: {type: string}}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true}
                odd: {type: string, not: {enum: [x]}}
    - name: v0
      served: false
      schema: {openAPIV3Schema: {type: object}}
`

const pods = `{"components": {"schemas": {
  "io.k8s.api.core.v1.Pod": {
    "type": "object",
    "properties": {"metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}], "default": {}}},
    "x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}]},
  "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "properties": {"name": {"type": "string"}}}
}}}`

// newToySchemas has the kinds Kite and Pod.
func newToySchemas(t *testing.T) *Schemas {
	t.Helper()
	schemas := NewSchemas()
	for text, add := range map[string]func(string) error{kites: schemas.AddCRDs, pods: schemas.AddOpenAPI} {
		file := filepath.Join(t.TempDir(), "schemas")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := add(file); err != nil {
			t.Fatal(err)
		}
	}
	return schemas
}

func TestSchemas_FindEachFault(t *testing.T) {
	t.Parallel()
	schemas := newToySchemas(t)
	const kite = "toys.example.com/v1 Kite"
	for _, c := range []struct{ kind, object, want string }{
		{kite, "{metadata: {name: a}, spec: {colour: red, name: abc, tails: 3, weight: 1, port: http, knots: [{at: true}]}}", ""},
		{kite, "{spec: {colour: blue, weight: 0.5, port: 80, labels: {a: b}, free: {any: [thing]}}}", ""},
		{kite, "{}", "lacks spec"},
		{kite, "{spec: {}}", "spec: lacks colour"},
		{kite, "{spec: {colour: green}}", "spec.colour: is green, want one of [red blue]"},
		{kite, "{spec: {colour: red, color: red}}", "spec: has color, which its schema does not know"},
		{kite, "{spec: {colour: red, name: ABC}}", "spec.name: is \"ABC\", which does not match"},
		{kite, "{spec: {colour: red, name: a}}", "spec.name: has 1 characters, and its minLength is 2"},
		{kite, "{spec: {colour: red, name: abcde}}", "its maxLength is 4"},
		{kite, "{spec: {colour: red, tails: 0}}", "its minimum is 1"},
		{kite, "{spec: {colour: red, tails: 4}}", "its maximum is 3"},
		{kite, "{spec: {colour: red, tails: '3'}}", "spec.tails: is of the type string, want integer"},
		{kite, "{spec: {colour: red, weight: heavy}}", "is of the type string, want number"},
		{kite, "{spec: {colour: red, port: [80]}}", "spec.port: is a array, want an integer or a string"},
		{kite, "{spec: {colour: red, knots: []}}", "its minItems is 1"},
		{kite, "{spec: {colour: red, knots: [{}, {at: 1}]}}", "spec.knots[1].at: is of the type integer, want boolean"},
		{kite, "{spec: {colour: red, knots: [{of: 1}]}}", "spec.knots[0]: has of, which its schema does not know"},
		{kite, "{spec: {colour: red, labels: {a: 1}}}", "spec.labels.a: is of the type integer, want string"},
		{kite, "{spec: {colour: red, labels: {a: b, c: d}}}", "its maxProperties is 1"},
		{kite, "{spec: {colour: red, odd: y}}", "its schema has not, which this check does not know"},
		{kite, "{metadata: {nam: a}, spec: {colour: red}}", "metadata: has nam, which its schema does not know"},
		{"v1 Pod", "{metadata: {name: a}}", ""},
		{"v1 Pod", "{metadata: {nam: a}}", "metadata: has nam, which its schema does not know"},
		{"v1 Pod", "{metadata: {name: 1}}", "metadata.name: is of the type integer, want string"},
		{"toys.example.com/v0 Kite", "{}", "there is no schema of toys.example.com/v0 Kite"},
	} {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(c.object), &object); err != nil {
			t.Fatal(err)
		}
		found := strings.Join(schemas.Check(c.kind, object), "; ")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%s %s: found %q, want %q", c.kind, c.object, found, c.want)
		}
	}
}
