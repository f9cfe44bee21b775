// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
)

// pluginName is part of the mount's type and of its accessor, under the name that the guides register the plugin with: it finds
// the lines of a mount that was moved to another path.
const pluginName = "mastersindia"

// filter finds the lines that the report can need, without decoding them. It may let others pass, and never holds one back: the
// plain letters that it looks for are in a line as they are, however a program writes JSON.
type filter [][]byte

func newFilter(mount string) filter {
	var longest []byte
	for _, part := range bytes.FieldsFunc([]byte(mount), func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	// Wrapping, unwrapping and the policy of a wrapping token have "wrap" in them.
	f := filter{longest, []byte("wrap"), []byte("remount")}
	if !bytes.Contains([]byte(pluginName), longest) {
		f = append(f, []byte(pluginName))
	}
	return f
}

// wants reports whether a line must be decoded.
func (f filter) wants(line []byte) bool {
	for _, needle := range f {
		if bytes.Contains(line, needle) {
			return true
		}
	}
	return false
}

// scan takes all files through filter, decoder and classifier, on all processors, to the database. Nothing depends on the order.
// A file that cannot be read is a note, unless there is no other.
func scan(ctx context.Context, o options, stdin io.Reader, s *store) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &classifier{mount: o.mount, leaked: o.leaked}
	sources, blocks, facts := make([]source, len(o.files)), make(chan block), make(chan []*fact)
	var reader, workers sync.WaitGroup
	reader.Go(func() {
		defer close(blocks)
		for n := range sources {
			sources[n].name = o.files[n]
			sources[n].err = sources[n].read(ctx, stdin, newFilter(o.mount), blocks)
		}
	})
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for b := range blocks {
				facts <- c.block(b)
			}
		})
	}
	reader.Go(func() {
		workers.Wait()
		close(facts)
	})
	var err error
	for some := range facts {
		for _, f := range some {
			if err == nil {
				err = s.add(f)
			}
		}
		if err != nil {
			cancel()
		}
	}
	reader.Wait()
	if err := cmp.Or(err, ctx.Err(), s.flush()); err != nil {
		return err
	}
	return s.noteFiles(sources)
}

// noteFiles notes what was wrong with the files. It is an error if none could be opened.
func (s *store) noteFiles(sources []source) error {
	var failed []error
	opened := false
	for n := range sources {
		opened = opened || sources[n].opened
		failed = append(failed, sources[n].err)
		if text := sources[n].note(); text != "" {
			failed = append(failed, errors.New(text))
		}
	}
	if !opened {
		return errors.Join(failed...)
	}
	for _, err := range failed {
		if err == nil {
			continue
		}
		if err := s.note(true, "%s", err); err != nil {
			return err
		}
	}
	return nil
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
