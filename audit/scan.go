// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// batch is what a block of lines tells.
type batch struct {
	facts      []*fact
	unreadable int64
}

// scanner takes files through filter, decoder and classifier, on all processors, to the database.
type scanner struct {
	filter     *filter
	classifier *classifier
	store      *store
	pool       sync.Pool
}

// scan reads all files. A file that cannot be read is a note, unless there is no other.
func scan(ctx context.Context, names []string, stdin io.Reader, c *classifier, s *store) error {
	sc := &scanner{filter: newFilter(c.mount), classifier: c, store: s}
	var notes []string
	var failed []error
	for _, name := range names {
		source, err := openSource(name, stdin)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		unreadable, damage, err := sc.file(ctx, source)
		if err != nil {
			return errors.Join(fmt.Errorf("no report: %w", err), source.close())
		}
		if text := source.damage(damage); text != "" {
			notes = append(notes, name+": "+text+".")
		}
		if unreadable > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d lines are damaged, and what they told is missing. "+
				"This reads what an audit device with format=json writes.", name, unreadable))
		}
		if err := source.close(); err != nil {
			return err
		}
	}
	if len(failed) == len(names) {
		return errors.Join(failed...)
	}
	if err := s.commit(ctx); err != nil {
		return err
	}
	for _, err := range failed {
		notes = append(notes, "A file could not be read: "+err.Error()+".")
	}
	for _, note := range notes {
		if err := s.note(ctx, true, "%s", note); err != nil {
			return err
		}
	}
	return nil
}

// file reads one file. damage is what is wrong with the file; err ends the program. The order of the lines does not matter.
func (sc *scanner) file(ctx context.Context, source *source) (unreadable int64, damage, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, batches := make(chan []byte), make(chan batch)
	var reader, workers sync.WaitGroup
	var tooLong int64
	reader.Go(func() {
		defer close(blocks)
		tooLong, damage = sc.read(ctx, source, blocks)
	})
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for text := range blocks {
				batches <- sc.decode(text)
				sc.recycle(text)
			}
		})
	}
	go func() {
		defer close(batches)
		workers.Wait()
	}()
	for b := range batches {
		unreadable += b.unreadable
		for _, f := range b.facts {
			if err == nil {
				err = sc.store.add(ctx, f)
			}
			if err != nil {
				cancel()
				break
			}
		}
	}
	reader.Wait()
	return unreadable + tooLong, damage, cmp.Or(err, ctx.Err())
}

// read hands the blocks of a file to the workers.
func (sc *scanner) read(ctx context.Context, source *source, blocks chan<- []byte) (tooLong int64, err error) {
	send := func(text []byte) error {
		select {
		case blocks <- text:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	first, _ := source.content.Peek(source.content.Size())
	if line, _, _ := bytes.Cut(bytes.TrimLeft(first, "\r\n"), []byte{'\n'}); !wrapped(line) {
		return source.blocks(sc.fresh, send)
	}
	var u unwrapper
	tooLong, err = source.blocks(sc.fresh, func(text []byte) error {
		lines := u.unwrap(sc.fresh(), text)
		sc.recycle(text)
		return send(lines)
	})
	if rest := u.rest(); len(rest) > 0 {
		err = errors.Join(err, send(rest))
	}
	return tooLong, err
}

// fresh returns memory for a block, so that a log of any size is read in that of a few.
func (sc *scanner) fresh() []byte {
	if text, ok := sc.pool.Get().(*[]byte); ok {
		return (*text)[:0]
	}
	return make([]byte, 0, blockSize)
}

// recycle takes memory back, unless an unusually long line made it large.
func (sc *scanner) recycle(text []byte) {
	if cap(text) <= 4*blockSize {
		sc.pool.Put(&text)
	}
}

// decode goes through the lines of a block.
func (sc *scanner) decode(text []byte) (b batch) {
	for line := range bytes.Lines(text) {
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case !sc.filter.wants(line):
			if !looksLikeEntry(line) && mayBeEntry(line) {
				b.unreadable++
			}
		default:
			e, err := decode(line)
			if err != nil {
				if mayBeEntry(line) {
					b.unreadable++
				}
				continue
			}
			if f := sc.classifier.classify(e); f != nil {
				b.facts = append(b.facts, f)
			}
		}
	}
	return b
}
