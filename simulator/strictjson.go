// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// decodeStrict reads one JSON value, refuses unknown fields and trailing data, and names the field that is wrong. It repeats
// no value: a misplaced one may be a secret.
func decodeStrict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil && decoder.More() {
		return errors.New("there is more than one JSON value")
	}
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is not valid JSON in line %d", 1+bytes.Count(data[:wrong.Offset], []byte("\n")))
	}
	return describeJSON(err)
}

func describeJSON(err error) error {
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("want %s, got a JSON %s", jsonKind(wrong.Type.Kind().String()), wrong.Value)
		}
		// An embedded struct puts its Go name before the field's.
		field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
		return fmt.Errorf("field %q: want %s, got a JSON %s", field, jsonKind(wrong.Type.Kind().String()), wrong.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is not valid JSON: it ends too early")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// jsonKind says in JSON's words what a Go kind is.
func jsonKind(kind string) string {
	switch kind {
	case "struct", "map":
		return "a JSON object"
	case "slice":
		return "a JSON list"
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	default:
		return "a JSON " + kind
	}
}

// parseDuration reads a Go duration; an empty one is zero.
func parseDuration(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf(`field %q: want a Go duration such as "90s" or "1h30m"`, field)
	}
	return d, nil
}
