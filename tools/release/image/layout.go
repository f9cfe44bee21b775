// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nobody runs the plugin: a user and group that own nothing. Vault adds a group of its own, by which the two share a socket.
const nobody = "65532:65532"

// write writes the layout, and returns the digests as lines of text: that of the whole, and for each platform that of its
// manifest and that of its configuration, which is the image's ID.
func write(o options) (digests string, err error) {
	roots, err := rootsLayer()
	if err != nil {
		return "", err
	}
	var all v1.ImageIndex = empty.Index
	var lines strings.Builder
	for _, p := range o.programs {
		image, err := imageOf(o, p, roots)
		if err != nil {
			return "", err
		}
		manifest, err := image.Digest()
		if err != nil {
			return "", err
		}
		id, err := image.ConfigName()
		if err != nil {
			return "", err
		}
		platform := &v1.Platform{OS: p.os, Architecture: p.arch}
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
		fmt.Fprintf(&lines, "%s\tmanifest\t%s\n%s\tid\t%s\n", platform, manifest, platform, id)
	}
	index, err := all.Digest()
	if err != nil {
		return "", err
	}
	tag := map[string]string{"org.opencontainers.image.ref.name": strings.TrimPrefix(o.version, "v")}
	return fmt.Sprintf("all\tindex\t%s\n%s", index, lines.String()), writeLayout(o.folder, all, tag)
}

// imageOf is the image of one platform.
func imageOf(o options, p program, roots v1.Layer) (v1.Image, error) {
	plugin, err := pluginLayer(p.file)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: o.created}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: p.os, Architecture: p.arch, Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
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
	})
	if err != nil {
		return nil, err
	}
	history := v1.History{Created: created, Comment: "tools/release/image"}
	return mutate.Append(image, mutate.Addendum{Layer: roots, History: history}, mutate.Addendum{Layer: plugin, History: history})
}

// writeLayout writes into a new folder only: blobs of another image in it would be copied along.
func writeLayout(folder string, all v1.ImageIndex, annotations map[string]string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendIndex(all, layout.WithAnnotations(annotations))
}
