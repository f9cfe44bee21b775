// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command go calls each URL with the token that a role of the mastersindia engine gives, and prints the responses. With -every it
// goes on until it is stopped. README.md has the options and the environment.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const usage = "usage: go run ./examples/clients/go [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL..."

const exitInDoubt = 3 // of a call that may have been executed

func main() {
	log.SetFlags(0)
	log.SetOutput(hiding{os.Stderr})
	flag.CommandLine.SetOutput(io.Discard) // it shows what is written without a blank behind an option, such as a token
	flag.Usage = func() {
		log.Print(usage)
		flag.CommandLine.SetOutput(os.Stderr)
		flag.PrintDefaults()
	}
	what := call{header: make(http.Header)}
	given := make(map[string]int) // flag takes the last one
	option := func(name, usage string, set func(string) error) {
		flag.Func(name, usage, func(text string) error { given[name]++; return set(text) })
	}
	option("X", "method; default GET, or POST with a body", func(text string) error { what.method = text; return nil })
	repeated := false
	flag.Func("H", "'NAME: VALUE' of a header", func(text string) error {
		repeated = addHeader(what.header, text) || repeated
		return nil
	})
	var body []string
	option("d", "body, or @file", func(text string) error { body = append(body, text); return nil })
	option("f", "put the token into this field of the JSON body", func(text string) error { what.field = text; return nil })
	every := flag.Duration("every", 0, "call again and again, so often")
	flag.Parse()
	for name, times := range given {
		if times > 1 {
			log.Fatalf("-%s: is given twice", name)
		}
	}
	if repeated {
		log.Fatal("-H: a header is given twice")
	}
	if slices.ContainsFunc(flag.Args(), regexp.MustCompile("^[-\u2010-\u2015\u2212]").MatchString) {
		log.Fatal("an option goes before ROLE, and begins with the hyphen of the keyboard (-), not with one of a document")
	}
	for _, text := range body {
		var err error
		if what.body, err = readBody(text); err != nil {
			log.Fatal(err)
		}
	}
	if *every < 0 || *every > 0 && what.mayIssue() {
		log.Fatal("-every: must be a time such as 1s, and repeats no call that may issue something, such as a POST")
	}
	if flag.NArg() < 2 {
		log.Fatal(usage)
	}
	signal.Ignore(syscall.SIGPIPE) // what cannot be written is reported
	if *every == 0 {
		signal.Ignore(syscall.SIGHUP) // where the terminal is lost, the call goes on to its end
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Stdout, *every, what, flag.Arg(0), flag.Args()[1:])
	interrupted := ctx.Err() != nil
	stop()
	if err != nil {
		log.Print(err)
	}
	if interrupted && *every == 0 { // also where the response could still be written
		endByInterrupt()
	}
	if _, inDoubt := errors.AsType[InDoubtError](err); inDoubt {
		os.Exit(exitInDoubt) //nolint:forbidigo // this is main
	}
	if err != nil {
		os.Exit(1) //nolint:forbidigo // as above
	}
}

// endByInterrupt ends the program as Ctrl-C does: a shell goes on with a loop where it ends in another way. Where there are no
// signals it returns.
func endByInterrupt() {
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(os.Interrupt) == nil {
		<-time.After(time.Second) // until the signal has come
	}
}

// hiding keeps Vault tokens out of messages, and what a terminal would take for a command.
type hiding struct{ io.Writer }

func (h hiding) Write(text []byte) (int, error) {
	shown := bytes.ReplaceAll(vaultToken().ReplaceAll(text, []byte("$1<token>")), []byte("\r\n"), []byte("\n"))
	if _, err := h.Writer.Write(bytes.Map(printable, shown)); err != nil {
		return 0, err
	}
	return len(text), nil
}

func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return '?'
	}
	return r
}

func readBody(text string) ([]byte, error) {
	if text == "@-" {
		return io.ReadAll(os.Stdin)
	}
	if file, isFile := strings.CutPrefix(text, "@"); isFile {
		if beginsAsToken(file) {
			return nil, errors.New("-d @: must be the name of a file, not a token")
		}
		return os.ReadFile(file) //nolint:gosec // named by the user who starts the program
	}
	return []byte(text), nil
}

// run calls the URLs once, and ends at the first error; or again and again until ctx ends, and logs the errors.
func run(ctx context.Context, out io.Writer, every time.Duration, what call, role string, urls []string) error {
	c, err := newClient(role)
	if err != nil {
		return err
	}
	for n, url := range urls {
		what.url = url
		if err := what.check(); err != nil {
			return err
		}
		if what.mayIssue() && slices.Contains(urls[:n], url) {
			return errors.New("URL: is given twice")
		}
	}
	for {
		err := c.callAll(ctx, out, what, urls)
		switch {
		case every == 0:
			return err
		case err != nil:
			log.Print(err)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *client) callAll(ctx context.Context, out io.Writer, what call, urls []string) error {
	for _, url := range urls {
		what.url = url
		body, err := c.call(ctx, what)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", body); err != nil {
			return failure(fmt.Errorf("the response cannot be written: %w", err), what.mayIssue(), "")
		}
	}
	return nil
}
