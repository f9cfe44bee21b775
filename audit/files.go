// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// blockSize is how many bytes are read at a time. A block holds whole lines.
	blockSize = 256 << 10
	// maxLine is the longest line that is decoded, in bytes. A longer one counts as unreadable.
	maxLine = 8 << 20
)

// source is one file that is open for reading.
type source struct {
	name    string
	file    *os.File
	opened  os.FileInfo
	content *bufio.Reader // unpacked
	size    int64         // bytes read, unpacked
}

// openSource opens a file, or standard input for the name "-". What it cannot read is an error that names the file.
func openSource(name string, stdin io.Reader) (*source, error) {
	s := &source{name: name}
	raw := stdin
	if name != stdinName {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		s.file, raw = file, file
		s.opened, err = file.Stat()
		if err == nil && s.opened.IsDir() {
			err = fmt.Errorf("%s is a directory: name the files in it", name)
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	if err := s.unpack(raw); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.close())
	}
	return s, nil
}

// unpack finds out by its first bytes whether the content is compressed.
func (s *source) unpack(raw io.Reader) error {
	s.content = bufio.NewReaderSize(raw, 64<<10)
	magic, err := s.content.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for beginning, tool := range map[string]string{
		"\xfd7zX": "xz -d", "\x28\xb5\x2f\xfd": "zstd -d", "BZh": "bzip2 -d", "PK\x03\x04": "unzip",
	} {
		if bytes.HasPrefix(magic, []byte(beginning)) {
			return fmt.Errorf("it is compressed, and not by gzip: unpack it first (%s)", tool)
		}
	}
	if bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(s.content)
		if err != nil {
			return err
		}
		s.content = bufio.NewReaderSize(unzipped, 64<<10)
	}
	return nil
}

// blocks hands whole lines to take, which owns them. Memory comes from fresh. An error of the file is returned after everything
// that could be read; unreadable counts lines longer than maxLine.
func (s *source) blocks(fresh func() []byte, take func([]byte) error) (unreadable int64, err error) {
	text := fresh()
	for {
		from := len(text)
		text = append(text, make([]byte, max(blockSize-from, blockSize/4))...)
		n, failed := fill(s.content, text[from:])
		s.size += int64(n)
		text = text[:from+n]
		last := bytes.LastIndexByte(text, '\n') + 1
		switch {
		case failed != nil:
			if len(text) > 0 {
				err = take(text)
			}
			if !errors.Is(failed, io.EOF) {
				err = errors.Join(err, failed)
			}
			return unreadable, err
		case last > 0:
			rest := append(fresh(), text[last:]...)
			if err := take(text[:last]); err != nil {
				return unreadable, err
			}
			text = rest
		case len(text) > maxLine:
			unreadable++
			for errors.Is(s.skipLine(), bufio.ErrBufferFull) {
			}
			text = text[:0]
		}
	}
}

func (s *source) skipLine() error {
	skipped, err := s.content.ReadSlice('\n')
	s.size += int64(len(skipped))
	return err
}

// fill reads until the text is full. Other than io.ReadFull it returns the reader's own error, which tells the end of a file from
// damage.
func fill(r io.Reader, text []byte) (n int, err error) {
	for n < len(text) && err == nil {
		var more int
		more, err = r.Read(text[n:])
		n += more
	}
	return n, err
}

// damage says why a file could not be read to its end.
func (s *source) damage(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the compressed file ends too early: what comes after is missing"
	case err != nil:
		return fmt.Sprintf("reading stopped after %d bytes: %s", s.size, err)
	case s.rotated():
		return "was rotated while it was read: what was logged since is in another file"
	default:
		return ""
	}
}

// rotated reports whether another file has taken this one's name since it was opened, or it has become shorter.
func (s *source) rotated() bool {
	if s.file == nil {
		return false
	}
	now, err := os.Stat(s.name)
	return err != nil || !os.SameFile(now, s.opened) || now.Size() < s.opened.Size()
}

func (s *source) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
