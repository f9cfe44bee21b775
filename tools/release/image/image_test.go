// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// built is an image that was written for a test.
type built struct {
	folder string
	stdout string
	args   []string
}

// build runs the command for a plugin that differs by architecture, as real ones do.
func build(t *testing.T) built {
	t.Helper()
	dir := t.TempDir()
	b := built{folder: filepath.Join(dir, "oci")}
	b.args = []string{"-version=v1.2.3-rc.1", "-revision=0123456789ab", "-created=2026-01-31T13:00:00+01:00", "-o=" + b.folder}
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(dir, arch)
		must(t, os.WriteFile(file, []byte("program of "+arch), 0o600))
		b.args = append(b.args, "linux/"+arch+"="+file)
	}
	var stdout bytes.Buffer
	must(t, run(b.args, &stdout))
	b.stdout = stdout.String()
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value is the value of a call that must not fail.
func value[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// TestImage_OneTagForAllPlatforms: the layout has one index, under the tag that Vault asks for, and every digest in it is that of
// its blob.
func TestImage_OneTagForAllPlatforms(t *testing.T) {
	t.Parallel()
	b := build(t)
	top := value[v1.ImageIndex](t)(layout.ImageIndexFromPath(b.folder))
	must(t, validate.Index(top))
	tagged := value[*v1.IndexManifest](t)(top.IndexManifest()).Manifests
	// Vault asks for the tag without the v.
	if len(tagged) != 1 || tagged[0].Annotations["org.opencontainers.image.ref.name"] != "1.2.3-rc.1" ||
		tagged[0].MediaType != types.OCIImageIndex {
		t.Fatalf("the layout has %+v", tagged)
	}
	want := "all\tindex\t" + tagged[0].Digest.String() + "\n"
	all := value[v1.ImageIndex](t)(top.ImageIndex(tagged[0].Digest))
	images := value[*v1.IndexManifest](t)(all.IndexManifest()).Manifests
	if len(images) != 2 {
		t.Fatalf("images for %d platforms", len(images))
	}
	for n, arch := range []string{"amd64", "arm64"} {
		d := images[n]
		if !d.Platform.Equals(v1.Platform{OS: "linux", Architecture: arch}) || d.MediaType != types.OCIManifestSchema1 {
			t.Errorf("image %d is %+v", n, d)
		}
		image := value[v1.Image](t)(all.Image(d.Digest))
		checkConfig(t, image, arch)
		checkFiles(t, image, arch)
		id := value[v1.Hash](t)(image.ConfigName())
		want += "linux/" + arch + "\tmanifest\t" + d.Digest.String() + "\nlinux/" + arch + "\tid\t" + id.String() + "\n"
	}
	if b.stdout != want {
		t.Errorf("printed\n%s\ninstead of\n%s", b.stdout, want)
	}
}

func checkConfig(t *testing.T, image v1.Image, arch string) {
	t.Helper()
	if m := value[*v1.Manifest](t)(image.Manifest()); m.Config.MediaType != types.OCIConfigJSON {
		t.Errorf("the configuration is a %s", m.Config.MediaType)
	}
	c := value[*v1.ConfigFile](t)(image.ConfigFile())
	if c.OS != "linux" || c.Architecture != arch {
		t.Errorf("the configuration is for %s/%s", c.OS, c.Architecture)
	}
	// A number, since the image has no list of users, and not root. Nothing but the entrypoint: Vault gives the arguments.
	if c.Config.User != "65532:65532" || !slices.Equal(c.Config.Entrypoint, []string{"/vault-plugin-secrets-mastersindia"}) ||
		c.Config.Cmd != nil {
		t.Errorf("it runs %v %v as %s", c.Config.Entrypoint, c.Config.Cmd, c.Config.User)
	}
	if l := c.Config.Labels; l["org.opencontainers.image.version"] != "v1.2.3-rc.1" ||
		l["org.opencontainers.image.revision"] != "0123456789ab" || l["org.opencontainers.image.created"] != "2026-01-31T12:00:00Z" {
		t.Errorf("its labels are %v", l)
	}
}

// checkFiles checks what is in the layers, who owns it, and that nothing has a time.
func checkFiles(t *testing.T, image v1.Image, arch string) {
	t.Helper()
	modes := map[string]int64{
		"etc/": 0o755, "etc/ssl/": 0o755, "etc/ssl/certs/": 0o755, "etc/ssl/certs/ca-certificates.crt": 0o644, "tmp/": 0o1777,
		"vault-plugin-secrets-mastersindia": 0o755,
	}
	for _, layer := range value[[]v1.Layer](t)(image.Layers()) {
		if kind := value[types.MediaType](t)(layer.MediaType()); kind != types.OCILayer {
			t.Errorf("a layer is a %s", kind)
		}
		files := tar.NewReader(value[io.ReadCloser](t)(layer.Uncompressed()))
		for h, err := files.Next(); !errors.Is(err, io.EOF); h, err = files.Next() {
			must(t, err)
			if mode, ok := modes[h.Name]; !ok || h.Mode != mode || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
				t.Errorf("the image has %+v", h)
			}
			delete(modes, h.Name)
			content := value[[]byte](t)(io.ReadAll(files))
			switch h.Name {
			case pluginPath:
				if string(content) != "program of "+arch {
					t.Errorf("the plugin is %q", content)
				}
			case rootsPath:
				// Go skips what it cannot parse: each certificate must be there in the end.
				pool, count := x509.NewCertPool(), bytes.Count(content, []byte("BEGIN CERTIFICATE"))
				if !pool.AppendCertsFromPEM(content) || count < 100 {
					t.Errorf("there are %d root certificates", count)
				}
			}
		}
	}
	if len(modes) > 0 {
		t.Errorf("the image lacks %v", modes)
	}
}

func TestImage_SameSourceSameBytes(t *testing.T) {
	t.Parallel()
	one, other := build(t), build(t)
	if one.folder == other.folder || one.stdout != other.stdout {
		t.Errorf("in one folder:\n%s\nin another:\n%s", one.stdout, other.stdout)
	}
}

func TestImage_RefusedOptions(t *testing.T) {
	t.Parallel()
	b := build(t)
	for why, args := range map[string][]string{
		"file exists":           b.args,
		"are needed":            b.args[1:],
		"is not OS/ARCH=BINARY": append(b.args[:4:4], "linux=amd64"),
		"no such file":          append(b.args[:3:3], "-o="+b.folder+"2", "linux/amd64="+b.folder+"3"),
	} {
		var stdout bytes.Buffer
		if err := run(args, &stdout); err == nil || !strings.Contains(err.Error(), why) || stdout.Len() > 0 {
			t.Errorf("%v: %v: %s, wanted: %s", args, err, stdout.String(), why)
		}
	}
}

// TestRoots_WithLimitsAreLeftOut: a file cannot say that Mozilla trusts a root within limits only.
func TestRoots_WithLimitsAreLeftOut(t *testing.T) {
	text := value[[]byte](t)(roots())
	limited := 0
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			continue
		}
		limited++
		certificate := value[*x509.Certificate](t)(x509.ParseCertificate(root.Certificate))
		if bytes.Contains(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})) {
			t.Errorf("the image trusts %s without limits", certificate.Subject)
		}
	}
	if limited == 0 {
		t.Error("no root has limits: nothing is proved")
	}
}
