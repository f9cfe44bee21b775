// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package logfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
)

// Block is a run of whole lines of one file.
type Block struct {
	// Text holds the lines, each with its newline; the last line of a file may have none.
	Text []byte
	// TooLong counts the lines that were passed over after Text, since they are longer than MaxLine.
	TooLong int64
	// Unended tells that Text ends in the middle of a line, since the file does.
	Unended bool
}

// Damage says why a file could not be read to its end.
type Damage struct {
	// CutShort tells that the compressed data ends too early, as in a file that is still being written.
	CutShort bool
	// Err is what reading said.
	Err error
}

// Blocks reads a file from its start to its end and hands each block to take, which keeps it. Memory for blocks comes from fresh,
// which returns an empty slice to append to. An error is take's own; what is wrong with the file is Damage, after everything that
// could be read.
func (s *Source) Blocks(fresh func() []byte, take func(Block) error) (*Damage, error) {
	rest := fresh()
	for {
		block, next, err := s.nextBlock(rest, fresh)
		if len(block.Text) > 0 || block.TooLong > 0 {
			if refused := take(block); refused != nil {
				return nil, refused
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil //nolint:nilnil // read to its end, and nothing wrong
		case err != nil:
			return damage(err), nil
		}
		rest = next
	}
}

// nextBlock reads one block. What comes after its last newline begins the next one.
func (s *Source) nextBlock(text []byte, fresh func() []byte) (block Block, rest []byte, err error) {
	for {
		var n int
		from := len(text)
		text = append(text, make([]byte, max(BlockSize-from, BlockSize/4))...)
		n, err = io.ReadFull(s.lines, text[from:])
		text = text[:from+n]
		if errors.Is(err, io.ErrUnexpectedEOF) && !s.damaged() {
			err = io.EOF
		}
		if err != nil {
			return Block{Text: text, Unended: len(text) > 0 && text[len(text)-1] != '\n'}, nil, err
		}
		if last := bytes.LastIndexByte(text, '\n'); last >= 0 {
			rest = append(fresh(), text[last+1:]...)
			return Block{Text: text[:last+1]}, rest, nil
		}
		if len(text) > MaxLine {
			return s.passOver(fresh)
		}
	}
}

// damaged asks the reader again, since io.ReadFull gives the same error for a file that ends and for one that is damaged.
func (s *Source) damaged() bool {
	_, err := s.lines.Peek(1)
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// passOver skips the rest of a line.
func (s *Source) passOver(fresh func() []byte) (Block, []byte, error) {
	for {
		_, err := s.lines.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return Block{TooLong: 1}, fresh(), err
		}
	}
}

func damage(err error) *Damage {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Damage{CutShort: true, Err: err}
	case errors.As(err, &corrupt), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return &Damage{Err: errors.New("the compressed data is damaged: " + err.Error())}
	default:
		return &Damage{Err: err}
	}
}
