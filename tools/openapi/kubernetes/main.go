// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command kubernetes checks Kubernetes objects by the published schemas of their kinds, as an API server does that creates an
// object with strict validation, but for the rules written in CEL (x-kubernetes-validations). It reads files of schemas and the
// objects from standard input, and writes what it found to standard output, both as JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"
)

// request is what standard input has.
type request struct {
	// OpenAPI are files of Kubernetes' OpenAPI v3, CRDs are files of CustomResourceDefinitions.
	OpenAPI []string         `json:"openapi"`
	CRDs    []string         `json:"crds"`
	Objects []map[string]any `json:"objects"`
}

// result is about one object.
type result struct {
	// Kind is its apiVersion and its kind, with a blank between them.
	Kind string `json:"kind"`
	// Known says whether there is a schema of the kind.
	Known  bool     `json:"known"`
	Faults []string `json:"faults"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "kubernetes: %v\n", err)
		os.Exit(1)
	}
}

func run(stdin io.Reader, stdout io.Writer) error {
	var r request
	if err := json.NewDecoder(stdin).Decode(&r); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	s := schemas{kinds: map[string]*openapi3.Schema{}}
	for _, file := range r.OpenAPI {
		if err := s.addOpenAPI(file); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	for _, file := range r.CRDs {
		if err := s.addCRDs(file); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	results := make([]result, 0, len(r.Objects))
	for _, object := range r.Objects {
		results = append(results, s.check(object))
	}
	return json.NewEncoder(stdout).Encode(results)
}

// schemas are the schemas of kinds.
type schemas struct {
	kinds map[string]*openapi3.Schema
	// meta is the schema of every object's metadata, which a CRD leaves to the API server.
	meta *openapi3.SchemaRef
}

// addOpenAPI adds the kinds of a document of Kubernetes' OpenAPI v3.
func (s *schemas) addOpenAPI(file string) error {
	document, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return err
	}
	for name, schema := range document.Components.Schemas {
		closeObjects(schema.Value)
		if name == "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" {
			s.meta = schema
		}
		kinds, _ := schema.Value.Extensions["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			kind, _ := kind.(map[string]any)
			s.kinds[kindName(kind["group"], kind["version"], kind["kind"])] = schema.Value
		}
	}
	return nil
}

// addCRDs adds the kinds of a file of CustomResourceDefinitions, in those versions that are served.
func (s *schemas) addCRDs(file string) error {
	reader, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	for decoder := yaml.NewDecoder(reader); ; {
		var definition struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Served bool
					Schema map[string]any
				}
			}
		}
		err := decoder.Decode(&definition)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		spec := definition.Spec
		for _, version := range spec.Versions {
			text, err := json.Marshal(version.Schema["openAPIV3Schema"])
			if err != nil {
				return err
			}
			schema := new(openapi3.Schema)
			if err := json.Unmarshal(text, schema); err != nil {
				return err
			}
			closeObjects(schema)
			if s.meta != nil {
				schema.Properties["metadata"] = s.meta
			}
			if version.Served {
				s.kinds[kindName(spec.Group, version.Name, spec.Names.Kind)] = schema
			}
		}
	}
}

func kindName(group, version, kind any) string {
	return strings.TrimPrefix(fmt.Sprintf("%v/%v %v", group, version, kind), "/")
}

// closeObjects lets objects have no members but those of their schema: with strict validation an API server refuses others.
func closeObjects(schema *openapi3.Schema) {
	rest := &schema.AdditionalProperties
	isOpen, _ := schema.Extensions["x-kubernetes-preserve-unknown-fields"].(bool)
	if schema.Type.Is(openapi3.TypeObject) && rest.Has == nil && rest.Schema == nil && !isOpen {
		rest.Has = new(bool)
	}
	parts := []*openapi3.SchemaRef{schema.Items, rest.Schema}
	for _, property := range schema.Properties {
		parts = append(parts, property)
	}
	for _, part := range parts {
		if part != nil && part.Ref == "" { // what is referred to is closed by itself
			closeObjects(part.Value)
		}
	}
}

// check checks an object.
func (s *schemas) check(object map[string]any) result {
	kind := fmt.Sprintf("%v %v", object["apiVersion"], object["kind"])
	schema, known := s.kinds[kind]
	if !known {
		return result{Kind: kind}
	}
	return result{Kind: kind, Known: true, Faults: faultsOf(schema.VisitJSON(object, openapi3.MultiErrors()))}
}

// faultsOf are the faults in an error of a check, each with the path of the value.
func faultsOf(err error) []string {
	var many openapi3.MultiError
	var one *openapi3.SchemaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		var all []string
		for _, e := range many {
			all = append(all, faultsOf(e)...)
		}
		return all
	case errors.As(err, &one) && one.Origin != nil:
		return faultsOf(one.Origin) // of allOf, of which a single part is wrong
	case errors.As(err, &one):
		return []string{strings.Join(one.JSONPointer(), ".") + ": " + one.Reason}
	default:
		return []string{err.Error()}
	}
}
