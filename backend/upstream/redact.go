// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDetail is how many characters of the upstream's text a message may hold.
	maxDetail = 200
	// maxScrubbed is the longest text that is looked at. What is longer is no short error text, and not passed on.
	maxScrubbed = 32 << 10
	// minSecret is the shortest secret that can be told from ordinary words.
	minSecret = 4
	// maxNeedles bounds the work that an answer full of tokens can cause.
	maxNeedles = 400
	// removed stands where a secret stood.
	removed = "[removed]"
)

// scrubber takes our secrets out of the upstream's words. An upstream may echo what it was sent in any encoding: a secret
// is found as it is and in base64, and both of them as a URL, JSON or XML would escape them, whichever characters the
// escaping chooses, up to two layers deep.
type scrubber struct {
	// needles is what to look for, in lower case.
	needles []string
	// mute is set where a secret is so short or so long, or the secrets are so many, that they cannot well be taken out:
	// then nothing of the text is passed on.
	mute bool
}

func newScrubber(secrets []string) *scrubber {
	s := &scrubber{}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		if len(secret) < minSecret || len(secret) > maxScrubbed || len(s.needles) > maxNeedles {
			return &scrubber{mute: true}
		}
		for _, form := range slices.Concat([]string{secret}, escaped(secret), base64Cores(secret)) {
			s.add(form)
			// The text to search will have been made printable, and so must be what to find in it.
			s.add(printable(form))
		}
	}
	return s
}

func (s *scrubber) add(needle string) {
	needle = lower(needle)
	if needle != "" && !slices.Contains(s.needles, needle) {
		s.needles = append(s.needles, needle)
	}
}

// escaped returns how Go's own libraries escape the secret. The decoders find these and many other ways of writing it, but
// they can be led astray by what stands before: in "%10+0" they see %10, and not a 1, a 0 and a space.
func escaped(secret string) []string {
	var xmlText bytes.Buffer
	// Writing to a buffer does not fail, and a string always encodes.
	_ = xml.EscapeText(&xmlText, []byte(secret))
	jsonText, _ := json.Marshal(secret)
	return []string{
		url.QueryEscape(secret), url.PathEscape(secret), xmlText.String(), html.EscapeString(secret),
		string(jsonText[1 : len(jsonText)-1]),
	}
}

// base64Cores returns what base64 makes of the secret whatever stands before and behind it: the characters that depend on
// the secret alone, for each of the three ways in which it can lie on the encoding's groups, in both alphabets.
func base64Cores(secret string) []string {
	var cores []string
	for shift, first := range []int{0, 2, 3} {
		padded := string(make([]byte, shift)) + secret
		last := len(padded) * 8 / 6
		if last-first < minSecret {
			continue
		}
		cores = append(cores,
			base64.StdEncoding.EncodeToString([]byte(padded))[first:last],
			base64.URLEncoding.EncodeToString([]byte(padded))[first:last])
	}
	return cores
}

