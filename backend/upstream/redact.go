// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxDetail is how many characters of the upstream's text a message may hold.
	maxDetail = 200
	// maxText is the longest text that is looked at, in bytes. What is longer is no short error text, and not passed on.
	maxText = 16 << 10
	// minSecret is the shortest secret, in letters and digits, that can be distinguished from ordinary words.
	minSecret = 6
	// maxSecrets and maxNeedles bound the work that a response full of tokens can cause: bytes, and encodings of secrets.
	maxSecrets = 64 << 10
	maxNeedles = 400
	// window is how many letters and digits in a row a text may not share with a secret. Shorter secrets have shorter windows.
	window = 16
	// maxEscapes is how many layers of escapes are removed from a text.
	maxEscapes = 3
	// omitted stands where a word stood that may be a token. It has no letter or digit, so it can complete no secret.
	omitted = "…"
)

// scrubber keeps secrets out of the upstream's words. A text that holds a secret is not passed on at all.
//
// Secret and text are compared by their ASCII letters and digits alone, in lower case and in a row. So a secret is found
// however the upstream has garbled, wrapped or quoted it: what it may have lost or replaced on the way is none of these.
// Escapes are removed first; base64 and hex are encodings of the secret to look for as well.
type scrubber struct {
	// needles are the secrets in each encoding, as skeletons.
	needles []string
	// mute is set where a secret is so short, or the secrets are so many, that nothing can be passed on.
	mute bool

	escapes *regexp.Regexp
}

func newScrubber(secrets []string) *scrubber {
	s := &scrubber{escapes: regexp.MustCompile(`%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\.`)}
	size := 0
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		size += len(secret)
		if len(skeleton(secret)) < minSecret || size > maxSecrets || len(s.needles) > maxNeedles {
			return &scrubber{mute: true}
		}
		for _, needle := range slices.Concat(s.unescaped(secret), encoded(secret), base64Cores(secret)) {
			if len(needle) >= minSecret && !slices.Contains(s.needles, needle) {
				s.needles = append(s.needles, needle)
			}
		}
	}
	return s
}

// encoded returns the secret in hex and as it is usually escaped. Text that stands before an escape can hide it from
// a reader who removes escapes: in "%10+0" there is %10, and no 1, a space and a 0.
func encoded(secret string) []string {
	return []string{
		skeleton(hex.EncodeToString([]byte(secret))), skeleton(url.QueryEscape(secret)),
		skeleton(strconv.QuoteToASCII(secret)), skeleton(html.EscapeString(secret)),
	}
}

// base64Cores returns what base64 makes of the secret whatever stands before and behind it: the characters that depend on the
// secret alone, for each of the three ways in which it can lie on the encoding's groups.
func base64Cores(secret string) []string {
	var cores []string
	for shift, first := range []int{0, 2, 3} {
		padded := string(make([]byte, shift)) + secret
		last := len(padded) * 8 / 6
		cores = append(cores, skeleton(base64.StdEncoding.EncodeToString([]byte(padded))[first:last]))
	}
	return cores
}

// clean makes a text of the upstream's fit to be shown: printable, on one line, short, without a word that may be a
// token. It is empty where it would show a secret.
func (s *scrubber) clean(text string) string {
	if s.mute || len(text) > maxText || s.shows(text) {
		return ""
	}
	words := strings.Fields(printable(text))
	for i, word := range words {
		if MayBeToken(word) {
			words[i] = omitted
		}
	}
	return cut(strings.Join(words, " "), maxDetail)
}

// shows reports whether a text holds a secret, or most of one.
func (s *scrubber) shows(text string) bool {
	for _, text := range s.unescaped(text) {
		windows := make(map[string]bool, len(text))
		for i := window; i <= len(text); i++ {
			windows[text[i-window:i]] = true
		}
		for _, needle := range s.needles {
			size := min(window, len(needle)-len(needle)/minSecret) // a secret that lost a letter at either end is one still
			for i := size; i <= len(needle); i++ {
				part := needle[i-size : i]
				if windows[part] || size < window && strings.Contains(text, part) {
					return true
				}
			}
		}
	}
	return false
}

// unescaped returns the skeletons of a text as it is and with one layer of escapes after the other removed.
func (s *scrubber) unescaped(text string) []string {
	found := []string{skeleton(text)}
	for range maxEscapes {
		next := html.UnescapeString(s.escapes.ReplaceAllStringFunc(text, unescape))
		if next == text {
			break
		}
		text = next
		found = append(found, skeleton(text))
	}
	return found
}

// unescape reads %41, \u0041 and \x41. Any other character behind a backslash stands for white space or for itself.
func unescape(escape string) string {
	if digits := strings.TrimLeft(escape, `%\ux`); len(escape) > len(`\x`) {
		code, err := strconv.ParseUint(digits, 16, 16)
		if err == nil {
			return string(rune(code))
		}
	}
	if strings.ContainsAny(escape[1:], "bfnrt") {
		return " "
	}
	return escape[1:]
}

// skeleton is a text's ASCII letters and digits, in lower case.
func skeleton(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return -1
		}
	}, text)
}

// MayBeToken reports whether a word is as long as a token and mixed as one is, or longer than any word.
func MayBeToken(word string) bool {
	const short, long = 20, 40
	bare := skeleton(word)
	return len(bare) >= long || len(bare) >= short && strings.ContainsAny(bare, "0123456789") &&
		strings.ContainsFunc(bare, unicode.IsLetter)
}

// printable removes what is not printable or not UTF-8, and makes one space of each run of white space.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return -1
		default:
			return r
		}
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// cut returns the first n characters of a text.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
