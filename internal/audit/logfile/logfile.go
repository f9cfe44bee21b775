// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package logfile reads the lines of log files in one pass and in bounded memory: plain or gzip, told apart by content, of any
// size, cut short or rotated while they are read.
package logfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

const (
	// BlockSize is how many bytes are read at a time. A block holds whole lines.
	BlockSize = 256 << 10
	// MaxLine is the longest line that is looked at, in bytes. A longer one is counted and passed over.
	MaxLine = 8 << 20
)

// Stdin is the name of standard input.
const Stdin = "-"

// Source is one file that is open for reading.
type Source struct {
	// Name is the file as it was given.
	Name string
	// Size is the size of the file in bytes as it is stored, or -1 where nobody knows it.
	Size int64
	// Gzip tells that the content is compressed.
	Gzip bool

	file   *os.File
	opened os.FileInfo
	raw    *counter
	lines  *bufio.Reader
	stdin  bool
}

// Open opens a file, or standard input for the name "-".
func Open(name string, stdin io.Reader) (*Source, error) {
	s := &Source{Name: name, Size: -1}
	if name == Stdin {
		s.stdin = true
		return s, s.begin(stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory: name the files in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s.file, s.opened = file, info
	if info.Mode().IsRegular() {
		s.Size = info.Size()
	}
	if err := s.begin(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// begin finds out what the content is.
func (s *Source) begin(r io.Reader) error {
	s.raw = &counter{r: r}
	buffered := bufio.NewReaderSize(s.raw, 64<<10)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading %s: %w", s.Name, err)
	}
	s.lines = buffered
	if tool := unpackedBy(magic); tool != "" {
		return fmt.Errorf("%s is compressed, and not by gzip: unpack it first (%s)", s.Name, tool)
	}
	if !bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) {
		return nil
	}
	s.Gzip = true
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.Name, err)
	}
	s.lines = bufio.NewReaderSize(unzipped, 64<<10)
	return nil
}

// unpackedBy is what unpacks content that begins like this and cannot be read here, or "". A report of it would say that nobody
// was given anything.
func unpackedBy(magic []byte) string {
	for beginning, tool := range map[string]string{
		"\xfd7zX": "xz -d", "\x28\xb5\x2f\xfd": "zstd -d", "BZh": "bzip2 -d", "PK\x03\x04": "unzip",
	} {
		if bytes.HasPrefix(magic, []byte(beginning)) {
			return tool
		}
	}
	return ""
}

// firstTime is the first time that the beginning of the file tells, without consuming it. A file may begin within a line, or with
// one that is no entry.
func (s *Source) firstTime(timeOf func(line []byte) time.Time) time.Time {
	start, _ := s.lines.Peek(s.lines.Size())
	for line := range bytes.Lines(start) {
		if at := timeOf(line); !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// Consumed is the number of bytes of the file as it is stored that were read so far. It may be called while others read.
func (s *Source) Consumed() int64 { return s.raw.n.Load() }

// Rotated reports whether another file has taken this one's name since it was opened, or it has become shorter.
func (s *Source) Rotated() bool {
	if s.stdin {
		return false
	}
	now, err := os.Stat(s.Name)
	return err != nil || !os.SameFile(now, s.opened) || now.Size() < s.opened.Size()
}

// Same reports whether two sources are one file.
func (s *Source) Same(other *Source) bool {
	return s.opened != nil && other.opened != nil && os.SameFile(s.opened, other.opened)
}

// Is reports whether a name is that of this source's file.
func (s *Source) Is(name string) bool {
	info, err := os.Stat(name)
	return err == nil && s.opened != nil && os.SameFile(info, s.opened)
}

// Close closes the file.
func (s *Source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// Order sorts sources by the first time that their first lines tell; those that tell none come first.
func Order(sources []*Source, timeOf func(line []byte) time.Time) {
	first := make(map[*Source]time.Time, len(sources))
	for _, source := range sources {
		first[source] = source.firstTime(timeOf)
	}
	slices.SortStableFunc(sources, func(a, b *Source) int { return first[a].Compare(first[b]) })
}
