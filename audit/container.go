// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
)

// unwrapper takes off what a container runtime puts around the lines of a log, and joins the parts that it cuts long lines into:
// Docker's {"log":"...\n","stream":"stdout","time":"..."}, and CRI's "<time> stdout F ...", where P instead of F marks a part.
// Docker cuts at 16 KiB, CRI implementations too. Parts of stdout and of stderr may alternate.
type unwrapper struct {
	parts map[string][]byte // by stream
}

// wrapped reports whether a line looks like one of a container runtime.
func wrapped(line []byte) bool {
	_, _, _, isCRI := cutCRI(line)
	return isCRI || isDocker(line)
}

func isDocker(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"log":"`)) }

// cutCRI splits "<time> <stream> <tag> <content>".
func cutCRI(line []byte) (stream, tag string, content []byte, ok bool) {
	const fields = 4
	parts := bytes.SplitN(line, []byte{' '}, fields)
	if len(parts) < fields || len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return "", "", nil, false
	}
	stream, tag = string(parts[1]), string(parts[2])
	return stream, tag, parts[3], (stream == "stdout" || stream == "stderr") && (tag[:1] == "F" || tag[:1] == "P")
}

// unwrap appends the lines within text to out. A line that is not wrapped is passed through.
func (u *unwrapper) unwrap(out, text []byte) []byte {
	if u.parts == nil {
		u.parts = make(map[string][]byte)
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if isDocker(line) {
			var entry struct{ Log, Stream string }
			if json.Unmarshal(line, &entry) != nil {
				out = append(append(out, line...), '\n') // counted as unreadable
				continue
			}
			content, whole := bytes.CutSuffix([]byte(entry.Log), []byte{'\n'})
			out = u.part(out, entry.Stream, content, whole)
		} else if stream, tag, content, isCRI := cutCRI(line); isCRI {
			out = u.part(out, stream, content, tag[:1] == "F")
		} else {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

func (u *unwrapper) part(out []byte, stream string, content []byte, whole bool) []byte {
	joined := append(u.parts[stream], content...)
	if !whole && len(joined) < maxLine {
		u.parts[stream] = joined
		return out
	}
	delete(u.parts, stream)
	return append(append(out, joined...), '\n')
}

// rest is what a file that ends within a line has left.
func (u *unwrapper) rest() (out []byte) {
	for _, part := range u.parts {
		out = append(append(out, part...), '\n')
	}
	return out
}
