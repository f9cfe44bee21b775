// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Where things are in the image. Go looks for the roots there by itself.
const (
	pluginPath = "vault-plugin-secrets-mastersindia"
	rootsPath  = "etc/ssl/certs/ca-certificates.crt"
)

// rootsLayer has Mozilla's root certificates and an empty /tmp, in which Vault mounts the folder of the plugin's socket.
func rootsLayer() (v1.Layer, error) {
	roots, err := roots()
	if err != nil {
		return nil, err
	}
	return pack(
		entry{name: "etc/", mode: 0o755},
		entry{name: "etc/ssl/", mode: 0o755},
		entry{name: "etc/ssl/certs/", mode: 0o755},
		entry{name: rootsPath, mode: 0o644, content: roots},
		entry{name: "tmp/", mode: 0o1777},
	)
}

// roots are Mozilla's root certificates (PEM) as the Go project packages them. They come with go.sum's checksum, so that the same
// commit gives the same image, and an update is a change that somebody reads. Roots that Mozilla trusts within limits only are
// left out: a file cannot express the limits.
func roots() ([]byte, error) {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("parsing a root certificate: %w", err)
		}
		fmt.Fprintf(&text, "# %s\n", certificate.Subject)
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// pluginLayer has the binary. It belongs to root, so that the user that runs it cannot change it.
func pluginLayer(file string) (v1.Layer, error) {
	binary, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the plugin: %w", err)
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
func pack(entries ...entry) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
}
