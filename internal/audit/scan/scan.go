// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package scan takes log files through decoding, on all processors, to a collector, in the order of their lines.
package scan

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/logfile"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// Scan is one pass over files.
type Scan struct {
	Filter    *entry.Filter
	Observer  *story.Observer
	Collector *story.Collector
	// Workers is how many blocks are decoded at a time; 0 means one a processor.
	Workers int
}

// batch is what became of one block.
type batch struct {
	text  []byte
	block logfile.Block
	found []*story.Observation
	count story.Input
	done  chan struct{}
}

// Files reads the sources one after the other. An error is that of the context: what is wrong with a file is noted in the answer.
func (s *Scan) Files(ctx context.Context, sources []*logfile.Source) (story.Input, error) {
	var total story.Input
	for _, source := range sources {
		count, note, err := s.file(ctx, source)
		add(&total, count)
		total.Files = append(total.Files, story.File{
			Name: source.Name, Bytes: source.Consumed(), Lines: count.Lines, Gzip: source.Gzip, Note: note,
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// file runs one reader, the workers, and, here, the collector, which takes the batches in the order in which they were read.
func (s *Scan) file(ctx context.Context, source *logfile.Source) (total story.Input, note string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := s.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	pool := newPool()
	work, order := make(chan *batch), make(chan *batch, 2*workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for b := range work {
				s.decode(b)
				close(b.done)
			}
		})
	}
	var wrong *logfile.Damage
	running.Go(func() {
		defer close(order)
		defer close(work)
		wrong, err = source.Blocks(pool.get, func(block logfile.Block) error {
			b := &batch{text: block.Text, block: block, done: make(chan struct{})}
			for _, to := range []chan *batch{order, work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	for b := range order {
		select {
		case <-b.done:
			s.collect(b, &total)
			pool.put(b.text)
		case <-ctx.Done():
		}
	}
	running.Wait()
	return total, noteOf(source, wrong), err
}

// collect takes the observations of a batch.
func (s *Scan) collect(b *batch, total *story.Input) {
	add(total, b.count)
	for _, o := range b.found {
		s.Collector.Add(o)
	}
}

// decode goes through the lines of a batch.
func (s *Scan) decode(b *batch) {
	count := &b.count
	count.Bytes = int64(len(b.text))
	count.TooLong = b.block.TooLong
	count.Lines = b.block.TooLong
	for text := b.text; len(text) > 0; {
		line, rest, ended := bytes.Cut(text, []byte{'\n'})
		text = rest
		count.Lines++
		s.line(b, line, !ended && b.block.Unended)
	}
}

// line decodes one line, if it can concern the mount, and counts it. A last line may be without its end: it counts as cut short
// only where it is no entry.
func (s *Scan) line(b *batch, line []byte, unended bool) {
	count := &b.count
	switch {
	case len(bytes.TrimSpace(line)) == 0:
		count.Empty++
		return
	case !s.Filter.Wants(line):
		switch {
		case entry.LooksLikeEntry(line):
			count.Elsewhere++
		case unended:
			count.CutShort++
		default:
			count.Garbage++
		}
		return
	}
	e, err := entry.Decode(line)
	if err != nil {
		if unended {
			count.CutShort++
		} else {
			count.Garbage++
		}
		return
	}
	o := s.Observer.Observe(e)
	switch {
	case o == nil:
		count.Elsewhere++
		return
	case o.Related():
		count.Related++
	default:
		count.Entries++
	}
	b.found = append(b.found, o)
}

func add(total *story.Input, n story.Input) {
	total.Bytes += n.Bytes
	total.Lines += n.Lines
	total.Entries += n.Entries
	total.Related += n.Related
	total.Elsewhere += n.Elsewhere
	total.Garbage += n.Garbage
	total.TooLong += n.TooLong
	total.CutShort += n.CutShort
	total.Empty += n.Empty
}

// noteOf says what was wrong with a file.
func noteOf(source *logfile.Source, wrong *logfile.Damage) string {
	switch {
	case wrong != nil && wrong.CutShort:
		return "the compressed file ends too early: what comes after is missing"
	case wrong != nil:
		return fmt.Sprintf("reading stopped after %d bytes: %s", source.Consumed(), wrong.Err)
	case source.Rotated():
		return "was rotated while it was read: what was logged since is in another file"
	default:
		return ""
	}
}

// pool hands out memory for blocks, so that a log of any size is read in that of a few.
type pool struct{ free sync.Pool }

func newPool() *pool { return new(pool) }

func (p *pool) get() []byte {
	if text, ok := p.free.Get().(*[]byte); ok {
		return (*text)[:0]
	}
	return make([]byte, 0, logfile.BlockSize)
}

// put takes memory back, unless an unusually long line made it large.
func (p *pool) put(text []byte) {
	if cap(text) <= 4*logfile.BlockSize {
		p.free.Put(&text)
	}
}
