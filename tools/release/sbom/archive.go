// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// program is a Go program of an archive.
type program struct {
	name   string
	sha256 string
	info   *buildinfo.BuildInfo
}

// programsOf are the Go programs of an archive, by name. Other files are passed over.
func programsOf(archive string) ([]program, error) {
	walk := walkTar
	if strings.HasSuffix(archive, ".zip") {
		walk = walkZip
	}
	var programs []program
	err := walk(archive, func(name string, content []byte) {
		info, err := buildinfo.Read(bytes.NewReader(content))
		if err != nil {
			return // not a program, or not one of Go's
		}
		programs = append(programs, program{name: name, sha256: fmt.Sprintf("%x", sha256.Sum256(content)), info: info})
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", archive, err)
	}
	slices.SortFunc(programs, func(a, b program) int { return strings.Compare(a.name, b.name) })
	return programs, nil
}

func walkTar(archive string, visit func(name string, content []byte)) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		visit(header.Name, content)
	}
}

func walkZip(archive string, visit func(name string, content []byte)) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	for _, f := range reader.File {
		content, err := unzipped(f)
		if err != nil {
			return err
		}
		visit(f.Name, content)
	}
	return nil
}

func unzipped(f *zip.File) ([]byte, error) {
	file, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(file)
}
