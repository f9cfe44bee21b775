// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

// Health is how an account is doing.
type Health string

// The states of an account.
const (
	StateIdle       Health = "idle"        // no token, and none is needed
	StateReady      Health = "ready"       // a token, and no login has failed since
	StateBackingOff Health = "backing_off" // logins fail; the next attempt waits its turn
	StateRejected   Health = "rejected"    // the upstream refuses the credentials or the request
	StatePaused     Health = "paused"      // stopped by the operator
)

// Health is the state that status/ shows.
func (s *State) Health(now Reading) Health {
	switch f := s.LastFailure(now); {
	case s.Account.Paused:
		return StatePaused
	case f.Refused():
		return StateRejected
	case f != nil:
		return StateBackingOff
	case s.Usable(now):
		return StateReady
	default:
		return StateIdle
	}
}

// Tokens is what is known of the tokens of an account, by their IDs.
type Tokens struct {
	Account *Account
	// Current is the ID of the token that readers are given, unless the account is paused; "" where there is none.
	Current string
	// Unsaved says that storage has not taken the last change, such as a revocation: the next process does not know of it.
	Unsaved bool
	// Out are the unexpired tokens, the current one and revoked ones included: those that Revoke acts on.
	Out map[string]Out
}

// Out is a token that is out.
type Out struct {
	Token *Token
	// Revocable says that it can be revoked upstream.
	Revocable bool
	// Why is why the upstream has not revoked it, as far as it was asked since the account was loaded; else "".
	Why string
}

// Tokens is what is known of the tokens.
func (s *State) Tokens(now Reading) Tokens {
	tokens := Tokens{Account: s.Account, Unsaved: s.MissesUrgent(), Out: make(map[string]Out)}
	for _, t := range s.out(now) {
		tokens.Out[t.ID] = Out{Token: t.withoutSecrets(), Revocable: s.Account.CanRevoke(t)}
	}
	if s.Usable(now) {
		tokens.Current = s.Current.ID
	}
	return tokens
}
