// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
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
                tails: {type: integer, maximum: 3}
                port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
                knots: {type: array, items: {type: object, properties: {at: {type: boolean}}}}
                labels: {type: object, additionalProperties: {type: string}}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true}
    - name: v0
      served: false
      schema: {openAPIV3Schema: {type: object, properties: {}}}
`

const pods = `{"openapi": "3.0.0", "info": {"title": "toys", "version": "1"}, "paths": {}, "components": {"schemas": {
  "io.k8s.api.core.v1.Pod": {
    "type": "object",
    "properties": {
      "apiVersion": {"type": "string"}, "kind": {"type": "string"},
      "metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}], "default": {}}},
    "x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}]},
  "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "properties": {"name": {"type": "string"}}}
}}}`

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKubernetes_FindsEachFault(t *testing.T) {
	t.Parallel()
	const kite = "{apiVersion: toys.example.com/v1, kind: Kite, "
	const pod = "{apiVersion: v1, kind: Pod, "
	cases := []struct{ object, want string }{
		{kite + "metadata: {name: a}, spec: {colour: red, tails: 3, port: http, knots: [{at: true}]}}", ""},
		{kite + "spec: {colour: blue, port: 80, labels: {a: b}, free: {any: [thing]}}}", ""},
		{kite + "}", `spec: property "spec" is missing`},
		{kite + "spec: {}}", `spec.colour: property "colour" is missing`},
		{kite + "spec: {colour: green}}", `spec.colour: value is not one of the allowed values ["red","blue"]`},
		{kite + "spec: {colour: red, color: red}}", `spec: property "color" is unsupported`},
		{kite + "spec: {colour: red, tails: 4}}", "number must be at most 3"},
		{kite + "spec: {colour: red, tails: '3'}}", "spec.tails: value must be an integer"},
		{kite + "spec: {colour: red, port: [80]}}", "spec.port: "},
		{kite + "spec: {colour: red, knots: [{}, {at: 1}]}}", "spec.knots.1.at: value must be a boolean"},
		{kite + "spec: {colour: red, knots: [{of: 1}]}}", `spec.knots.0: property "of" is unsupported`},
		{kite + "spec: {colour: red, labels: {a: 1}}}", "spec.labels.a: value must be a string"},
		{kite + "metadata: {nam: a}, spec: {colour: red}}", `metadata: property "nam" is unsupported`},
		{pod + "metadata: {name: a}}", ""},
		{pod + "metadata: {nam: a}}", `metadata: property "nam" is unsupported`},
		{pod + "metadata: {name: 1}}", "metadata.name: value must be a string"},
		{pod + "metadata: {name: 1, nam: a}}", `metadata: property "nam" is unsupported; metadata.name: value must be a string`},
		{kite + "spec: {colour: green, tails: 4}}", `["red","blue"]; spec.tails: number`},
		{"{apiVersion: toys.example.com/v0, kind: Kite}", "unknown"},
	}
	r := request{OpenAPI: []string{write(t, "pods.json", pods)}, CRDs: []string{write(t, "kites.yaml", kites)}}
	for _, c := range cases {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(c.object), &object); err != nil {
			t.Fatal(err)
		}
		r.Objects = append(r.Objects, object)
	}
	stdin, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	if err := run(bytes.NewReader(stdin), &stdout); err != nil {
		t.Fatal(err)
	}
	var results []result
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatal(err)
	}
	for n, c := range cases {
		found := strings.Join(results[n].Faults, "; ")
		if !results[n].Known {
			found = "unknown"
		}
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("%s: found %q, want %q", c.object, found, c.want)
		}
	}
}

func TestKubernetes_UnreadableSchemas(t *testing.T) {
	t.Parallel()
	for _, r := range []request{{OpenAPI: []string{"none.json"}}, {CRDs: []string{"none.yaml"}}, {CRDs: []string{write(t, "crd", "spec: [")}}} {
		stdin, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var stdout bytes.Buffer
		if err := run(bytes.NewReader(stdin), &stdout); err == nil || stdout.Len() > 0 {
			t.Errorf("%+v: %v, %s", r, err, stdout.String())
		}
	}
}
