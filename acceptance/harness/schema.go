// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Schemas are the published schemas of kinds of Kubernetes objects. They check what an API server checks when an object is
// created with strict validation, but for the rules written in CEL (x-kubernetes-validations).
type Schemas struct {
	// kinds are by apiVersion and kind, with a blank between them.
	kinds map[string]kindSchema
}

// kindSchema is the schema of a kind, with those that it refers to.
type kindSchema struct {
	schema     map[string]any
	components map[string]any
}

// objectMeta is what every object's metadata is.
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// NewSchemas returns a set of schemas that has none yet.
func NewSchemas() *Schemas { return &Schemas{kinds: map[string]kindSchema{}} }

// Knows reports whether there is a schema of the kind, given as apiVersion and kind with a blank between them.
func (s *Schemas) Knows(kind string) bool {
	_, known := s.kinds[kind]
	return known
}

// AddOpenAPI adds the kinds of a document of Kubernetes' OpenAPI v3.
func (s *Schemas) AddOpenAPI(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	for _, schema := range document.Components.Schemas {
		schema, _ := schema.(map[string]any)
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			kind, _ := kind.(map[string]any)
			group, _ := kind["group"].(string)
			s.kinds[kindName(group, kind["version"], kind["kind"])] = kindSchema{schema, document.Components.Schemas}
		}
	}
	return nil
}

// AddCRDs adds the kinds of a file of CustomResourceDefinitions, in those versions that are served.
func (s *Schemas) AddCRDs(file string) error {
	reader, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	for decoder := yaml.NewDecoder(reader); ; {
		var definition struct {
			Spec struct {
				Group string `yaml:"group"`
				Names struct {
					Kind string `yaml:"kind"`
				} `yaml:"names"`
				Versions []struct {
					Name   string `yaml:"name"`
					Served bool   `yaml:"served"`
					Schema struct {
						Object map[string]any `yaml:"openAPIV3Schema"`
					} `yaml:"schema"`
				} `yaml:"versions"`
			} `yaml:"spec"`
		}
		err := decoder.Decode(&definition)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		spec := definition.Spec
		for _, version := range spec.Versions {
			if version.Served {
				s.kinds[kindName(spec.Group, version.Name, spec.Names.Kind)] = kindSchema{schema: version.Schema.Object}
			}
		}
	}
}

func kindName(group string, version, kind any) string {
	if group == "" {
		return fmt.Sprintf("%v %v", version, kind)
	}
	return fmt.Sprintf("%s/%v %v", group, version, kind)
}

// Check returns what is wrong with an object of a known kind.
func (s *Schemas) Check(kind string, object any) []string {
	known, ok := s.kinds[kind]
	if !ok {
		return []string{"there is no schema of " + kind}
	}
	c := &schemaCheck{components: known.components}
	c.value("", known.schema, object)
	// A CRD leaves the metadata to the API server.
	members, _ := object.(map[string]any)
	metadata, ok := members["metadata"]
	if pod, known := s.kinds["v1 Pod"]; ok && known && c.components == nil {
		c.components = pod.components
		c.value("metadata", map[string]any{"$ref": "#/components/schemas/" + objectMeta}, metadata)
	}
	return c.found
}

// schemaCheck is the check of one object.
type schemaCheck struct {
	components map[string]any
	found      []string
}

func (c *schemaCheck) fault(path, format string, args ...any) {
	c.found = append(c.found, strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...))
}

// value checks a value by a schema. A keyword that is not known here is a fault too: it must not pass unseen.
func (c *schemaCheck) value(path string, schema map[string]any, value any) {
	if schema["format"] == "int-or-string" || isTrue(schema["x-kubernetes-int-or-string"]) {
		if kind := kindOf(value); kind != "integer" && kind != "string" {
			c.fault(path, "is a %s, want an integer or a string", kind)
		}
		return
	}
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		c.keyword(path, keyword, schema[keyword], value)
	}
	switch value := value.(type) {
	case map[string]any:
		c.members(path, schema, value)
	case []any:
		items, _ := schema["items"].(map[string]any)
		for n, item := range value {
			c.value(fmt.Sprintf("%s[%d]", path, n), items, item)
		}
	}
}

