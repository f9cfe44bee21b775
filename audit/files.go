// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/segmentio/encoding/json"
)

const (
	maxLine   = 8 << 20   // the longest line that is decoded, in bytes; a longer one counts as damaged
	blockSize = 256 << 10 // how many bytes of lines are decoded at a time
)

// source is one file of the log.
type source struct {
	name    string
	err     error        // why it was not read to its end
	size    int64        // bytes, unpacked
	isLog   bool         // it has a line that looks like one of an audit log
	damaged atomic.Int64 // lines
}

// block is a part of a file: whole lines.
type block struct {
	from *source
	text []byte
}

// read reads the file.
func (s *source) read(ctx context.Context, stdin io.Reader, f filter, blocks chan<- block) error {
	if s.name == "-" {
		return s.lines(ctx, stdin, f, blocks)
	}
	file, err := os.Open(s.name) //nolint:gosec // G703: the user names it
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	before, err := file.Stat()
	if err != nil || before.IsDir() {
		return cmp.Or(err, fmt.Errorf("%s is a directory: name the files in it", s.name))
	}
	if err := s.lines(ctx, file, f, blocks); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if after, err := file.Stat(); err != nil || after.Size() < before.Size() {
		return fmt.Errorf("%s was cut off while it was read, by a rotation: read it again together with the file before it", s.name)
	}
	return nil
}

// lines unpacks the text, and sends the lines of it that may matter to blocks.
func (s *source) lines(ctx context.Context, raw io.Reader, f filter, blocks chan<- block) error {
	text := bufio.NewReaderSize(raw, maxLine)
	if magic, _ := text.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(text)
		if err != nil {
			return err
		}
		text = bufio.NewReaderSize(unzipped, maxLine)
	}
	u := make(unwrapper)
	var picked []byte
	for {
		line, err := text.ReadSlice('\n')
		s.size += int64(len(line))
		for errors.Is(err, bufio.ErrBufferFull) {
			s.damaged.Add(1)
			line = nil
			_, err = text.ReadSlice('\n')
		}
		line = u.unwrap(line)
		for _, rest := range u {
			if err != nil { // the file ends within a line
				line = append(append(line, '\n'), rest...)
			}
		}
		s.isLog = s.isLog || mayBeEntry(line)
		if f.wants(line) {
			picked = append(append(picked, line...), '\n')
		} else if isCut(line) {
			s.damaged.Add(1)
		}
		if len(picked) >= blockSize || err != nil {
			select {
			case blocks <- block{s, picked}:
				picked = nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading stopped after %d bytes, and what comes after is missing: %w", s.size, err)
		}
	}
}

// problems are what the reader of the report must know of the file.
func (s *source) problems() (all []string) {
	if s.err != nil {
		all = append(all, "A file could not be read: "+s.err.Error()+".")
	}
	const wants = "This reads what an audit device with format=json writes, plain or gzip."
	switch damaged := s.damaged.Load(); {
	case damaged > 0:
		all = append(all, fmt.Sprintf("%s: %d lines are damaged, and what they told is missing. "+wants, s.name, damaged))
	case s.size > 0 && !s.isLog:
		all = append(all, s.name+": no line in it is one of an audit log. "+wants)
	}
	return all
}

// unwrapper takes off what a container runtime puts around the lines of a log, and joins the parts that it cuts long lines into:
// Docker's {"log":"...\n","stream":"stdout","time":"..."}, and CRI's "<time> stdout F ...", where P instead of F marks a part.
// Parts of stdout and of stderr may alternate: it has those of lines that are not complete yet, by stream.
type unwrapper map[string][]byte

// unwrap returns the line within a line, or nothing where it is not complete yet. What is not wrapped it returns as it is.
func (u unwrapper) unwrap(line []byte) []byte {
	var docker struct{ Log, Stream string }
	if bytes.HasPrefix(line, []byte(`{"log":"`)) && json.Unmarshal(line, &docker) == nil {
		return u.part(docker.Stream, []byte(docker.Log), strings.HasSuffix(docker.Log, "\n"))
	}
	if len(line) > 0 && line[0] >= '0' && line[0] <= '9' {
		const fields = 4
		cri := bytes.SplitN(line, []byte{' '}, fields)
		if len(cri) == fields && (string(cri[1]) == "stdout" || string(cri[1]) == "stderr") {
			return u.part(string(cri[1]), cri[3], !bytes.HasPrefix(cri[2], []byte{'P'}))
		}
	}
	return line
}

func (u unwrapper) part(stream string, content []byte, whole bool) []byte {
	joined := append(u[stream], bytes.TrimRight(content, "\r\n")...)
	if !whole && len(joined) < maxLine {
		u[stream] = joined
		return nil
	}
	delete(u, stream)
	return joined
}
