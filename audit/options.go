// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

type options struct {
	mount      string
	namespace  string // "*" for all, "" for the root namespace
	since      time.Time
	until      time.Time
	format     string
	output     string
	database   string
	tokenFile  string
	tokenStdin bool
	// devices are audit devices to ask Vault about. Without any, Vault lists them if a token is searched.
	devices []string
	maxRows int
	files   []string
}

// errVersion is the outcome of -version, as flag.ErrHelp is that of -help.
var errVersion = errors.New("the version is asked for")

// errTokenShown tells a user that a token was given where everybody can see it.
var errTokenShown = errors.New("a token must not stand on a command line, where everybody on this machine can see it: " +
	"put it into a file for -token-file, or give -token-stdin; and treat the one you typed as leaked")

// stdinName is standard input among the files.
const stdinName = "-"

// texts are flags whose meaning is more than their text.
type texts struct {
	namespace, since, until, token, device string
	version                                bool
}

func newFlags(o *options, t *texts) *flag.FlagSet {
	f := flag.NewFlagSet("mastersindia-audit", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints the error, and the help is written by hand
	f.StringVar(&o.mount, "mount", "mastersindia/", "")
	f.StringVar(&t.namespace, "namespace", "*", "")
	f.StringVar(&t.since, "since", "", "")
	f.StringVar(&t.until, "until", "", "")
	f.StringVar(&o.format, "format", "table", "")
	f.StringVar(&o.output, "output", "", "")
	f.StringVar(&o.database, "db", "", "")
	f.StringVar(&o.tokenFile, "token-file", "", "")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "")
	f.StringVar(&t.token, "token", "", "")
	f.StringVar(&t.device, "audit-device", "", "")
	f.IntVar(&o.maxRows, "max-rows", 5000, "")
	f.BoolVar(&t.version, "version", false, "")
	return f
}

func parseOptions(args []string, now time.Time) (o options, err error) {
	if slices.ContainsFunc(args, looksLikeToken) {
		return o, errTokenShown // before any message that could repeat it
	}
	var t texts
	flags := newFlags(&o, &t)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case t.version:
		return o, errVersion
	case t.token != "":
		return o, errTokenShown
	}
	o.files = flags.Args()
	o.namespace = t.namespace
	if t.namespace != "*" {
		o.namespace = strings.TrimPrefix(strings.Trim(t.namespace, "/")+"/", "root/")
	}
	if o.since, err = parseTime("-since", t.since, now); err != nil {
		return o, err
	}
	if o.until, err = parseTime("-until", t.until, now); err != nil {
		return o, err
	}
	o.mount = strings.Trim(o.mount, "/") + "/"
	for device := range strings.SplitSeq(t.device, ",") {
		if device = strings.Trim(device, "/ "); device != "" {
			o.devices = append(o.devices, device)
		}
	}
	return o, o.check()
}

func (o *options) check() error {
	fromStdin := 0
	for _, file := range o.files {
		switch {
		case file == stdinName:
			fromStdin++
		case strings.HasPrefix(file, "-"):
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
	case o.tokenFile != "" && o.tokenStdin:
		return errors.New("give one of -token-file and -token-stdin")
	case fromStdin > 1, fromStdin == 1 && o.tokenStdin:
		return errors.New("standard input can be read once: for the log (-), or for the token (-token-stdin)")
	case !o.since.IsZero() && !o.until.IsZero() && !o.since.Before(o.until):
		return errors.New("-since is not before -until")
	case o.maxRows < 0:
		return errors.New("-max-rows is negative")
	default:
		return nil
	}
}

// parseTime reads a time, or a duration before now.
func parseTime(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t.UTC(), nil
		}
	}
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return now.UTC().AddDate(0, 0, -n), nil
		}
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf(
			"%s: %q is neither a time such as 2026-01-31T22:00:00Z nor a duration such as 24h or 7d", name, text)
	}
	return now.UTC().Add(-ago), nil
}

// looksLikeToken recognises what may have been typed in place of a file: a JWT, the value of a header, or a Vault token.
func looksLikeToken(arg string) bool {
	if _, value, isFlag := strings.Cut(arg, "="); isFlag && strings.HasPrefix(arg, "-") {
		arg = value
	}
	return strings.HasPrefix(arg, "eyJ") && len(arg) > 20 || strings.HasPrefix(arg, "JWT ") || strings.HasPrefix(arg, "Bearer ") ||
		strings.HasPrefix(arg, "hvs.") || strings.HasPrefix(arg, "hvb.")
}
