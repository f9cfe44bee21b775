// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import "strings"

// whoRef names somebody in the table. The first entry stands for all who found no room.
type whoRef int32

const everybodyElse whoRef = 0

// people are those who made requests.
type people struct {
	byKey  map[string]whoRef
	all    []Who
	most   int
	texts  *interner
	logins *recent[string, *method]
	// methods has each auth method once.
	methods map[method]*method
	missed  int64
}

// method is an auth method.
type method struct{ path, accessor string }

func newPeople(most, logins int, texts *interner) *people {
	return &people{
		byKey: make(map[string]whoRef), all: []Who{{DisplayName: "(everybody else)"}}, most: most, texts: texts,
		logins: newRecent[string, *method](logins), methods: make(map[method]*method),
	}
}

// learn keeps by which auth method a Vault token was made.
func (p *people) learn(l *login) {
	m := method{clip(l.method), clip(l.methodAccessor)}
	if p.methods[m] == nil {
		if len(p.methods) >= p.most {
			return
		}
		p.methods[m] = &m
	}
	// A key is short: HMACs and entity ids are random, so their first digits tell them apart.
	for _, key := range []string{loginKey(l.accessor), loginKey(l.entity)} {
		if key != "" {
			p.logins.put(strings.Clone(key), p.methods[m])
		}
	}
}

// loginKey is enough of an HMAC or entity id to tell it from others.
func loginKey(id string) string {
	const most = 16
	id = strings.TrimPrefix(id, "hmac-sha256:")
	return id[:min(len(id), most)]
}

// ref finds or adds somebody.
func (p *people) ref(w Who, accessor string) whoRef {
	key := w.EntityID
	if key == "" {
		key = w.DisplayName + "\x00" + w.Accessor
	}
	ref, known := p.byKey[key]
	if !known {
		if len(p.all) > p.most {
			p.missed++
			return everybodyElse
		}
		ref = whoRef(len(p.all)) //nolint:gosec // most is far below 2^31
		p.all = append(p.all, Who{
			DisplayName: p.texts.text(w.DisplayName), EntityID: w.EntityID, Accessor: w.Accessor, Policies: p.texts.text(w.Policies),
		})
		p.byKey[key] = ref
	}
	p.findMethod(&p.all[ref], accessor)
	return ref
}

// findMethod fills in the auth method as far as it is known.
func (p *people) findMethod(w *Who, accessor string) {
	if w.AuthMethod != "" && !w.GuessedMethod {
		return
	}
	for _, key := range []string{loginKey(accessor), loginKey(w.EntityID)} {
		if m, ok := p.logins.get(key); ok && key != "" {
			w.AuthMethod, w.AuthAccessor, w.GuessedMethod = m.path, m.accessor, false
			return
		}
	}
	if w.AuthMethod == "" {
		w.AuthMethod, w.GuessedMethod = guessMethod(w)
	}
}

// guessMethod derives the auth method from the display name, which Vault makes of the method's path and a name.
func guessMethod(w *Who) (path string, guessed bool) {
	first, _, named := strings.Cut(w.DisplayName, "-")
	switch {
	case strings.HasPrefix(first, "(") || first == "":
		return "", false
	case first == "token" || first == "root":
		return methodPath("token"), true
	case named || w.EntityID != "":
		return methodPath(first), true
	default:
		return "", false
	}
}

func methodPath(name string) string { return "auth/" + name + "/" }
