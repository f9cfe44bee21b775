// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package leak prepares the search for a token that got out: the names that the audit log may have for it.
package leak

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// mostToken bounds a token, in bytes. The vendors' have some hundred.
const mostToken = 64 << 10

// ReadFile reads a token from a file.
func ReadFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	token, err := Read(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return token, nil
}

// Read reads a token, alone or as the value of an Authorization header. No error has any of the text in it.
func Read(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostToken+1))
	if err != nil {
		return "", err
	}
	if len(text) > mostToken {
		return "", fmt.Errorf("this is longer than %d bytes and no token", mostToken)
	}
	words := bytes.Fields(text)
	if len(words) > 0 && bytes.EqualFold(words[0], []byte("Authorization:")) {
		words = words[1:]
	}
	switch len(words) {
	case 0:
		return "", errors.New("there is no token in it")
	case 1:
		return string(words[0]), nil
	case 2:
		return string(words[1]), nil // after a scheme such as JWT or Bearer
	default:
		return "", errors.New("there is more than one token in it: give one, alone or as the value of an Authorization header")
	}
}