// keyword checks a value by one keyword of a schema.
func (c *schemaCheck) keyword(path, keyword string, wanted, value any) {
	text, _ := value.(string)
	switch keyword {
	case "type":
		if got := kindOf(value); got != wanted && (got != "integer" || wanted != "number") {
			c.fault(path, "is of the type %s, want %v", got, wanted)
		}
	case "enum":
		if values, _ := wanted.([]any); !slices.Contains(values, value) {
			c.fault(path, "is %v, want one of %v", value, values)
		}
	case "pattern":
		pattern, err := regexp.Compile(fmt.Sprint(wanted))
		if err != nil || !pattern.MatchString(text) {
			c.fault(path, "is %q, which does not match %v", text, wanted)
		}
	case "minLength", "maxLength":
		c.bound(path, keyword, "characters", utf8.RuneCountInString(text), wanted)
	case "minimum", "maximum":
		number, _ := value.(int)
		c.bound(path, keyword, "as its value", number, wanted)
	case "minProperties", "maxProperties":
		members, _ := value.(map[string]any)
		c.bound(path, keyword, "members", len(members), wanted)
	case "minItems", "maxItems":
		items, _ := value.([]any)
		c.bound(path, keyword, "items", len(items), wanted)
	case "$ref":
		name := strings.TrimPrefix(fmt.Sprint(wanted), "#/components/schemas/")
		schema, ok := c.components[name].(map[string]any)
		if !ok {
			c.fault(path, "its schema %s is not there", name)
		}
		c.value(path, schema, value)
	case "allOf":
		all, _ := wanted.([]any)
		for _, schema := range all {
			schema, _ := schema.(map[string]any)
			c.value(path, schema, value)
		}
	case "required", "properties", "additionalProperties", "items", "x-kubernetes-preserve-unknown-fields": // by members and value
	case "description", "default", "format", "nullable", "title", "example": // say nothing of what is wrong here
	default:
		if !strings.HasPrefix(keyword, "x-kubernetes-") {
			c.fault(path, "its schema has %s, which this check does not know", keyword)
		}
	}
}

// bound checks a count by a keyword that begins with min or max.
func (c *schemaCheck) bound(path, keyword, of string, got int, wanted any) {
	bound, err := parseBound(wanted)
	tooSmall, tooLarge := strings.HasPrefix(keyword, "min") && got < bound, strings.HasPrefix(keyword, "max") && got > bound
	if err != nil || tooSmall || tooLarge {
		c.fault(path, "has %d %s, and its %s is %v", got, of, keyword, wanted)
	}
}

// parseBound reads a bound as JSON or YAML has it.
func parseBound(value any) (int, error) {
	switch value := value.(type) {
	case int:
		return value, nil
	case float64:
		return int(value), nil
	default:
		return 0, fmt.Errorf("%v is no bound", value)
	}
}

// members checks the members of an object: that those are there which must be, and none that the schema does not have.
func (c *schemaCheck) members(path string, schema, object map[string]any) {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := object[fmt.Sprint(name)]; !ok {
			c.fault(path, "lacks %v", name)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	others, open := schema["additionalProperties"].(map[string]any)
	open = open || isTrue(schema["x-kubernetes-preserve-unknown-fields"]) || isTrue(schema["additionalProperties"])
	_, refers := schema["$ref"]
	_, all := schema["allOf"]
	_, named := schema["properties"]
	if !named && (refers || all || path == "metadata") {
		return // what it refers to says it, and of metadata Check does
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		member, ok := properties[name].(map[string]any)
		if !ok && !open {
			c.fault(path, "has %s, which its schema does not know", name)
			continue
		}
		if !ok {
			member = others
		}
		c.value(strings.TrimPrefix(path+"."+name, "."), member, object[name])
	}
}

func isTrue(value any) bool {
	set, _ := value.(bool)
	return set
}

// kindOf is the type of a value in the words of a schema.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case int, int64, uint64:
		return "integer"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	default:
		return fmt.Sprintf("%T", value)
	}
}
