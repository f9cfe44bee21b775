// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/leak"
	"vault-plugin-secrets-mastersindia/internal/audit/logfile"
	"vault-plugin-secrets-mastersindia/internal/audit/render"
	"vault-plugin-secrets-mastersindia/internal/audit/scan"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// report reads the logs and writes the report.
func report(ctx context.Context, o options, stdin io.Reader, stdout, stderr io.Writer) error {
	hasher, why, err := newHasher(o)
	if err != nil {
		return err
	}
	leaked, err := namesOfLeaked(ctx, o, hasher, why, stdin)
	if err != nil {
		return err
	}
	sources, err := openAll(o.files, stdin)
	defer closeAll(sources)
	if err != nil {
		return err
	}
	for _, source := range sources {
		if o.output != "" && source.Is(o.output) {
			return fmt.Errorf("-output: %s is a log that is to be read, and the report would take its place", o.output)
		}
	}
	limits := story.DefaultLimits()
	limits.Rows = o.maxRows
	collector := story.NewCollector(story.Options{Mount: o.mount, Since: o.since, Until: o.until, Limits: limits, Leaked: leaked})
	pass := scan.Scan{
		Filter: entry.NewFilter(o.mount, true), Observer: story.NewObserver(o.mount, o.namespace), Collector: collector,
	}
	progress := startProgress(stderr, sources)
	read, err := pass.Files(ctx, sources)
	progress.stop()
	if err != nil {
		return fmt.Errorf("interrupted, no report: %w", err)
	}
	var notices []string
	if hasher != nil && o.resolve {
		notices = resolve(ctx, hasher, collector)
	}
	r := collector.Report()
	complete(r, o, read, notices)
	if err := write(o, r, stdout); err != nil {
		return err
	}
	if o.format == "csv" {
		return render.Notes(stderr, r)
	}
	return nil
}

// complete adds what the collector does not know.
func complete(r *story.Report, o options, read story.Input, notices []string) {
	read.First, read.Last, read.Duplicates = r.Input.First, r.Input.Last, r.Input.Duplicates
	read.RequestsUnanswered, read.ResponsesAlone = r.Input.RequestsUnanswered, r.Input.ResponsesAlone
	r.Input, r.Version, r.Generated = read, version, time.Now().UTC()
	if o.namespace != nil {
		r.Namespace = *o.namespace
	}
	r.Notices = append(r.Notices, notices...)
	for _, file := range read.Files {
		if file.Note != "" {
			r.Notices = append(r.Notices, file.Name+": "+file.Note+".")
		}
	}
	if read.Entries == 0 {
		r.Notices = append(r.Notices,
			"The log has no entry of the mount "+o.mount+": vault secrets list shows the paths, give one with -mount.")
	}
	if read.Garbage > read.Lines/2 {
		r.Notices = append(r.Notices, "Most lines are no audit entries: this reads what an audit device with format=json writes.")
	}
}

// newHasher returns nil, and why, where there is no Vault to ask.
func newHasher(o options) (h *leak.Hasher, why string, err error) {
	wanted := o.tokenFile != "" || o.tokenStdin || o.resolve
	switch {
	case !wanted:
		return nil, "", nil
	case os.Getenv("VAULT_ADDR") == "":
		return nil, "VAULT_ADDR is not set, so Vault was not asked for it", nil
	case os.Getenv("VAULT_TOKEN") == "":
		return nil, "VAULT_TOKEN is not set, so Vault was not asked for it", nil
	}
	h, err = leak.NewHasher(o.auditDevice)
	return h, "", err
}

// namesOfLeaked reads the leaked token, if one is given, and prepares the search for it.
func namesOfLeaked(ctx context.Context, o options, h *leak.Hasher, why string, stdin io.Reader) (*story.Leaked, error) {
	var token string
	var err error
	switch {
	case o.tokenFile != "":
		token, err = leak.ReadFile(o.tokenFile)
	case o.tokenStdin:
		token, err = leak.Read(stdin)
	default:
		return nil, nil //nolint:nilnil // no token to trace
	}
	if err != nil {
		return nil, fmt.Errorf("reading the leaked token: %w", err)
	}
	leaked, err := leak.Names(ctx, token, h, why)
	if err != nil {
		return nil, fmt.Errorf("%w; check -audit-device (vault audit list) and that the Vault token may update sys/audit-hash/%s, "+
			"or unset VAULT_ADDR to look for the token_id alone", err, o.auditDevice)
	}
	return leaked, nil
}

// mostResolved bounds how many hashes Vault is asked for.
const mostResolved = 500

// resolve asks Vault for the HMACs of the token_ids of revoked tokens: revoke/ shows the ids, reads may show HMACs only.
func resolve(ctx context.Context, h *leak.Hasher, c *story.Collector) (notices []string) {
	ids := c.RevokedIDs()
	if len(ids) > mostResolved {
		notices = append(notices, fmt.Sprintf("Vault was asked for the HMACs of %d of %d revoked tokens.", mostResolved, len(ids)))
		ids = ids[:mostResolved]
	}
	for _, id := range ids {
		hmac, err := h.Hash(ctx, id)
		if err != nil {
			return append(notices, "Reads of revoked tokens could not be told by their HMACs: "+err.Error())
		}
		c.SameToken(id, hmac)
	}
	return notices
}

// openAll opens all files before the first is read: a typing error should not cost an hour.
func openAll(names []string, stdin io.Reader) ([]*logfile.Source, error) {
	var sources []*logfile.Source
	for _, name := range names {
		source, err := logfile.Open(name, stdin)
		if err != nil {
			return sources, err
		}
		for _, other := range sources {
			if source.Same(other) {
				return append(sources, source), fmt.Errorf("%s and %s are the same file: its entries would count twice", other.Name, name)
			}
		}
		sources = append(sources, source)
	}
	logfile.Order(sources, entry.TimeOf)
	return sources, nil
}

func closeAll(sources []*logfile.Source) {
	for _, source := range sources {
		_ = source.Close() // it was only read
	}
}

// write writes the report to the file, or to standard output.
func write(o options, r *story.Report, stdout io.Writer) error {
	if o.output == "" {
		return render.Write(stdout, o.format, r)
	}
	if err := writeFile(o.output, func(w io.Writer) error { return render.Write(w, o.format, r) }); err != nil {
		return fmt.Errorf("-output: %w", err)
	}
	return nil
}

// errNoFile keeps a typing error from replacing a device or directory.
var errNoFile = errors.New("is not a regular file")
