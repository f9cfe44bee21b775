// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"

	"github.com/segmentio/encoding/json"
)

// unwrapper takes off what a container runtime puts around the lines of a log, and joins the parts that it cuts long lines into:
// Docker's {"log":"...\n","stream":"stdout","time":"..."}, and CRI's "<time> stdout F ...", where P instead of F marks a part.
// Parts of stdout and of stderr may alternate.
type unwrapper struct {
	parts map[string][]byte // by stream
}

// unwrap returns the line within a line, or nothing where it is not complete yet. What is not wrapped it returns as it is.
func (u *unwrapper) unwrap(line []byte) []byte {
	if bytes.HasPrefix(line, []byte(`{"log":"`)) {
		var docker struct {
			Log    string `json:"log"`
			Stream string `json:"stream"`
		}
		if json.Unmarshal(line, &docker) != nil {
			return line // and is counted as damaged
		}
		return u.part(docker.Stream, []byte(docker.Log), docker.Log == "" || docker.Log[len(docker.Log)-1] == '\n')
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

func (u *unwrapper) part(stream string, content []byte, whole bool) []byte {
	if whole && len(u.parts[stream]) == 0 {
		return content
	}
	if u.parts == nil {
		u.parts = make(map[string][]byte)
	}
	joined := append(u.parts[stream], bytes.TrimRight(content, "\r\n")...)
	if !whole && len(joined) < maxLine {
		u.parts[stream] = joined
		return nil
	}
	delete(u.parts, stream)
	return joined
}

// rest is what a file that ends within a line has left.
func (u *unwrapper) rest() (left []byte) {
	for _, stream := range []string{"stdout", "stderr", ""} {
		left = append(append(left, '\n'), u.parts[stream]...)
	}
	return left
}
