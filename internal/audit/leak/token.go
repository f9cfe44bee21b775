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
	"unicode"
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
	// Editors put a byte order mark before a text, and jq puts quotes around it.
	text = bytes.Trim(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), `"`)
	words := bytes.Fields(text)
	if len(words) > 0 && bytes.EqualFold(words[0], []byte("Authorization:")) {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return "", errors.New("there is no token in it")
	case len(words) > 2, len(words) == 2 && !isScheme(words[0]):
		return "", errors.New("there is more than one token in it: give one, alone or as the value of an Authorization header")
	}
	token := words[len(words)-1] // after a scheme such as JWT or Bearer
	if bytes.ContainsFunc(token, inNoToken) {
		return "", errors.New("there is more in it than a token: give it alone in plain text, or as the value of a header")
	}
	return string(token), nil
}

// mostScheme is the longest scheme, in bytes.
const mostScheme = 20

// isScheme tells a scheme from a token.
func isScheme(word []byte) bool {
	return len(word) <= mostScheme && !bytes.ContainsFunc(word, func(r rune) bool {
		return r > unicode.MaxASCII || r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// inNoToken finds what would make a search find nobody: JSON, and texts in UTF-16.
func inNoToken(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
