// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// holders are the objects of a response in which a token or an error may stand: the response itself, and what its
// envelopes hold.
func holders(v any) []map[string]any {
	top, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	found := []map[string]any{top}
	for _, name := range envelopes() {
		if inner, ok := top[name].(map[string]any); ok {
			found = append(found, inner)
		}
	}
	return found
}

// openStrings replaces an envelope's content that is JSON in a string by that JSON.
func openStrings(v any) {
	top, ok := v.(map[string]any)
	if !ok {
		return
	}
	for _, name := range envelopes() {
		text, ok := top[name].(string)
		if !ok {
			continue
		}
		if inner, problem := decodeJSON([]byte(text)); problem == "" {
			top[name] = inner
		}
	}
}

// envelopes are the keys that some versions of the vendor's API put around their content.
func envelopes() []string { return []string{"data", "results"} }

// readJSON reads a response in JSON, whose tokens and their life stand under the keys that the protocol declares.
func readJSON(body []byte, s Spec) *grant {
	v, problem := decodeJSON(body)
	if problem != "" {
		return &grant{problem: problem}
	}
	openStrings(v)
	_, isObject := v.(map[string]any)
	r := &grant{isJSON: true, isObject: isObject, lifeUnit: s.LifeUnit, value: v}
	for _, holder := range holders(v) {
		if r.token = withoutScheme(firstString(holder, s.TokenKeys...)); r.token != "" {
			r.refresh = withoutScheme(firstString(holder, s.RefreshKeys...))
			r.expiresIn = holder[s.LifeKey]
			break
		}
	}
	if r.token != "" && r.expiresIn == nil {
		// An envelope may hold the token alone and leave its life outside.
		if outer, ok := v.(map[string]any); ok {
			r.expiresIn = outer[s.LifeKey]
		}
	}
	r.fault = faultFromJSON(v, r.token != "")
	return r
}

// decodeJSON decodes one JSON value and refuses anything behind it. Numbers keep their text, as an epoch in milliseconds
// or a token's id must not be rounded.
func decodeJSON(body []byte) (v any, problem problemText) {
	body, problem = plainText(body)
	if problem != "" {
		return nil, problem
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, problemCut
		}
		return nil, problemNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, problemTrailing
	}
	return v, ""
}

// firstString returns the first of the named values that is a string and not blank.
func firstString(object map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := object[name].(string); ok && strings.TrimSpace(s) != "" {
			return strings.TrimSpace(s)
		}
	}
	return ""
}

// tokensIn collects every string that stands under one of the keys, at any depth, so that none of them appears in a message.
func tokensIn(v any, keys, found []string) []string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			found = tokensIn(item, keys, found)
		}
	case map[string]any:
		for name, value := range v {
			if slices.Contains(keys, name) {
				found = wordsIn(value, keys, found)
				continue
			}
			found = tokensIn(value, keys, found)
		}
	}
	return found
}

// wordsIn collects the strings of a value that stands where a token may. In a list or an object only those of a single word
// count: Django says in a list of sentences what is wrong with a field.
func wordsIn(v any, keys, found []string) []string {
	switch v := v.(type) {
	case string:
		return append(found, strings.TrimSpace(v))
	case []any:
		for _, item := range v {
			if s, ok := item.(string); !ok || len(strings.Fields(s)) == 1 {
				found = wordsIn(item, keys, found)
			}
		}
	case map[string]any:
		for name, value := range v {
			if s, ok := value.(string); !ok || slices.Contains(keys, name) || len(strings.Fields(s)) == 1 {
				found = wordsIn(value, keys, found)
			}
		}
	}
	return found
}

// namesIn returns the key names of the response's outer objects.
func namesIn(v any) map[string]bool {
	names := map[string]bool{}
	objects := holders(v)
	if list, ok := v.([]any); ok {
		for _, item := range list {
			objects = append(objects, holders(item)...)
		}
	}
	for _, object := range objects {
		for name := range object {
			names[name] = true
		}
	}
	return names
}

// faultFromJSON returns the error in the response, nil if there is none. The shapes are tried from the most
// specific one down. What follows "error" is tried only where there is no token: elsewhere a "detail" may be anything.
func faultFromJSON(v any, hasToken bool) *fault {
	if f := faultFromFirstVision(v); f != nil {
		return f
	}
	for _, holder := range holders(v) {
		if isBareTrue(holder["error"]) || isBareFalse(holder["success"]) {
			return faultFromEnvelope(v)
		}
		if truthy(holder["error"]) || truthy(holder["error_description"]) {
			return faultFromErrorValue(holder["error"], holder["error_description"])
		}
	}
	object, ok := v.(map[string]any)
	if !ok || hasToken {
		return nil
	}
	return faultFromDjango(object)
}

// isBareTrue reports whether an error field says that there is an error and nothing else of it.
func isBareTrue(v any) bool {
	text, _ := v.(string)
	isTrue, _ := v.(bool)
	return isTrue || strings.EqualFold(strings.TrimSpace(text), "true")
}

// isBareFalse reports whether a success field says that there is none.
func isBareFalse(v any) bool {
	text, _ := v.(string)
	isTrue, isBool := v.(bool)
	return isBool && !isTrue || strings.EqualFold(strings.TrimSpace(text), "false")
}

