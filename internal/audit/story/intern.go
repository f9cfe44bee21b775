// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import "strings"

// interner keeps one copy of each text that comes again and again.
type interner struct {
	known map[string]string
	most  int
}

func newInterner(most int) *interner { return &interner{known: make(map[string]string), most: most} }

func (i *interner) text(s string) string {
	if s == "" {
		return ""
	}
	if same, ok := i.known[s]; ok {
		return same
	}
	s = strings.Clone(s)
	if len(i.known) < i.most {
		i.known[s] = s
	}
	return s
}
