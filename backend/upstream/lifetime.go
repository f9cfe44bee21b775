// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"math"
	"time"
)

// lifetime is how long the access token lives. If both the response and the token itself have an expiry, the earlier one counts.
func lifetime(acct *Account, a *response, r *grant, access claims) (life time.Duration, problem problemText) {
	stated, found, problem := number(r.expiresIn)
	if problem != "" {
		return 0, problem
	}
	seconds := math.Inf(1)
	switch {
	case found && stated >= epochFrom:
		seconds = epoch(stated) - a.base(access)
	case found:
		seconds = stated * r.lifeUnit.Seconds()
	}
	if access.hasExp {
		seconds = min(seconds, access.exp-a.base(access))
	}
	if !found && !access.hasExp {
		seconds = acct.DefaultTokenTTL.Seconds()
	}
	life = wholeSeconds(seconds)
	if life < minLife {
		return 0, problemLife
	}
	return life, ""
}

// wholeSeconds drops fractions and never overflows.
func wholeSeconds(seconds float64) time.Duration {
	limit := maxLife.Seconds()
	return time.Duration(max(-limit, min(limit, seconds))) * time.Second
}

// base is the moment, on the upstream's clock, that an absolute expiry is counted from: when the token was issued, else
// when the response was. A Date that is later than the token by more than a minute shows that the token was not made
// now: then what is left of it by Date counts. Our own clock is the last resort, as it may be minutes off. More than one
// token's claims may be given; the first that have one count.
func (a *response) base(issued ...claims) float64 {
	const madeNow = 60 // seconds
	date, hasDate := a.date()
	for _, c := range issued {
		if c.hasIat && !(hasDate && float64(date.Unix()) > c.iat+madeNow) {
			return c.iat
		}
		if c.hasIat {
			break
		}
	}
	if hasDate {
		return float64(date.Unix())
	}
	return float64(a.sent.UnixMilli()) / 1000
}

// refreshExpiry is when the refresh token ends, the zero time if that is unknown. It determines how long a token
// can be killed upstream, so that what cannot be read is no reason to refuse a login.
func refreshExpiry(a *response, token string, access claims) time.Time {
	refresh, problem := readClaims(token)
	if problem != "" || !refresh.hasExp {
		return time.Time{}
	}
	return a.sent.Add(max(0, wholeSeconds(refresh.exp-a.base(refresh, access))))
}
