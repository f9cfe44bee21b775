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
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/segmentio/encoding/json"
)

const (
	// pluginName is part of the mount's type and accessor, as the guides have it: it finds the lines of a mount that was moved.
	pluginName = "mastersindia"
	maxLine    = 8 << 20   // the longest line that is decoded, in bytes; a longer one counts as damaged
	blockSize  = 256 << 10 // how many bytes of lines are decoded at a time
)

var (
	// rotatedName is the name of a file, with the number that logrotate gave it: no part of an address or of a date.
	rotatedName = regexp.MustCompile(`(?s)^(.*?)(?:([a-z])\.(\d{1,3}))?(?:\.gz)?$`)
	dateInName  = regexp.MustCompile(`[-._]?((year=)?20\d\d[-._/]?(month=)?\d\d[-._/]?(day=)?\d\d|\b1\d{9}\b)` +
		`([-T_./]?(hour=)?\d\d([-:]?\d\d([-:]?\d\d(\.\d+)?)?)?Z?(\b|_))?`)
	notDigit   = regexp.MustCompile(`\D`)
	criPattern = regexp.MustCompile(`^\d[^ ]* (stdout|stderr) (P?)[^ ]* `)
	// entryPattern finds names and HMACs of an entry, also where it is a text within another text, and zeros, which UTF-16 has, too.
	entryPattern = regexp.MustCompile(`(request|response|auth|accessor)\\*"\s*:|type\\*"\s*:\s*\\*"re|\{"time"|hmac-sha256:|\x00`)
)

// filter finds the lines that the report can need, and perhaps others: plain letters are in a line however a program writes JSON.
type filter [][]byte

func newFilter(mount string) filter {
	plain := regexp.MustCompile("[0-9A-Za-z_.-]*").FindAll([]byte(mount), -1)
	longest := slices.MaxFunc(plain, func(a, b []byte) int { return len(a) - len(b) })
	// Wrappings, moves, ends of leases and of audit devices, and tokens of other mounts need not have the mount's name: these are in
	// wrap, cubbyhole, remount, mounts, revoke, audit and last_vault_rotation. A word that begins rarely is found sooner.
	words := bytes.Fields([]byte("wrap yhole remount unts voke udit vault_rotation " + pluginName))
	return append(slices.DeleteFunc(words, func(word []byte) bool { return bytes.Contains(word, longest) }), longest)
}

// wants reports whether a line must be decoded.
func (f filter) wants(line []byte) bool {
	return slices.ContainsFunc(f, func(needle []byte) bool { return bytes.Contains(line, needle) })
}

// scan takes all files, in whatever order, to the database. One that cannot be read is a note, unless there is no other.
func scan(ctx context.Context, o options, stdin io.Reader, s *store) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &classifier{mount: o.mount, leaked: o.leaked}
	sources, blocks := make([]source, len(o.files)), make(chan block)
	var workers sync.WaitGroup
	var adding sync.Mutex // the database takes one fact at a time, so that more than four workers would wait
	for range min(runtime.GOMAXPROCS(0), 4) {
		workers.Go(func() {
			for b := range blocks {
				facts := c.block(b)
				adding.Lock()
				err := s.insert("source", b.from.name, b.from.series, notDigit.ReplaceAllString(dateInName.FindString(b.from.name), ""))
				for _, f := range facts {
					err = cmp.Or(err, s.add(f))
				}
				for _, ns := range b.moments {
					err = cmp.Or(err, s.insert("moment", b.from.series, ns))
				}
				if err != nil {
					cancel(err)
				}
				adding.Unlock()
			}
		})
	}
	for n := range sources {
		parts := rotatedName.FindStringSubmatch(o.files[n])
		sources[n].name, sources[n].series = o.files[n], dateInName.ReplaceAllString(parts[1]+parts[2], "")
		sources[n].err = sources[n].read(ctx, stdin, newFilter(o.mount), blocks)
	}
	close(blocks)
	workers.Wait()
	return cmp.Or(context.Cause(ctx), s.noteFiles(sources))
}

