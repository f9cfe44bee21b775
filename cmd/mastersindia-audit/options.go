// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/logfile"
	"vault-plugin-secrets-mastersindia/internal/audit/render"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
	"vault-plugin-secrets-mastersindia/internal/command"
)

type options struct {
	mount       string
	namespace   *string // nil for all
	since       time.Time
	until       time.Time
	format      string
	output      string
	tokenFile   string
	tokenStdin  bool
	auditDevice string
	// resolve tells that Vault may be asked for more than the leaked token.
	resolve bool
	maxRows int
	files   []string
}

// texts are flags whose meaning is more than their text.
type texts struct{ namespace, since, until, token string }

// newFlags binds the flags to options with their defaults. The help is written by hand: see help.
func newFlags() (*options, *texts, *command.Flags) {
	o, t := new(options), new(texts)
	flags := command.NewFlags()
	flags.StringVar(&o.mount, "mount", "mastersindia/", "")
	flags.StringVar(&t.namespace, "namespace", "", "")
	flags.StringVar(&t.since, "since", "", "")
	flags.StringVar(&t.until, "until", "", "")
	flags.StringVar(&o.format, "format", render.Formats()[0], "")
	flags.StringVar(&o.output, "output", "", "")
	flags.StringVar(&o.tokenFile, "token-file", "", "")
	flags.BoolVar(&o.tokenStdin, "token-stdin", false, "")
	flags.StringVar(&t.token, "token", "", "")
	flags.StringVar(&o.auditDevice, "audit-device", "file", "")
	flags.IntVar(&o.maxRows, "max-rows", story.DefaultLimits().Rows, "")
	return o, t, flags
}

// errTokenShown is for whoever gave a token where everybody can see it.
var errTokenShown = errors.New("a token must not stand on a command line, where everybody on this machine can see it: " +
	"put it into a file for -token-file, or give -token-stdin; and take the one you typed for leaked")

func parseOptions(args []string, now time.Time) (options, error) {
	if slices.ContainsFunc(args, looksLikeToken) {
		return options{}, errTokenShown // before any message that could repeat it
	}
	o, t, flags := newFlags()
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	flags.Visit(func(f *flag.Flag) { o.resolve = o.resolve || f.Name == "audit-device" })
	o.files = flags.Args()
	if t.token != "" {
		return options{}, errTokenShown
	}
	if t.namespace != "" {
		path := strings.Trim(t.namespace, "/") + "/"
		if path == "root/" {
			path = ""
		}
		o.namespace = &path
	}
	var err error
	if o.since, err = parseTime("-since", t.since, now); err != nil {
		return options{}, err
	}
	if o.until, err = parseTime("-until", t.until, now); err != nil {
		return options{}, err
	}
	o.mount = strings.Trim(o.mount, "/") + "/"
	o.auditDevice = strings.Trim(o.auditDevice, "/")
	return *o, o.check()
}

func (o *options) check() error {
	fromStdin := 0
	for _, file := range o.files {
		switch {
		case file == logfile.Stdin:
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
	case !render.Known(o.format):
		return fmt.Errorf("-format: %q is not one of %s", o.format, strings.Join(render.Formats(), ", "))
	case o.tokenFile != "" && o.tokenStdin:
		return errors.New("give one of -token-file and -token-stdin")
	case fromStdin > 1, fromStdin == 1 && o.tokenStdin:
		return errors.New("standard input can be read once: for the log (-), or for the token (-token-stdin)")
	case !o.since.IsZero() && !o.until.IsZero() && !o.since.Before(o.until):
		return errors.New("-since is not before -until")
	case o.maxRows < 0:
		return errors.New("-max-rows is negative")
	case o.auditDevice == "":
		return errors.New("-audit-device is empty; vault audit list shows the devices")
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

// looksLikeToken recognises what somebody may have typed in place of a file: a JWT, the value of a header, or a Vault token.
func looksLikeToken(arg string) bool {
	if _, value, isFlag := strings.Cut(arg, "="); isFlag && strings.HasPrefix(arg, "-") {
		arg = value
	}
	return strings.HasPrefix(arg, "eyJ") && len(arg) > 20 || strings.HasPrefix(arg, "JWT ") || strings.HasPrefix(arg, "Bearer ") ||
		strings.HasPrefix(arg, "hvs.") || strings.HasPrefix(arg, "hvb.")
}
