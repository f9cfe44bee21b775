// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"math"
	"net/http"
	"strings"
	"time"
)

// maxRetryAfter is the longest pause that an upstream can ask for. More than that is more likely a mistake than a wish.
const maxRetryAfter = time.Hour

// throttled reports whether the upstream asks for a pause.
func (a *response) throttled() bool {
	return a.status == http.StatusTooManyRequests ||
		a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
}

// retryAfter reads the Retry-After header: seconds, or a date, which is compared with the response's own Date since our
// clock may be off. 0 means that it has no usable value.
func (a *response) retryAfter() time.Duration {
	value := strings.TrimSpace(a.header.Get("Retry-After"))
	if digits := strings.TrimLeft(value, "0"); digits != "" && strings.Trim(digits, "0123456789") == "" {
		value = digits // RFC 9110 allows any number of zeros
	}
	if seconds, ok := parseNumber(value); ok {
		return time.Duration(math.Ceil(max(0, min(seconds, maxRetryAfter.Seconds())))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from, ok := a.date()
	if !ok {
		from = a.received.Truncate(time.Second)
	}
	return max(0, min(until.Sub(from), maxRetryAfter))
}
