// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"fmt"
	"slices"
	"time"
)

// leakReport tells who was given the token that got out, and who may have been.
func (c *Collector) leakReport(r *Report, all []joined) *Leak {
	leaked := c.o.Leaked
	if leaked == nil {
		return nil
	}
	out := &Leak{
		TokenID: leaked.TokenID, Checked: notNil(leaked.Checked), Unchecked: notNil(leaked.Unchecked),
		Receivers: []Reading{}, Possible: []Reading{},
	}
	ref := c.tokens.find(c.leaked)
	for _, j := range all {
		if j.token == ref && ref != noToken && j.gave() {
			out.Receivers = append(out.Receivers, c.readingReport(j))
		}
	}
	for n := range r.Tokens {
		if t := &r.Tokens[n]; t.ID == leaked.TokenID {
			out.Token = t
		}
	}
	elsewhere := c.rolesOfOthers(all, ref)
	for _, j := range all {
		if c.mayHaveGiven(j, ref) && !elsewhere[j.role] {
			out.Possible = append(out.Possible, c.readingReport(j))
		}
	}
	if n := c.hiddenReads(all); n > 0 && len(leaked.TokenHMACs) == 0 {
		out.Unchecked = append(out.Unchecked, fmt.Sprintf("%d reads of which the log shows nothing but HMACs: any of them may have "+
			"given the token. Set VAULT_ADDR and VAULT_TOKEN to have Vault hash it", n))
	}
	if c.gaveLeak > 0 {
		out.Unchecked = append(out.Unchecked, fmt.Sprintf("%d reads that gave it outside of the time that was asked for: look without "+
			"-since and -until", c.gaveLeak))
	}
	if c.readings.missed > 0 || c.tokens.missed > 0 {
		out.Unchecked = append(out.Unchecked, "reads that found no room in memory: see the notices, and look at a shorter time span")
	}
	return out
}

// rolesOfOthers are roles that gave tokens of other configs than the leaked token's, and of no config that the log hides. Other
// roles of its config share the token.
func (c *Collector) rolesOfOthers(all []joined, leaked tokenRef) map[string]bool {
	others := make(map[string]bool)
	if leaked == noToken || c.tokens.info(leaked).config == "" {
		return others
	}
	for _, j := range all {
		if !j.gave() {
			continue
		}
		config := ""
		if j.token != noToken {
			config = c.tokens.info(j.token).config
		}
		other := config != "" && config != c.tokens.info(leaked).config
		if before, met := others[j.role]; !met || before {
			others[j.role] = other
		}
	}
	return others
}

// longestRequest is how long a request without an answer may have gone on. Vault ends those that take longer than 90 seconds,
// unless its default_max_request_duration says otherwise.
const longestRequest = 5 * time.Minute

// hiddenReads counts the tokens that were handed out without their token_id in the log.
func (c *Collector) hiddenReads(all []joined) int64 {
	var n int64
	for _, j := range all {
		if j.gave() && (j.token == noToken || c.tokens.info(j.token).name.ID == "") {
			n += j.count
		}
	}
	return n
}

// mayHaveGiven reports whether the log leaves open what these reads gave, and it may have been the token.
func (c *Collector) mayHaveGiven(j joined, ref tokenRef) bool {
	open := j.unanswered || j.wrapped && j.count > j.unwrapped || j.kind == Unwrap && j.token == noToken
	if !open || ref == noToken {
		return open
	}
	info := c.tokens.info(ref)
	if until, err := time.Parse(time.RFC3339, info.expiresAt); err == nil && j.first.After(until) {
		return false
	}
	if from, err := time.Parse(time.RFC3339, info.issuedAt); err == nil && j.last.Add(longestRequest).Before(from) {
		return false
	}
	return true
}

func notNil(all []string) []string {
	if all == nil {
		return []string{}
	}
	return slices.Clone(all)
}
