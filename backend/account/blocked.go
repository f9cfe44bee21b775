// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "vault-plugin-secrets-mastersindia/backend/upstream"

// Blocked is the kind of a login that could not begin, because storage takes no writes, say. The upstream heard nothing of it.
const Blocked upstream.Kind = "blocked"

// blocked is the failure that follows when a login could not begin. A hold that is still running stays as it is: the upstream has
// said nothing that would change it.
func (f *Failure) blocked(err error, env Env, a *Account) *Failure {
	if f.Holds(env.Reading) {
		return f
	}
	next := &Failure{
		Kind: Blocked, Protocol: a.Upstream.Protocol, Message: "a login could not begin: " + err.Error(), At: env.Wall, Consecutive: 1,
		Step: 1, elapsed: env.Elapsed, credentials: credentialsOf(&a.Upstream), err: err,
	}
	switch {
	case f.Refused():
		// The circuit breaker stays open. Its probe comes again when the login can begin.
		kept := *f
		kept.At, kept.elapsed = env.Wall, env.Elapsed
		kept.NextAttempt = env.Wall.Add(longestBackoff)
		return &kept
	case f != nil && f.Kind == Blocked:
		next.Consecutive, next.Step = f.Consecutive+1, f.Step+1
	case f != nil:
		next.Consecutive = f.Consecutive + 1
	}
	next.NextAttempt = env.Wall.Add(backoff(next.Step, longestBackoff*backoffShare))
	return next
}
