// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// plainName is a name as people type one for a parameter. Anything else may be a secret, as where "token=" was forgotten.
var plainName = regexp.MustCompile(`^[A-Za-z_-]{1,30}$`)

// checkNames refuses unknown parameters, so that a typing error is not silently ignored.
func checkNames(accepted []string, data map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if slices.Contains(accepted, name) || isVaultParameter(name) {
			continue
		}
		meant := cmp.Or(closest(name, accepted), containing(name, accepted))
		if meant == "" && !plainName.MatchString(name) {
			return fmt.Errorf("unknown parameter: its name may be a secret, is not repeated here, and is in Vault's audit log now; this "+
				"operation takes %s", cmp.Or(strings.Join(accepted, ", "), "no parameters"))
		}
		if strings.HasPrefix(name, "-") {
			return fmt.Errorf("unknown parameter %s: options of the vault command go before the path, "+
				"as in vault read -field=ttl <path>", quoteName(name))
		}
		if name == "data" {
			return fmt.Errorf("unknown parameter %s: send the parameters as the top level of the JSON, not below data (jq .data)",
				quoteName(name))
		}
		if len(accepted) == 0 {
			return fmt.Errorf("unknown parameter %s: this operation takes no parameters", quoteName(name))
		}
		if meant != "" {
			return fmt.Errorf("unknown parameter %s: did you mean %s?", quoteName(name), meant)
		}
		return fmt.Errorf("unknown parameter %s: this operation takes %s", quoteName(name), strings.Join(accepted, ", "))
	}
	return nil
}

// closest is the accepted name that a typing error, or capitals, would turn into the given one, or "".
func closest(name string, accepted []string) string {
	typingErrors := min(2, len(name)-1) // else nothing would be left of a short name
	if n := slices.IndexFunc(accepted, func(candidate string) bool { return strings.EqualFold(candidate, name) }); n >= 0 {
		return accepted[n]
	}
	return within(typingErrors, name, accepted)
}

// nearest is the accepted name that was most likely meant, or "".
func nearest(name string, accepted []string) string {
	return cmp.Or(closest(name, accepted), containing(name, accepted), within(2*len(name)/3, name, accepted))
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// within is the accepted name with the fewest edits from the given one, at most so many, or "".
func within(edits int, name string, accepted []string) string {
	best, meant := edits+1, ""
	for _, candidate := range accepted {
		if d := editDistance(name, candidate, best); d < best {
			best, meant = d, candidate
		}
	}
	return meant
}

// containing are the accepted names that contain the given one, such as password for pass, or "".
func containing(name string, accepted []string) string {
	const leastPart = 3 // shorter parts match too many names
	if len(name) < leastPart {
		return ""
	}
	whole := slices.DeleteFunc(slices.Clone(accepted), func(candidate string) bool { return !strings.Contains(candidate, name) })
	slices.SortStableFunc(whole, func(a, b string) int { return strings.Index(a, name) - strings.Index(b, name) })
	return strings.Join(whole, " or ")
}

// editDistance counts the letters to insert, drop or replace between a and b; limit is returned for anything that far apart.
// It is our own, since the SDK brings no such function, and the plugin takes on no dependency for one this short.
func editDistance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for n := range row {
		row[n] = n
	}
	for n := range len(a) {
		diagonal := row[0]
		row[0] = n + 1
		for m := range len(b) {
			cost := 1
			if a[n] == b[m] {
				cost = 0
			}
			diagonal, row[m+1] = row[m+1], min(diagonal+cost, row[m]+1, row[m+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
