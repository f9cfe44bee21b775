// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command mastersindia-audit reports from Vault's audit log what happened on a mount of the engine: see -help.
// Lines go through log_files.go (open, split, pick, decode), classify.go and secrets.go (what a line tells, without any secret in
// it) into a database (store.go, schema.sql). After the last line resolve.sql merges what belongs together, and finds who was
// given the leaked token (read by leaked_token.go). The parts of the report (output_formats.go, page/) are queries on report.sql.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var version, commit = "v0.0.0-dev", "unknown" // set by the linker: see the Makefile

// Exit codes.
const (
	exitOK         = 0 // the report is written, and the log answers what was asked
	exitFailed     = 1 // there is no report
	exitUsage      = 2 // wrong options
	exitIncomplete = 3 // the report is written, and says what the log does not tell
)

var errIncomplete = errors.New("the log does not tell all: see the notes in the report")

func main() {
	debug.SetMemoryLimit(40 << 20) // bytes: with what the database has, the whole process stays below 100 MB
	signal.Ignore(syscall.SIGPIPE) // a reader that goes is an error, after which the database is removed
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal kills, should the orderly end hang
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It ends when ctx does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, time.Now())
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "Error: %s\nRun mastersindia-audit -help for the options.\n", err)
		return exitUsage
	case o.say != "":
		fmt.Fprint(stdout, o.say)
		return exitOK
	}
	switch err = audit(ctx, o, stdin, stdout, stderr); {
	case errors.Is(err, errIncomplete):
		fmt.Fprintf(stderr, "Incomplete: %s\n", err)
		return exitIncomplete
	case err != nil:
		fmt.Fprintf(stderr, "Error: %s\n", err)
		return exitFailed
	}
	return exitOK
}

// audit reads the logs, resolves what they tell and writes the report.
func audit(ctx context.Context, o options, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	if o.leaked, err = leakedToken(ctx, o, stdin); err != nil {
		return fmt.Errorf("reading the leaked token: %w", err)
	}
	s, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(o, err)) }()
	if err = scan(ctx, o, stdin, s); err != nil {
		return err
	}
	if err = s.resolve(ctx, o); err != nil {
		return err
	}
	return s.writeReport(ctx, o, stdout, stderr)
}

// readUntil is in until ctx ends: else a signal would wait for the next byte of a quiet pipe or terminal.
func readUntil(ctx context.Context, in io.Reader) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() { _, err := io.Copy(w, in); w.CloseWithError(err) }()
	return r
}

type options struct {
	mount, namespace  string // namespace is "*" for all, "" for the root
	since, until      int64  // nanoseconds since 1970
	format, database  string
	tokenFile, leaked string   // the file, and the token that was read from there
	devices           []string // audit devices to ask Vault about; without any, Vault lists them if a token is searched
	say               string   // all that is asked for: the help, or the version
	files             []string
}

const usage = `Usage: mastersindia-audit [options] FILE...

Reads Vault's audit log and reports what happened on a mount of the Masters India secrets engine: who was given which token, or
one that leaked, what was denied, who changed what. FILE is what an audit device wrote in format json: plain or gzip, rotated, as
Docker or CRI wrap lines or not; - is standard input. Give the files of all nodes and devices together, in any order.

    mastersindia-audit -since=24h -format=html /var/log/vault/audit.log* > audit.html
    mastersindia-audit -token-file=leaked.txt /var/log/vault/audit.log

For a leaked token, with VAULT_ADDR and VAULT_TOKEN set, Vault is asked for its audit devices and for the token's HMAC of each:
that Vault token needs "read" and "sudo" on sys/audit, and "update" on sys/audit-hash/*.

Exit codes: 0 the report is written, 1 there is none, 2 wrong options, 3 the report is written, but the log does not tell all:
a file was missing or damaged, no line is about the mount, or a reader of a leaked token cannot be told from others.

Options:

`

