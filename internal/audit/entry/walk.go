// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package entry

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// walker goes through JSON and looks only at what is asked for: most of an entry is of no interest, and to pass over it takes a
// fraction of the time that encoding/json needs. It is less strict with what it passes over. Once bad, it finds nothing more.
type walker struct {
	text []byte
	at   int
	bad  bool
}

// next is the next character that is no blank, or 0 at the end.
func (w *walker) next() byte {
	for w.at < len(w.text) {
		switch c := w.text[w.at]; c {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return c
		}
	}
	return 0
}

// take passes over the character c, which must be next.
func (w *walker) take(c byte) {
	if w.bad || w.next() != c {
		w.bad = true
		return
	}
	w.at++
}

// object calls member with each key, to read or pass over the value. What is no object is passed over, and empty is called for.
func (w *walker) object(member func(key []byte)) (found bool) {
	if w.next() != '{' {
		w.skip()
		return false
	}
	w.list('{', '}', func() {
		key := w.quoted()
		w.take(':')
		if !w.bad {
			member(plainKey(key))
		}
	})
	return true
}

// plainKey is a key as it is compared. Vault writes none with escapes; another program's are decoded.
func plainKey(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	return []byte(unquote(key))
}

// texts reads an array of texts.
func (w *walker) texts() []string {
	var all []string
	if w.next() != '[' {
		w.skip()
		return nil
	}
	w.list('[', ']', func() { all = append(all, w.string()) })
	return all
}

// list goes through an object or array, with each for the elements.
func (w *walker) list(open, end byte, each func()) {
	w.take(open)
	if w.next() == end {
		w.at++
		return
	}
	for !w.bad {
		each()
		if w.next() == end && !w.bad {
			w.at++
			return
		}
		w.take(',')
	}
}

// string reads a text, or passes over what is none.
func (w *walker) string() string {
	if w.next() != '"' {
		w.skip()
		return ""
	}
	raw := w.quoted()
	if bytes.IndexByte(raw, '\\') >= 0 || !utf8.Valid(raw) {
		return unquote(raw)
	}
	return string(raw)
}

// unquote decodes what stands between quotes.
func unquote(raw []byte) string {
	var text string
	if err := json.Unmarshal(bytes.Join([][]byte{{'"'}, raw, {'"'}}, nil), &text); err != nil {
		return strings.ToValidUTF8(string(raw), "\ufffd")
	}
	return text
}

// quoted passes over a text, and returns what stands between its quotes.
func (w *walker) quoted() []byte {
	w.take('"')
	start := w.at
	for !w.bad {
		end := bytes.IndexByte(w.text[w.at:], '"')
		if end < 0 {
			break
		}
		w.at += end + 1
		if !escaped(w.text[start : w.at-1]) {
			return w.text[start : w.at-1]
		}
	}
	w.bad = true
	return nil
}

// escaped reports whether what follows the text is escaped: the text ends in an odd number of backslashes.
func escaped(text []byte) bool {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// skip passes over a value.
func (w *walker) skip() {
	for depth := 0; !w.bad; {
		switch w.next() {
		case '"':
			w.quoted()
		case '{', '[':
			depth++
			w.at++
			continue
		case '}', ']':
			depth--
			w.at++
		case ',', ':':
			if depth == 0 {
				w.bad = true
				return
			}
			w.at++
			continue
		case 0:
			w.bad = true
			return
		default:
			w.word()
		}
		if depth < 0 {
			w.bad = true
		}
		if depth <= 0 {
			return
		}
	}
}

// word passes over a number, true, false or null.
func (w *walker) word() {
	start := w.at
	for w.at < len(w.text) && (isPlain(w.text[w.at]) || w.text[w.at] == '+') {
		w.at++
	}
	w.bad = w.bad || w.at == start
}

// raw passes over a value and returns it.
func (w *walker) raw() []byte {
	w.next()
	start := w.at
	w.skip()
	if w.bad {
		return nil
	}
	return w.text[start:w.at]
}

// isTrue reads a bool.
func (w *walker) isTrue() bool { return string(w.raw()) == "true" }
