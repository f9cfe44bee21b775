// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// pluginName is part of the mount's type and of its accessor, under the name that the guides register the plugin with: it finds
// the lines of a mount that was moved to another path.
const pluginName = "mastersindia"

// filter finds the lines that the report can need, without decoding them. It may let others pass, and never holds one back: the
// plain letters that it looks for are in a line as they are, however a program writes JSON.
type filter [][]byte

func newFilter(mount string) filter {
	plain := regexp.MustCompile("[0-9A-Za-z_.-]*").FindAll([]byte(mount), -1)
	longest := slices.MaxFunc(plain, func(a, b []byte) int { return len(a) - len(b) })
	// Wrapping, unwrapping and the policy of a wrapping token have "wrap" in them. Mounts are moved and disabled, their leases
	// revoked, and audit devices disabled by lines that need not have the mount's name.
	f := filter{longest, []byte("wrap"), []byte("remount"), []byte("mounts"), []byte("revoke"), []byte("audit")}
	if !bytes.Contains([]byte(pluginName), longest) {
		f = append(f, []byte(pluginName))
	}
	return f
}

// wants reports whether a line must be decoded.
func (f filter) wants(line []byte) bool {
	return slices.ContainsFunc(f, func(needle []byte) bool { return bytes.Contains(line, needle) })
}

// scan takes all files through filter, decoder and classifier, on all processors, to the database. Nothing depends on the order.
// A file that cannot be read is a note, unless there is no other.
func scan(ctx context.Context, o options, stdin io.Reader, s *store) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &classifier{mount: o.mount, leaked: o.leaked}
	sources, blocks := make([]source, len(o.files)), make(chan block)
	var workers sync.WaitGroup
	var adding sync.Mutex // the database takes one fact at a time
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for b := range blocks {
				facts := c.block(b)
				adding.Lock()
				for _, f := range facts {
					if err := s.add(f); err != nil {
						cancel(err)
						break
					}
				}
				adding.Unlock()
			}
		})
	}
	for n := range sources {
		sources[n].name = o.files[n]
		sources[n].err = sources[n].read(ctx, stdin, newFilter(o.mount), blocks)
	}
	close(blocks)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return s.noteFiles(sources)
}

// noteFiles notes what was wrong with the files. It is an error if none could be opened.
func (s *store) noteFiles(sources []source) (err error) {
	var problems []string
	opened := false
	for n := range sources {
		opened, problems = opened || sources[n].err == nil || sources[n].size > 0, append(problems, sources[n].problems()...)
	}
	if !opened {
		return errors.New(strings.Join(problems, "\n"))
	}
	for _, text := range problems {
		err = cmp.Or(err, s.note(true, text))
	}
	return err
}

// block says what the lines of a block tell.
func (c *classifier) block(b block) (facts []*fact) {
	for line := range bytes.Lines(b.text) {
		entries, damaged := decode(line)
		if damaged {
			b.from.damaged.Add(1)
		}
		for _, e := range entries {
			if f := c.classify(e); f != nil {
				f.file = b.from.name
				facts = append(facts, f)
			}
		}
	}
	return facts
}
