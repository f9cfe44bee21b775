// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Media types of the OCI image specification 1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// nobody runs the plugin: a user and group that own nothing. Vault adds a group of its own, by which the two share a socket.
const nobody = "65532:65532"

// descriptor points to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type imageConfig struct {
	Created time.Time `json:"created"`
	platform

	Config  runConfig `json:"config"`
	RootFS  rootFS    `json:"rootfs"`
	History []history `json:"history"`
}

type runConfig struct {
	User       string            `json:"User"`
	Entrypoint []string          `json:"Entrypoint"`
	WorkingDir string            `json:"WorkingDir"`
	Labels     map[string]string `json:"Labels"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created time.Time `json:"created"`
	Comment string    `json:"comment"`
}

// layout is a folder with images, as the OCI image specification has it.
type layout struct {
	folder string
}

// newLayout takes a new folder only: blobs of another image in it would be copied along.
func newLayout(folder string) (layout, error) {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil { //nolint:gosec // an image is for everybody to read
		return layout{}, err
	}
	if err := os.Mkdir(folder, 0o755); err != nil { //nolint:gosec // an image is for everybody to read
		return layout{}, err
	}
	if err := os.MkdirAll(filepath.Join(folder, "blobs", "sha256"), 0o755); err != nil { //nolint:gosec // the same
		return layout{}, err
	}
	return layout{folder}, put(filepath.Join(folder, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// image writes the image of one platform, and returns its descriptor and the ID that container engines know it by.
func (l layout) image(o options, p program, layers []layer) (descriptor, string, error) {
	kind := platform{Architecture: p.arch, OS: p.os}
	config := imageConfig{
		Created:  o.created,
		platform: kind,
		Config: runConfig{
			User:       nobody,
			Entrypoint: []string{"/" + pluginPath},
			WorkingDir: "/",
			Labels: map[string]string{
				"org.opencontainers.image.title":       "vault-plugin-secrets-mastersindia",
				"org.opencontainers.image.description": "Masters India secrets engine for HashiCorp Vault, as a containerized plugin",
				"org.opencontainers.image.version":     o.version,
				"org.opencontainers.image.revision":    o.revision,
				"org.opencontainers.image.created":     o.created.Format(time.RFC3339),
				"org.opencontainers.image.licenses":    "MPL-2.0",
			},
		},
		RootFS: rootFS{Type: "layers"},
	}
	m := manifest{SchemaVersion: 2, MediaType: typeManifest}
	for _, y := range layers {
		d, err := l.blob(typeLayer, y.blob)
		if err != nil {
			return descriptor{}, "", err
		}
		m.Layers = append(m.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, y.diffID)
		config.History = append(config.History, history{Created: o.created, Comment: "scripts/release/image"})
	}
	var err error
	if m.Config, err = l.document(typeConfig, config); err != nil {
		return descriptor{}, "", err
	}
	d, err := l.document(typeManifest, m)
	d.Platform = &kind
	return d, m.Config.Digest, err
}

// index writes the list of all platforms' images, and makes it what the layout holds under the tag.
func (l layout) index(images []descriptor, tag string) (descriptor, error) {
	d, err := l.document(typeIndex, index{SchemaVersion: 2, MediaType: typeIndex, Manifests: images})
	if err != nil {
		return d, err
	}
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	top, err := json.Marshal(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}})
	if err != nil {
		return d, err
	}
	return d, put(filepath.Join(l.folder, "index.json"), top)
}

func (l layout) document(mediaType string, document any) (descriptor, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return descriptor{}, err
	}
	return l.blob(mediaType, text)
}

func (l layout) blob(mediaType string, content []byte) (descriptor, error) {
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: len(content)}
	return d, put(filepath.Join(l.folder, "blobs", "sha256", sum), content)
}

func put(file string, content []byte) error {
	return os.WriteFile(file, content, 0o644) //nolint:gosec // an image is for everybody to read
}
