// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"hash/maphash"
	"strings"
)

// whoRef names somebody in the table. The first entry stands for all who found no room.
type whoRef int32

const everybodyElse whoRef = 0

// people are those who made requests.
type people struct {
	byKey map[string]whoRef
	// entities has the first name of each entity.
	entities map[string]whoRef

	all    []Who
	most   int
	texts  *interner
	seed   maphash.Seed
	logins *recent[uint64, *method]
	// methods has each auth method once.
	methods map[method]*method
	missed  int64
}

// method is an auth method.
type method struct{ path, accessor string }

func newPeople(most, logins int, texts *interner) *people {
	return &people{
		byKey: make(map[string]whoRef), entities: make(map[string]whoRef),
		all: []Who{{DisplayName: "(everybody else)"}}, most: most, texts: texts,
		logins: newRecent[uint64, *method](logins), seed: maphash.MakeSeed(), methods: make(map[method]*method),
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
	for _, id := range []string{l.accessor, l.entity} {
		if id != "" {
			p.logins.put(maphash.String(p.seed, id), p.methods[m])
		}
	}
}

// ref finds or adds somebody.
func (p *people) ref(w Who, accessor string) whoRef {
	// An entity has a name for each of its aliases, and only one of them may have been taken over.
	key := w.EntityID + "\x00" + w.DisplayName + "\x00" + w.Accessor
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
		if _, met := p.entities[w.EntityID]; !met && w.EntityID != "" {
			p.entities[w.EntityID] = ref
		}
	}
	p.findMethod(&p.all[ref], accessor)
	return ref
}

// person is the same for all names of an entity.
func (p *people) person(ref whoRef) whoRef {
	if first, ok := p.entities[p.all[ref].EntityID]; ok {
		return first
	}
	return ref
}

// findMethod fills in the auth method as far as it is known.
func (p *people) findMethod(w *Who, accessor string) {
	if w.AuthMethod != "" && !w.GuessedMethod {
		return
	}
	for n, id := range []string{accessor, w.EntityID} {
		if m, ok := p.logins.get(maphash.String(p.seed, id)); ok && id != "" {
			w.AuthMethod, w.AuthAccessor, w.GuessedMethod = m.path, m.accessor, n > 0 // an entity may have several methods
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