func newFlags(o *options, now time.Time) *flag.FlagSet {
	f := flag.NewFlagSet("mastersindia-audit", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors and the help
	f.StringVar(&o.mount, "mount", "mastersindia/", "`path` of the mount in its namespace; a mount that was moved is followed")
	f.StringVar(&o.namespace, "namespace", "*", "Vault Enterprise and OpenBao have mounts in namespaces: report that of the\n"+
		"namespace with this `path`, such as team/tax, or root for the mount in none; * reports those of all namespaces together")
	o.until = math.MaxInt64
	for name, ns := range map[string]*int64{"since": &o.since, "until": &o.until} {
		f.Func(name, "only what happened from (-since) or before (-until) a `time`: 24h or 7d ago, or 2026-01-31 or\n"+
			"2026-01-31T22:00, which are UTC; 2026-01-31T22:00:00+05:30 is not. Alarms and the search for a leaked token\n"+
			"cover the whole log", func(text string) error {
			at, err := parseTime(text, now)
			*ns = max(0, min(at.Unix(), 9e9))*1e9 + int64(at.Nanosecond()) // of the years that 64 bits have
			return err
		})
	}
	f.StringVar(&o.format, "format", "table", "table, json, csv or html; csv lists single requests or, with a leaked token,\n"+
		"its readers, and writes notes to standard error")
	f.StringVar(&o.database, "db", "", "keep the database in this new `file`, for queries of your own: see docs/audit.md")
	f.StringVar(&o.tokenFile, "token-file", "", "report who was given the token in this `file`, or on standard input (-);\n"+
		"its scheme may be before it")
	f.Func("audit-device", "ask Vault about this audit device `path` (repeat it for several), and do not list them;\n"+
		"Vault is then also asked for the HMACs of tokens that were revoked", func(text string) error {
		o.devices = append(o.devices, strings.Trim(text, "/"))
		return nil
	})
	f.BoolFunc("version", "print the version", func(string) error {
		o.say = fmt.Sprintf("mastersindia-audit %s (%s)\n", version, commit)
		return nil
	})
	return f
}

func parseOptions(args []string, now time.Time) (o options, err error) {
	if slices.ContainsFunc(args, looksLikeToken.MatchString) {
		return o, errors.New("a token must not stand on a command line, where everybody on this machine can see it: put it into a " +
			"file for -token-file, or on standard input with -token-file=-; and treat the one you typed as leaked") // nor in a message
	}
	if slices.ContainsFunc(args, func(a string) bool { return a == "" || a[0] == '-' && strings.HasSuffix(a, "=") }) {
		return o, errors.New("a file or an option is empty: is the variable in it set?")
	}
	flags := newFlags(&o, now)
	err = flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		var text strings.Builder
		flags.SetOutput(&text)
		flags.PrintDefaults()
		o.say, err = usage+text.String(), nil
	}
	if err != nil || o.say != "" {
		return o, err
	}
	if o.namespace != "*" {
		o.namespace = strings.TrimPrefix(strings.Trim(o.namespace, "/")+"/", "root/")
	}
	o.mount, o.files = strings.Trim(o.mount, "/")+"/", flags.Args()
	return o, o.check()
}

func (o *options) check() error {
	stdin := 0
	for _, file := range append(o.files, o.tokenFile) {
		if file == "-" {
			stdin++
		} else if strings.HasPrefix(file, "-") {
			return fmt.Errorf("%s stands behind a file: options come first (a file of that name is ./%s)", file, file)
		}
	}
	switch {
	case len(o.files) == 0:
		return errors.New("no log to read: name the files of the audit device (vault audit list -detailed), or - for standard input")
	case o.mount == "/":
		return errors.New("-mount: the path of the mount is empty; vault secrets list shows the paths")
	case !slices.Contains(formats(), o.format):
		return fmt.Errorf("-format: %q is not one of %s", o.format, strings.Join(formats(), ", "))
	case stdin > 1:
		return errors.New("standard input (-) can be read once: for the log, or for the token")
	case len(o.devices) > 0 && !vaultIsGiven():
		return errors.New("-audit-device asks Vault: set VAULT_ADDR, and VAULT_TOKEN, which vault login does not set")
	case o.since >= min(o.until, time.Now().UnixNano()):
		return errors.New("-since is not before -until, or in the future")
	}
	return nil
}

// parseTime reads a time, or a duration before now.
func parseTime(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t.UTC(), nil
		}
	}
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.UTC().AddDate(0, 0, -int(n)), nil
		}
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, errors.New("this is neither a time such as 2026-01-31T22:00:00Z nor a duration such as 24h or 7d")
	}
	return now.UTC().Add(-ago), nil
}

// looksLikeToken recognises, in place of a file or for a made-up option, a token, the value of a header, or a Vault token.
var looksLikeToken = regexp.MustCompile(`^--?[\w-]*token(=|$)|^(-.*=)?(eyJ.{18}|[0-9a-f]{40}$|JWT |Bearer |h?v?[sbr]\.[\w-]{20})`)