// clean makes a text of the upstream's fit to be shown: printable, on one line, without our secrets, and short. The secrets
// go before the text is cut, since half of one is one too many.
func (s *scrubber) clean(text string) string {
	if s.mute || len(text) > maxScrubbed {
		return ""
	}
	// A secret that is not UTF-8 may end within a character of the text, hence the second call of printable.
	text = printable(replaceSpans(printable(text), s.find))
	if len(s.find(text)) > 0 {
		// What we put in has completed a secret, or is one itself.
		return ""
	}
	return cut(text, maxDetail)
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

// span is a piece of a text, from its first byte to behind its last.
type span struct{ from, to int }

// replaceSpans puts a mark in place of the spans that find returns. Those that overlap or touch get one mark.
func replaceSpans(text string, find func(string) []span) string {
	spans := find(text)
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	done := 0
	for _, next := range spans {
		if next.from > done || done == 0 {
			b.WriteString(text[done:next.from])
			b.WriteString(removed)
		}
		done = max(done, next.to)
	}
	b.WriteString(text[done:])
	return b.String()
}

// find returns where in the text our secrets stand.
func (s *scrubber) find(text string) []span {
	var spans []span
	for _, v := range views(text) {
		read := lower(v.text)
		for _, needle := range s.needles {
			spans = v.find(read, needle, spans)
		}
	}
	return spans
}

// view is a text as some decoder reads it. Byte i of it comes from what begins at place at[i] in the original text; at has
// one entry more, for the end.
type view struct {
	text string
	at   []int
}

// views returns the text as it is, and as any one or two of the decoders read it.
func views(text string) []view {
	plain := view{text: text, at: make([]int, len(text)+1)}
	for i := range plain.at {
		plain.at[i] = i
	}
	once := plain.decoded()
	all := append([]view{plain}, once...)
	for _, v := range once {
		all = append(all, v.decoded()...)
	}
	return all
}

// find adds to spans where the needle stands; read is the view's text in lower case.
func (v view) find(read, needle string, spans []span) []span {
	for from := 0; ; {
		i := strings.Index(read[from:], needle)
		if i < 0 {
			return spans
		}
		from += i + len(needle)
		spans = append(spans, span{v.at[from-len(needle)], v.at[from]})
	}
}

// decoded returns the view as each of the decoders reads it, leaving out those that find nothing to decode.
func (v view) decoded() []view {
	var found []view
	for _, decode := range []decoder{percentEscape, formEscape, jsonEscape, xmlEscape} {
		if next := v.through(decode); next.text != v.text {
			found = append(found, next)
		}
	}
	return found
}

// through reads the view with a decoder.
func (v view) through(decode decoder) view {
	var b strings.Builder
	at := make([]int, 0, len(v.at))
	for i := 0; i < len(v.text); {
		char, size := decode(v.text[i:])
		if size == 0 {
			char, size = v.text[i:i+1], 1
		}
		b.WriteString(char)
		for range len(char) {
			at = append(at, v.at[i])
		}
		i += size
	}
	return view{text: b.String(), at: append(at, v.at[len(v.text)])}
}

// decoder reads one escaped character at the start of a text and says how many bytes it takes there: 0 if there is none.
type decoder func(text string) (char string, size int)

// percentEscape reads %2F.
func percentEscape(text string) (char string, size int) {
	if len(text) < 3 || text[0] != '%' {
		return "", 0
	}
	n, err := strconv.ParseUint(text[1:3], 16, 8)
	if err != nil {
		return "", 0
	}
	return string([]byte{byte(n)}), 3
}

// formEscape is percentEscape where a plus sign is a space.
func formEscape(text string) (char string, size int) {
	if text[0] == '+' {
		return " ", 1
	}
	return percentEscape(text)
}

// jsonEscape reads what may follow a backslash in a JSON string.
func jsonEscape(text string) (char string, size int) {
	if len(text) < 2 || text[0] != '\\' {
		return "", 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, text[1]); i >= 0 {
		return "\"\\/\b\f\n\r\t"[i : i+1], 2
	}
	first, ok := jsonUnit(text)
	if !ok {
		return "", 0
	}
	if second, ok := jsonUnit(text[6:]); ok && utf16.IsSurrogate(first) {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return string(r), 12
		}
	}
	return string(first), 6
}

// jsonUnit reads \u00e9.
func jsonUnit(text string) (unit rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}

// xmlEscape reads a character reference of XML or HTML, by name or by number.
func xmlEscape(text string) (char string, size int) {
	if text[0] != '&' {
		return "", 0
	}
	end := strings.IndexByte(text[:min(len(text), 12)], ';')
	if end < 0 {
		return "", 0
	}
	reference := text[:end+1]
	char = html.UnescapeString(reference)
	if char == reference {
		return "", 0
	}
	return char, end + 1
}

// lower makes ASCII letters small, whatever the case that an encoding has chosen. It keeps every byte in its place, which
// strings.ToLower does not.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
