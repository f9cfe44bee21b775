// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// params are the parameters of a request, decoded strictly: a value is a string, an int (a number, or whole seconds of a
// duration), a bool, a map[string]string, or reset.
type params map[string]any

// String keeps parameters that stray into a format string or a log line from showing secrets.
func (p params) String() string {
	return "parameters " + strings.Join(slices.Sorted(maps.Keys(p)), ", ")
}

// GoString does the same for %#v.
func (p params) GoString() string { return p.String() }

// MarshalText does the same for JSON.
func (p params) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// reset is the value of a parameter that was named and left empty: back to the default.
type reset struct{}

// emptyRule refuses a secret that was given, and is empty.
const emptyRule = "is empty: standard input, the file or the variable that it came from had nothing in it"

func (p params) named(field string) bool {
	_, ok := p[field]
	return ok
}

// text returns the string of a field, "" where it was not named or left empty.
func (p params) text(field string) string {
	s, _ := p[field].(string)
	return s
}

// problems are the errors in a request, one sentence each, in the order in which they were found. They never repeat a value.
type problems []string

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

// err is nil if there are no problems.
func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	return errors.New(strings.Join(*p, "; "))
}

// decodeParams reads the request's parameters by the schema. It is stricter than the SDK, which takes 500ms for 0 seconds,
// null for "", and repeats values in its errors.
func decodeParams(schema map[string]*framework.FieldSchema, data map[string]any) (params, problems) {
	decoded := make(params, len(data))
	var wrong problems
	for _, field := range slices.Sorted(maps.Keys(data)) {
		s, known := schema[field]
		if !known {
			continue // refused by checkNames, or added by Vault
		}
		// A client may send null where it has no token to reject. Of any other field it is refused, as a wrong type: it would reset a
		// setting, or revoke all tokens.
		if data[field] == "" || data[field] == nil && field == fieldRejectedTokenID {
			decoded[field] = reset{}
			continue
		}
		value, expected := decodeValue(s.Type, data[field])
		if _, isList := data[field].([]any); isList && expected != "" && s.Type != framework.TypeKVPairs {
			expected += ", given once" // the vault command makes a list of a field that is given twice
		}
		if expected != "" {
			wrong.add(field, "must be %s", expected)
			continue
		}
		decoded[field] = value
	}
	return decoded, wrong
}

// warnOfTyping warns of durations that were typed without a unit and are brief: hours or days may have been meant; of a
// percentage of 1, which may have been meant as a share; and of nothing at all: Vault drops the query of a POST, and curl sends
// an empty body where its file is missing. A JSON number, as in an export, was not typed.
func warnOfTyping(resp *logical.Response, schema map[string]*framework.FieldSchema, data map[string]any) {
	const brief = 300
	const mostHours = 9600 // of ledger_retention: 2160 may have been meant as 90 days
	if len(data) == 0 {
		resp.AddWarning("No field was given, and nothing was changed: write again with one in the body.")
	}
	for _, field := range slices.Sorted(maps.Keys(data)) {
		typed, _ := data[field].(string)
		n, err := strconv.Atoi(typed)
		isHours := n < brief || field == "ledger_retention" && n <= mostHours
		if s := schema[field]; err == nil && s != nil && s.Type == framework.TypeDurationSecond && field != "request_timeout" &&
			n > 0 && isHours {
			resp.AddWarning(fmt.Sprintf("No unit was given, so %s is %d seconds: for hours, write again with %s=%dh.",
				field, n, field, n))
		}
		if field == "rotation_percent" && n == 1 {
			resp.AddWarning("rotation_percent=1 is one hundredth of a token's life: of an hour, a login every 36 seconds. " +
				"For the whole life, write again with rotation_percent=100.")
		}
	}
}

// warnOfReset warns of settings that were given empty, as by a variable that is not set, where that has changed them.
func (p params) warnOfReset(resp *logical.Response, changed []string) {
	names := slices.DeleteFunc(changed, func(field string) bool { return p[field] != reset{} })
	if len(names) > 0 {
		resp.AddWarning(fmt.Sprintf("%s: given empty, and reset to the default. If a value was meant, write again with it.",
			fieldNames(names)))
	}
}

// joinedPairs is a value that has swallowed the pair behind it.
var joinedPairs = regexp.MustCompile(`,\s*[A-Za-z][\w-]*=`)

// warnOfJoinedPairs warns of pairs that a comma joins, as in a list of tags.
func (p params) warnOfJoinedPairs(resp *logical.Response) {
	for _, field := range slices.Sorted(maps.Keys(p)) {
		pairs, _ := p[field].(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(pairs)) {
			if joinedPairs.MatchString(pairs[name]) {
				resp.AddWarning(fmt.Sprintf("The value of %s in %s has a comma and what looks like another pair in it. If it is "+
					"one, write again with %s=... for each pair.", name, field, field))
			}
		}
	}
}

