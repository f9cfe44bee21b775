// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package entry

// entry reads a whole line.
func (w *walker) entry(e *Entry) {
	w.object(func(key []byte) {
		switch string(key) {
		case "time":
			e.Written = w.string()
		case "type":
			e.Type = w.string()
		case "error":
			e.Error = w.string()
		case "auth":
			e.Auth = w.auth()
		case "request":
			e.Request = w.asked()
		case "response":
			e.Response = w.answered()
		default:
			w.skip()
		}
	})
}

func (w *walker) auth() *Auth {
	a := new(Auth)
	if !w.object(func(key []byte) {
		switch string(key) {
		case "accessor":
			a.Accessor = w.string()
		case "client_token":
			a.ClientToken = w.string()
		case "display_name":
			a.DisplayName = w.string()
		case "entity_id":
			a.EntityID = w.string()
		case "policies":
			a.Policies = w.texts()
		case "policy_results":
			a.PolicyResults = w.policyResults()
		default:
			w.skip()
		}
	}) {
		return nil
	}
	return a
}

func (w *walker) policyResults() *PolicyResults {
	p := new(PolicyResults)
	if !w.object(func(key []byte) {
		if string(key) == "allowed" {
			p.Allowed = w.isTrue()
			return
		}
		w.skip()
	}) {
		return nil
	}
	return p
}

func (w *walker) asked() *Asked {
	a := new(Asked)
	if !w.object(func(key []byte) {
		switch string(key) {
		case "id":
			a.ID = w.string()
		case "operation":
			a.Operation = w.string()
		case "path":
			a.Path = w.string()
		case "mount_point":
			a.MountPoint = w.string()
		case "namespace":
			a.Namespace = w.member("path")
		case "remote_address":
			a.RemoteAddr = w.string()
		case "data":
			a.Data = w.raw()
		default:
			w.skip()
		}
	}) {
		return nil
	}
	return a
}

func (w *walker) answered() *Answered {
	a := new(Answered)
	if !w.object(func(key []byte) {
		switch string(key) {
		case "auth":
			a.Auth = w.auth()
		case "data":
			a.Data = w.raw()
		case "mount_accessor":
			a.MountAccessor = w.string()
		case "mount_point":
			a.MountPoint = w.string()
		case "secret":
			a.LeaseID = w.member("lease_id")
		case "wrap_info":
			a.WrappingToken = w.member("token")
		default:
			w.skip()
		}
	}) {
		return nil
	}
	return a
}

// member reads one text of an object.
func (w *walker) member(name string) (text string) {
	w.object(func(key []byte) {
		if string(key) == name {
			text = w.string()
			return
		}
		w.skip()
	})
	return text
}

// DecodeToken decodes the data of an answer. What has another type than it should is left empty.
func DecodeToken(data []byte) Token {
	var t Token
	w := &walker{text: data}
	w.object(func(key []byte) {
		switch string(key) {
		case "access_token":
			t.AccessToken = w.string()
		case "token_id":
			t.TokenID = w.string()
		case "previous_token_id":
			t.PreviousTokenID = w.string()
		case "config":
			t.Config = w.string()
		case "issued_at":
			t.IssuedAt = w.string()
		case "expires_at":
			t.ExpiresAt = w.string()
		case "error":
			t.Error = w.string()
		case "tokens":
			t.Tokens = w.revocations()
		default:
			w.skip()
		}
	})
	return t
}

func (w *walker) revocations() map[string]Revocation {
	all := make(map[string]Revocation)
	w.object(func(id []byte) {
		var r Revocation
		w.object(func(key []byte) {
			switch string(key) {
			case "upstream":
				r.Upstream = w.string()
			case "valid_until":
				r.ValidUntil = w.string()
			default:
				w.skip()
			}
		})
		all[string(id)] = r
	})
	return all
}

// Text returns one text of the data.
func Text(data []byte, key string) string {
	w := &walker{text: data}
	return w.member(key)
}
