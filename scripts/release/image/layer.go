// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// Where things are in the image. Go looks for the roots there by itself.
const (
	pluginPath = "vault-plugin-secrets-mastersindia"
	rootsPath  = "etc/ssl/certs/ca-certificates.crt"
)

// layer is one layer of an image, compressed, and the digest of what it is uncompressed.
type layer struct {
	blob   []byte
	diffID string
}

// rootsLayer has the root certificates and an empty /tmp, in which Vault mounts the folder of the plugin's socket.
func rootsLayer(file string) (layer, error) {
	roots, err := os.ReadFile(file) //nolint:gosec // the file that the arguments name
	if err != nil {
		return layer{}, fmt.Errorf("reading the root certificates: %w", err)
	}
	if !bytes.Contains(roots, []byte("-----BEGIN CERTIFICATE-----")) {
		return layer{}, fmt.Errorf("%s has no certificate: with it the plugin could reach no vendor", file)
	}
	return pack(
		entry{name: "etc/", mode: 0o755},
		entry{name: "etc/ssl/", mode: 0o755},
		entry{name: "etc/ssl/certs/", mode: 0o755},
		entry{name: rootsPath, mode: 0o644, content: roots},
		entry{name: "tmp/", mode: 0o1777},
	)
}

// pluginLayer has the binary. It belongs to root, so that the user that runs it cannot change it.
func pluginLayer(file string) (layer, error) {
	binary, err := os.ReadFile(file) //nolint:gosec // the file that the arguments name
	if err != nil {
		return layer{}, fmt.Errorf("reading the plugin: %w", err)
	}
	return pack(entry{name: pluginPath, mode: 0o755, content: binary})
}

// entry is a file, or a folder where the name ends in a slash.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// pack makes a layer without times and owners, which would differ from one machine to the next.
func pack(entries ...entry) (layer, error) {
	var blob bytes.Buffer
	plain := sha256.New()
	squeezed, err := gzip.NewWriterLevel(&blob, gzip.BestCompression)
	if err != nil {
		return layer{}, err
	}
	archive := tar.NewWriter(io.MultiWriter(squeezed, plain))
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if e.content == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := archive.WriteHeader(header); err != nil {
			return layer{}, fmt.Errorf("packing %s: %w", e.name, err)
		}
		if _, err := archive.Write(e.content); err != nil {
			return layer{}, fmt.Errorf("packing %s: %w", e.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return layer{}, err
	}
	if err := squeezed.Close(); err != nil {
		return layer{}, err
	}
	return layer{blob: blob.Bytes(), diffID: fmt.Sprintf("sha256:%x", plain.Sum(nil))}, nil
}
