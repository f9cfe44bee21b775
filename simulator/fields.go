// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
)

// fields are the text fields of a request, whichever way they were sent.
type fields struct {
	values  map[string]string
	notText map[string]bool // JSON members that are no strings
}

// Why a body could not be read.
var (
	errMediaType = errors.New("unsupported media type")
	errSyntax    = errors.New("malformed body")
	errNoObject  = errors.New("not a JSON object")
)

// readFields reads a JSON, form or multipart body, as its content type says.
func readFields(contentType string, body []byte) (fields, error) {
	if len(body) == 0 {
		return fields{}, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fields{}, errMediaType
	}
	switch media {
	case "application/json":
		return readJSON(body)
	case "application/x-www-form-urlencoded":
		return readForm(body), nil
	case "multipart/form-data":
		return readMultipart(body, params["boundary"])
	default:
		return fields{}, errMediaType
	}
}

func readJSON(body []byte) (fields, error) {
	if !json.Valid(body) {
		return fields{}, errSyntax
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return fields{}, errNoObject
	}
	f := fields{values: make(map[string]string), notText: make(map[string]bool)}
	for name, member := range members {
		if text, ok := member.(string); ok {
			f.values[name] = text
			continue
		}
		f.notText[name] = member != nil // null counts as missing
	}
	return f, nil
}

func readForm(body []byte) fields {
	form, _ := url.ParseQuery(string(body)) // what is malformed is left out: Django and PHP do not complain either
	f := fields{values: make(map[string]string)}
	for name, values := range form {
		f.values[name] = values[len(values)-1] // of repeated fields Django and PHP take the last
	}
	return f
}

func readMultipart(body []byte, boundary string) (fields, error) {
	if boundary == "" {
		return fields{}, errSyntax
	}
	f := fields{values: make(map[string]string)}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return fields{}, fmt.Errorf("%w: %w", errSyntax, err)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return fields{}, fmt.Errorf("%w: %w", errSyntax, err)
		}
		if part.FileName() == "" {
			f.values[part.FormName()] = string(value)
		}
	}
}