// decodeValue returns the value, or what it should have been.
func decodeValue(t framework.FieldType, raw any) (value any, expected string) {
	switch t {
	case framework.TypeString:
		s, ok := raw.(string)
		return s, unless(ok, "a string")
	case framework.TypeBool:
		b, ok := decodeBool(raw)
		return b, unless(ok, "true or false")
	case framework.TypeInt:
		n, ok := decodeInt(raw)
		return n, unless(ok, "a whole number, without a unit")
	case framework.TypeDurationSecond:
		n, ok := decodeSeconds(raw)
		return n, unless(ok, "whole seconds, such as 90, or a duration of whole seconds, such as 90s, 15m or 24h")
	case framework.TypeKVPairs:
		m, ok := decodePairs(raw)
		return m, unless(ok, "name=value pairs, such as Productid=einvoicing_global, each name once; in JSON a map of strings")
	default:
		return nil, "left out: this field cannot be set"
	}
}

func unless(ok bool, expected string) string {
	if ok {
		return ""
	}
	return expected
}

func decodeBool(raw any) (value, ok bool) {
	switch v := raw.(type) {
	case bool:
		return v, true
	case string:
		b, err := strconv.ParseBool(v)
		return b, err == nil
	default:
		return false, false
	}
}

// beyondLimits stands for every number that is as great or greater, and its negative accordingly. It is beyond the limits of
// every field, and as a duration in seconds the SDK can hold it.
const beyondLimits = math.MaxInt32

// decodeInt takes the forms in which a whole number arrives: as text from the command line, as float64 over gRPC, as
// json.Number or int from within Vault.
func decodeInt(raw any) (int, bool) {
	switch v := raw.(type) {
	case int:
		return min(max(v, -beyondLimits), beyondLimits), true
	case int64:
		return int(min(max(v, -beyondLimits), beyondLimits)), true
	case float64:
		return int(min(max(v, -beyondLimits), beyondLimits)), v == math.Trunc(v)
	case json.Number:
		return decodeInt(string(v))
	case string:
		n, err := strconv.Atoi(v)
		if _, isNumber := new(big.Int).SetString(v, 10); isNumber && errors.Is(err, strconv.ErrRange) {
			return decodeInt(n)
		}
		if err != nil || strconv.Itoa(n) != v { // the SDK reads 010 as 8, and refuses 08 with the value in its message
			return 0, false
		}
		return decodeInt(n)
	default:
		return 0, false
	}
}

// decodeSeconds takes a number of seconds or a Go duration; what is not whole seconds is refused and not rounded.
func decodeSeconds(raw any) (int, bool) {
	if n, ok := decodeInt(raw); ok {
		return n, n >= 0
	}
	text, ok := raw.(string)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	if err != nil && isTooLong(text) {
		return beyondLimits, true
	}
	if err != nil || d < 0 || d%time.Second != 0 {
		return 0, false
	}
	return decodeInt(int(d / time.Second))
}

// isTooLong reports whether a text that is no Go duration would be one with smaller numbers in it.
func isTooLong(text string) bool {
	d, err := time.ParseDuration(regexp.MustCompile(`\d+`).ReplaceAllString(text, "1"))
	return err == nil && d > 0
}

func decodePairs(raw any) (map[string]string, bool) {
	pairs := make(map[string]string)
	switch v := raw.(type) {
	case map[string]string:
		return maps.Clone(v), true
	case map[string]any:
		for key, value := range v {
			text, ok := value.(string)
			if !ok {
				return nil, false
			}
			pairs[key] = text
		}
		return pairs, true
	case []any:
		for _, value := range v {
			text, ok := value.(string)
			if !ok || !addPair(pairs, text) {
				return nil, false
			}
		}
		return pairs, true
	case []string:
		for _, text := range v {
			if !addPair(pairs, text) {
				return nil, false
			}
		}
		return pairs, true
	case string:
		return pairs, addPair(pairs, v)
	default:
		return nil, false
	}
}

// addPair adds a pair written as name=value. It refuses a second value for a name, and a pair without a name, because the SDK
// would repeat its value in an error.
func addPair(pairs map[string]string, text string) bool {
	key, value, ok := strings.Cut(text, "=")
	if _, twice := pairs[key]; !ok || key == "" || twice {
		return false
	}
	pairs[key] = value
	return true
}

// isVaultParameter reports whether Vault, OpenBao or one of their clients adds the parameter by itself.
func isVaultParameter(name string) bool {
	return slices.Contains([]string{"list", "help", "scan", "after", "limit", "version"}, name)
}
