// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"time"
)

// grant is a token that was issued.
type grant struct {
	owner   accountKey
	client  string // oauth: the client that it was issued to
	refresh bool   // a refresh token: no business call takes it
	partner string // jwt v2: the other token of the pair
	expires time.Time
	killed  bool
}

// verdict is what a vendor finds when it looks at a token.
type verdict int

const (
	verdictUnknown verdict = iota
	verdictLive
	verdictExpired
	verdictKilled // killed before its time, or no access token
)

// tokenStore are the tokens that were issued, dead ones too: the vendors distinguish an expired token from an unknown one.
type tokenStore map[string]grant

// kill kills every token for which match is true and that lives still.
func (t tokenStore) kill(now time.Time, match func(string, grant) bool) {
	for token, g := range t {
		if g.isOver(now) || !match(token, g) {
			continue
		}
		g.killed = true
		t[token] = g
	}
}

// isOver reports whether the token was killed or has expired.
func (g grant) isOver(now time.Time) bool { return g.killed || !now.Before(g.expires) }

func (g grant) verdict(now time.Time) verdict {
	switch {
	case g.killed || g.refresh:
		return verdictKilled
	case !now.Before(g.expires):
		return verdictExpired
	default:
		return verdictLive
	}
}

// TokenAlive reports whether a business call would accept the token now.
func (s *Simulator) TokenAlive(token string) bool {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.tokens[token]
	return ok && g.verdict(now) == verdictLive
}

// TokenOwner names the account that a token was issued to, as "protocol/name"; it is "" for a token that was not issued here.
func (s *Simulator) TokenOwner(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.tokens[token]
	if !ok {
		return ""
	}
	return g.owner.String()
}

// KillTokens kills the tokens of an account, as if upstream did so by itself, and returns how many access tokens died; user ""
// means every account of the protocol, p "" every protocol. Refresh tokens die too.
func (s *Simulator) KillTokens(p Protocol, user string) int {
	now := s.clock()
	access := 0
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.kill(now, func(_ string, g grant) bool {
		mine := (p == "" || g.owner.protocol == p) && (user == "" || g.owner.name == user)
		if mine && !g.refresh {
			access++
		}
		return mine
	})
	return access
}

// checkToken is the verdict of a business endpoint of a protocol on a token. Those of other protocols are unknown to it, and the
// log says whose they are.
func (s *Simulator) checkToken(ex *exchange, p Protocol, token string) (grant, verdict) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.tokens[token]
	if !ok || g.owner.protocol != p {
		ex.stranger = g.owner
		return grant{}, verdictUnknown
	}
	return g, g.verdict(now)
}

// recordLogin remembers what a login gave. Where the account has a single session the older tokens die.
func (s *Simulator) recordLogin(a Account, issued map[string]grant) {
	s.reportTokens(issued)
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.SingleSession {
		s.tokens.kill(now, func(_ string, g grant) bool { return g.owner == a.key() })
	}
	s.addTokens(issued, now)
}

// addTokens remembers new tokens and, in long runs, forgets dead ones. mu must be held.
func (s *Simulator) addTokens(issued map[string]grant, now time.Time) {
	maps.Copy(s.tokens, issued)
	if len(s.tokens) >= s.sweepAt {
		maps.DeleteFunc(s.tokens, func(_ string, g grant) bool { return g.isOver(now) })
		s.sweepAt = max(10_000, 2*len(s.tokens))
	}
}

// again gives the token that an account has already, "" where it has none or is to have another. One that is renewed
// ends at expires.
func (s *Simulator) again(a Account, expires time.Time) string {
	if a.SameToken == NewToken {
		return ""
	}
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, g := range s.tokens {
		if g.owner != a.key() || g.verdict(now) != verdictLive {
			continue
		}
		if a.SameToken == TokenRenewed {
			g.expires = expires
			s.tokens[token] = g
		}
		return token
	}
	return ""
}

// reportTokens passes new tokens to OnSecret.
func (s *Simulator) reportTokens(issued map[string]grant) {
	for token, g := range issued {
		what := AccessToken
		if g.refresh {
			what = RefreshToken
		}
		s.onSecret(what, token)
	}
}

// life is when a token issued now begins and ends. The vendors count in whole seconds.
func (s *Simulator) life(ttl time.Duration) (issued, expires time.Time) {
	issued = s.clock().Truncate(time.Second)
	return issued, issued.Add(ttl.Truncate(time.Second))
}

// expiresIn is the member expires_in as the account has it: a number of seconds, an epoch, or either as a string.
func (a Account) expiresIn(issued, expires time.Time) any {
	if a.OmitExpiry {
		return nil
	}
	value := int64(expires.Sub(issued) / time.Second)
	if a.AbsoluteExpiry && a.Protocol == FirstVision {
		value = expires.Unix()
	}
	if a.ExpiresInAsString {
		return formatInt(value)
	}
	return value
}

// randomHex gives n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: see crypto/rand
	return hex.EncodeToString(b)
}
