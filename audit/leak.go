// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

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

// leakedToken reads the leaked token from the file or standard input of the options. It is empty if there is none.
func leakedToken(o options, stdin io.Reader) (string, error) {
	switch {
	case o.tokenStdin:
		return readToken(stdin)
	case o.tokenFile == "":
		return "", nil
	}
	text, err := os.Open(o.tokenFile)
	if err != nil {
		return "", err
	}
	token, err := readToken(text)
	if err = errors.Join(err, text.Close()); err != nil {
		return "", fmt.Errorf("%s: %w", o.tokenFile, err)
	}
	return token, nil
}

// readToken reads a token, alone or as the value of an Authorization header. No error has any of the text in it.
func readToken(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostToken+1))
	if err != nil {
		return "", err
	}
	if len(text) > mostToken {
		return "", fmt.Errorf("this is longer than %d bytes and no token", mostToken)
	}
	// Editors put a byte order mark before a text, and jq puts quotes around it.
	text = bytes.Trim(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), "\"")
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