// faultFromEnvelope reads the vendor's business envelope, {"error":true,"message":"...","data":{...}} or with
// "success":false. Only its text distinguishes refused credentials from a service that is down, so it takes a text that
// mentions credentials to be distinguished from an outage.
func faultFromEnvelope(v any) *fault {
	f := &fault{status: http.StatusServiceUnavailable, named: true}
	for _, holder := range holders(v) {
		value := holder["error"]
		if isBareTrue(value) {
			value = nil
		}
		inner := &fault{text: textOf(holder["message"])}
		if truthy(value) || truthy(holder["error_description"]) {
			inner = faultFromErrorValue(value, join(": ", inner.text, textOf(holder["error_description"])))
		}
		f.kind, f.code = cmp.Or(f.kind, inner.kind), cmp.Or(f.code, inner.code)
		f.text = join(": ", f.text, inner.text)
	}
	f.kind = cmp.Or(f.kind, oauthKind(f.text))
	if f.kind == "" && speaksOfCredentials(f.text) {
		f.kind = Rejected
	}
	return f
}

// speaksOfCredentials reports whether a text says that credentials were refused.
func speaksOfCredentials(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{
		"access token", "access_token", "invalid_grant", "invalid grant", "invalid_client", "invalid client", "credential",
		"invalid username", "invalid password", "incorrect username", "incorrect password", "wrong password",
	}, func(phrase string) bool { return strings.Contains(text, phrase) })
}

// faultFromErrorValue reads an "error" of whatever type: mostly a string, but true or an object are seen as well.
func faultFromErrorValue(value, description any) *fault {
	object, ok := value.(map[string]any)
	if !ok {
		return faultFromError(textOf(value), textOf(description))
	}
	for _, name := range []string{"error_cd", "errorCode", "code"} {
		if truthy(object[name]) {
			return faultFromError(textOf(object[name]), join(": ", textOf(object["message"]), textOf(description)))
		}
	}
	return faultFromError(textOf(object["message"]), textOf(description))
}

// faultFromFirstVision reads FirstVision's errors: a list of objects or one of them. Where there are several, the first
// whose code we know speaks for all.
func faultFromFirstVision(v any) *fault {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var first *fault
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok || !truthy(object["errorCode"]) {
			continue
		}
		f := firstVisionFault(object)
		if f.kind != "" {
			return f
		}
		if first == nil {
			first = f
		}
	}
	return first
}

// firstVisionFault reads one such object, in its present form or in the flat one of 2022, which has an errorMessage.
func firstVisionFault(object map[string]any) *fault {
	code := textOf(object["errorCode"])
	reasons := textsOf(object["invalid-params"])
	if reasons == "" {
		reasons = textOf(object["detail"])
	}
	return &fault{
		kind:   firstVisionKind(code),
		status: statusOf(object["status"]),
		code:   code,
		text:   join(": ", textOf(object["title"]), textOf(object["errorMessage"]), reasons),
	}
}

// faultFromDjango reads the error bodies of Django REST framework, by their shape and not by their text.
func faultFromDjango(object map[string]any) *fault {
	if text := textOf(object["detail"]); text != "" {
		return &fault{text: text}
	}
	if text := textOf(object["non_field_errors"]); text != "" {
		return &fault{kind: Rejected, text: text}
	}
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		list, ok := object[name].([]any)
		if !ok || textOf(list) == "" {
			// Lists of texts and nothing else: that distinguishes a field list from any other object.
			return nil
		}
		if looksLikeCode(name) && len(notes) < maxNotes {
			notes = append(notes, name+": "+textOf(list))
		}
	}
	if len(object) == 0 {
		return nil
	}
	return &fault{status: 400, text: strings.Join(notes, "; ")}
}

// maxNotes bounds how many of a response's remarks go into one message.
const maxNotes = 3

// textsOf joins the first few texts of a list.
func textsOf(v any) string {
	list, ok := v.([]any)
	if !ok {
		return textOf(v)
	}
	var texts []string
	for _, item := range list {
		if text := textOf(item); text != "" && len(texts) < maxNotes {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// textOf returns a value's text: that of a string or a number, or the first in a list. Anything else has none.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case []any:
		for _, item := range v {
			if text := textOf(item); text != "" {
				return text
			}
		}
	}
	return ""
}

// truthy reports whether an error field says that there is an error. Types drift between versions of the vendors' servers,
// so that "no error" comes as null, false, 0, "None", an empty list or object, each of these in a string, or a list or
// an object of nothing else.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case json.Number:
		n, err := v.Float64()
		return err != nil || n != 0
	case string:
		return truthyText(v)
	case []any:
		return slices.ContainsFunc(v, truthy)
	case map[string]any:
		for _, inner := range v {
			if truthy(inner) {
				return true
			}
		}
	}
	return false
}

func truthyText(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	switch text {
	case "", "none", "nil":
		return false
	}
	v, problem := decodeJSON([]byte(text))
	if _, isText := v.(string); problem != "" || isText {
		return true
	}
	return truthy(v)
}