// noteFiles notes what was wrong with the files. It is an error if none could be opened.
func (s *store) noteFiles(sources []source) (err error) {
	const wants = "This reads what an audit device with format=json writes, with paths, plain or gzip."
	var problems []string
	opened := false
	given := make(map[string][]int) // numbers of rotated files, of audit.log, audit.log.1, audit.log.2.gz
	for n := range sources {
		file, damaged := &sources[n], sources[n].damaged.Load()
		parts := rotatedName.FindStringSubmatch(file.name)
		number, _ := strconv.Atoi(parts[3]) // none is 0
		given[parts[1]+parts[2]] = append(given[parts[1]+parts[2]], number)
		opened = opened || file.err == nil || file.size > 0
		if file.err != nil {
			problems = append(problems, "A file could not be read: "+file.err.Error()+".")
		}
		if damaged > 0 {
			problems = append(problems, fmt.Sprintf("%s: %d lines are damaged or too long, and missing here. "+wants, file.name, damaged))
		} else if file.size > 0 && !file.isLog {
			problems = append(problems, file.name+": no line in it is one of an audit log. "+wants)
		}
	}
	for name, numbers := range given {
		slices.Sort(numbers)
		for n, number := range numbers[1:] {
			if number > numbers[n]+1 {
				problems = append(problems, fmt.Sprintf("%s.%d is not among the files, and may be missing.", name, numbers[n]+1))
			}
		}
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
	asked := make(map[string]*fact) // by id
	for line := range bytes.Lines(b.text) {
		entries, damaged := decode(line)
		if damaged {
			b.from.damaged.Add(1)
		}
		for _, e := range entries {
			f := c.classify(e)
			if f == nil || e.Request.Operation == "help" { // which Vault logs without the request's ID
				continue
			}
			f.file = b.from.name
			r := asked[f.id]
			if r != nil && r.ended == 0 && f.ended != 0 && r.path == f.path && r.caller == f.caller && r.missing == f.missing {
				f.began, f.accessor, f.why, f.rows = r.began, max(f.accessor, r.accessor), max(f.why, r.why), append(f.rows, r.rows...)
				f.operation, f.remote, f.port = max(f.operation, r.operation), max(f.remote, r.remote), max(f.port, r.port)
				*r = *f // most requests and responses stand close to each other: one row for both is faster
			} else {
				facts, asked[f.id] = append(facts, f), f
			}
		}
	}
	return facts
}

// source is one file of the log.
type source struct {
	name    string
	series  string       // the file and those that it was rotated with: the log of one device of one node
	err     error        // why it was not read to its end
	size    int64        // bytes, unpacked
	isLog   bool         // it has a line that looks like one of an audit log
	first   string       // the time of its earliest line
	minute  string       // of the line that was read last, as that begins its time
	damaged atomic.Int64 // lines
}

// block is a part of a file: whole lines, and the times of the first line of each minute, also of lines that it does not have.
type block struct {
	from    *source
	text    []byte
	moments []int64 // nanoseconds since 1970
}

func (s *source) read(ctx context.Context, stdin io.Reader, f filter, blocks chan<- block) error {
	if s.name == "-" {
		return s.lines(ctx, readUntil(ctx, stdin), f, blocks)
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
	if before.Size() == 0 && strings.HasSuffix(s.name, ".gz") {
		return fmt.Errorf("%s is empty, which no log is that was compressed", s.name)
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
	u := make(unwrapper)
	var picked []byte
	var moments []int64
	for {
		if magic, _ := text.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // also behind plain text, as cat puts it
			unzipped, err := gzip.NewReader(text)
			if err != nil {
				blocks <- block{s, picked, moments}
				return err
			}
			text = bufio.NewReaderSize(unzipped, maxLine)
		}
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
		deep := isDeep(line)
		_, at, _ := bytes.Cut(line, []byte(`"time":`))
		at = bytes.TrimLeft(at, ` "`)
		if s.isLog && !deep && len(at) > 16 && (string(at[:16]) != s.minute || string(at) < s.first) {
			s.minute = string(at[:16])
			entries, _ := decode(line) // that may be a time of its data
			for _, e := range entries {
				moments = append(moments, e.at.UnixNano())
				s.first = strings.Clone(min(e.Time, cmp.Or(s.first, e.Time)))
			}
		}
		switch {
		case !deep && f.wants(line):
			picked = append(append(picked, line...), '\n')
		case deep || isCut(line):
			s.damaged.Add(1)
		}
		if len(picked)+len(moments) >= blockSize || err != nil {
			blocks <- block{s, picked, moments} // the workers take all, also after an error
			if picked, moments = nil, nil; ctx.Err() != nil {
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

// unwrapper takes off what a container runtime puts around lines, and joins their parts, which it has by stream: Docker's
// {"log":"...\n","stream":"stdout","time":"..."}, and CRI's "<time> stdout F ...", where P instead of F marks a part.
type unwrapper map[string][]byte

// unwrap returns the line within a line, or nothing where it is not complete yet. What is not wrapped it returns as it is.
func (u unwrapper) unwrap(line []byte) []byte {
	var docker struct{ Log, Stream string }
	if bytes.HasPrefix(line, []byte(`{"log":"`)) && !isDeep(line) && json.Unmarshal(line, &docker) == nil {
		return u.part(docker.Stream, []byte(docker.Log), strings.HasSuffix(docker.Log, "\n"))
	}
	if cri := criPattern.FindSubmatch(line); cri != nil {
		return u.part(string(cri[1]), line[len(cri[0]):], len(cri[2]) == 0)
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

// entry is one line of the audit log, as far as the report uses it. Vault's own names are kept.
type entry struct {
	Time     string   `json:"time"`
	Type     string   `json:"type"` // request or response
	Error    string   `json:"error"`
	Auth     auth     `json:"auth"`
	Request  *request `json:"request"`
	Response response `json:"response"`

	at  time.Time
	raw []byte
}

// auth is the Vault token that was used.
type auth struct {
	Accessor      string   `json:"accessor"`
	ClientToken   string   `json:"client_token"`
	DisplayName   string   `json:"display_name"`
	EntityID      string   `json:"entity_id"`
	Policies      []string `json:"policies"`
	PolicyResults struct {
		Allowed *bool `json:"allowed"`
	} `json:"policy_results"`
}

type request struct {
	ID                  string `json:"id"`
	Operation           string `json:"operation"`
	Path                string `json:"path"`
	MountPoint          string `json:"mount_point"`
	MountType           string `json:"mount_type"`
	MountAccessor       string `json:"mount_accessor"`
	ClientToken         string `json:"client_token"`
	ClientTokenAccessor string `json:"client_token_accessor"`
	RemoteAddress       string `json:"remote_address"`
	RequestURI          string `json:"request_uri"`
	Data                fields `json:"data"`
	Headers             fields `json:"headers"`
	Namespace           struct {
		ID   string `json:"id"`
		Path string `json:"path"` // unless it is the root
	} `json:"namespace"`
	RemotePort json.RawMessage `json:"remote_port"` // a number, or what a collector makes of one
}

type response struct {
	Auth          fields   `json:"auth"`
	Data          fields   `json:"data"`
	MountAccessor string   `json:"mount_accessor"`
	Warnings      []string `json:"warnings"`
	Secret        fields   `json:"secret"`
	WrapInfo      fields   `json:"wrap_info"`
}

// fields are decoded where they are used, to save memory. The decoder fills the map it is given, or makes one for 64 fields.
type fields map[string]json.RawMessage

// text is the text of that name, or empty.
func (f fields) text(name string) (text string) {
	if value := f[name]; value != nil {
		_, _ = json.Parse(value, &text, json.ZeroCopy) // what is no text has none
	}
	return text
}

// decode decodes a line: the entries behind any prefix, or damaged where it may have been one. They share the memory of the line.
func decode(line []byte) (entries []*entry, damaged bool) {
	from := 0
	for tries := 0; tries < 100; tries++ { // a prefix may have a brace of its own, and a part of a line has many
		brace := bytes.IndexByte(line[from:], '{')
		if brace < 0 {
			break
		}
		from += brace
		e := &entry{Request: &request{Data: fields{}, Headers: fields{}}, Response: response{Data: fields{}, Secret: fields{}}}
		rest, err := json.Parse(line[from:], e, json.ZeroCopy|json.DontMatchCaseInsensitiveStructFields)
		if err != nil || !e.isValid() {
			from++
			continue
		}
		e.raw = line[from : len(line)-len(rest)]
		entries, tries, damaged = append(entries, e), 0, damaged || mayBeEntry(line[:from])
		line, from = rest, 0
	}
	return entries, damaged || mayBeEntry(line)
}

// isValid reports whether this is an entry, of a time since there is Vault that the database can have: nanoseconds in 64 bits.
func (e *entry) isValid() bool {
	at, err := time.Parse(time.RFC3339Nano, e.Time)
	e.at = at.UTC()
	inTime := err == nil && e.at.Year() > 2014 && e.at.Year() < 2200
	return inTime && e.Request != nil && e.Request.Path != "" && (e.Type == "request" || e.Type == "response")
}

// isCut reports whether a line that is not decoded, since it is about other mounts, may be the rest of one that is not.
func isCut(line []byte) bool {
	start := bytes.IndexByte(line, '{')
	whole := start >= 0 && bytes.IndexByte(line, 0) < 0 && // a power loss leaves zeros, and a device may leave out the path
		(bytes.Contains(line, []byte(`"path"`)) || !bytes.Contains(line, []byte(`"type":"re`))) &&
		(bytes.Count(line, []byte("{")) == bytes.Count(line, []byte("}")) || json.Valid(line[start:])) // texts have braces, too
	return !whole && mayBeEntry(line)
}

// isDeep reports whether JSON is nested deeper than Vault's is: to decode it would take a stack of gigabytes.
func isDeep(line []byte) bool {
	const most = 1000
	depth := 0
	return bytes.Count(line, []byte("{"))+bytes.Count(line, []byte("[")) > most && bytes.ContainsFunc(line, func(c rune) bool {
		depth += strings.Count("{[", string(c)) - strings.Count("}]", string(c))
		return depth > most
	})
}

// mayBeEntry tells an entry, or a part of one, from other messages: the standard output of a Vault server has both.
func mayBeEntry(line []byte) bool { return entryPattern.Match(line) || !utf8.Valid(line) }
