// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/command"
)

const roots = "-----BEGIN CERTIFICATE-----\ninvented\n-----END CERTIFICATE-----\n"

// built is an image that was written for a test.
type built struct {
	folder string
	said   string
	args   []string
}

// build runs the command for a plugin that differs by architecture, as real ones do.
func build(t *testing.T) built {
	t.Helper()
	dir := t.TempDir()
	b := built{folder: filepath.Join(dir, "oci")}
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	b.args = []string{
		"-version=v1.2.3-rc.1", "-revision=0123456789ab", "-created=2026-01-31T13:00:00+01:00", "-roots=" + file("roots", roots),
		"-o=" + b.folder, "linux/amd64=" + file("amd64", "program of amd64"), "linux/arm64=" + file("arm64", "program of arm64"),
	}
	var stdout, stderr bytes.Buffer
	if code := run(b.args, &stdout, &stderr); code != command.ExitOK {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	b.said = stdout.String()
	return b
}

// blob reads what a descriptor points to, and checks that it is that.
func (b built) blob(t *testing.T, d descriptor, wantType string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.folder, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:")))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); got != d.Digest || len(content) != d.Size || d.MediaType != wantType {
		t.Errorf("%+v points to %d bytes with the sum %s", d, len(content), got)
	}
	return content
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestTheImageIsWhatVaultStartsAsAPlugin(t *testing.T) {
	t.Parallel()
	b := build(t)
	top, err := os.ReadFile(filepath.Join(b.folder, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	tagged := decode[index](t, top).Manifests
	// Vault asks for the tag without the v.
	if len(tagged) != 1 || tagged[0].Annotations["org.opencontainers.image.ref.name"] != "1.2.3-rc.1" {
		t.Fatalf("the layout holds %+v", tagged)
	}
	want := "all\tindex\t" + tagged[0].Digest + "\n"
	all := decode[index](t, b.blob(t, tagged[0], typeIndex)).Manifests
	if len(all) != 2 {
		t.Fatalf("images of %d platforms", len(all))
	}
	for n, arch := range []string{"amd64", "arm64"} {
		if *all[n].Platform != (platform{OS: "linux", Architecture: arch}) {
			t.Errorf("image %d is for %+v", n, all[n].Platform)
		}
		m := decode[manifest](t, b.blob(t, all[n], typeManifest))
		text := b.blob(t, m.Config, typeConfig)
		config := decode[imageConfig](t, text)
		if config.platform != *all[n].Platform {
			t.Errorf("the configuration is for %+v", config.platform)
		}
		// A number, since the image has no list of users, and not root. Nothing but the entrypoint: Vault gives the arguments.
		if c := config.Config; c.User != "65532:65532" || len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/vault-plugin-secrets-mastersindia" {
			t.Errorf("it runs %v as %s", c.Entrypoint, c.User)
		}
		if strings.Contains(string(text), `"Cmd"`) {
			t.Errorf("it has arguments: %s", text)
		}
		if l := config.Config.Labels; l["org.opencontainers.image.version"] != "v1.2.3-rc.1" ||
			l["org.opencontainers.image.revision"] != "0123456789ab" || l["org.opencontainers.image.created"] != "2026-01-31T12:00:00Z" {
			t.Errorf("it is labelled %v", l)
		}
		files := map[string]tar.Header{}
		for i, layer := range m.Layers {
			if got := b.unpack(t, layer, files, arch); got != config.RootFS.DiffIDs[i] {
				t.Errorf("layer %d is %s, and the configuration says %s", i, got, config.RootFS.DiffIDs[i])
			}
		}
		for name, mode := range map[string]int64{
			"vault-plugin-secrets-mastersindia": 0o755, "etc/ssl/certs/ca-certificates.crt": 0o644, "tmp/": 0o1777,
		} {
			if h, ok := files[name]; !ok || h.Mode != mode || h.Uid != 0 || h.ModTime.Unix() != 0 {
				t.Errorf("%s is in the image as %+v", name, h)
			}
		}
		want += "linux/" + arch + "\tmanifest\t" + all[n].Digest + "\nlinux/" + arch + "\tid\t" + m.Config.Digest + "\n"
	}
	if b.said != want {
		t.Errorf("said\n%s\ninstead of\n%s", b.said, want)
	}
}

// unpack notes the files of a layer, and returns the digest of what it is uncompressed.
func (b built) unpack(t *testing.T, d descriptor, files map[string]tar.Header, arch string) string {
	t.Helper()
	squeezed, err := gzip.NewReader(bytes.NewReader(b.blob(t, d, typeLayer)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(squeezed)
	if err != nil {
		t.Fatal(err)
	}
	for reader := tar.NewReader(bytes.NewReader(plain)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Sprintf("sha256:%x", sha256.Sum256(plain))
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = *header
		want := map[string]string{"vault-plugin-secrets-mastersindia": "program of " + arch, "etc/ssl/certs/ca-certificates.crt": roots}
		if string(content) != want[header.Name] {
			t.Errorf("%s has the content %q", header.Name, content)
		}
	}
}

func TestTheSameSourceGivesTheSameImage(t *testing.T) {
	t.Parallel()
	one, other := build(t), build(t)
	if one.folder == other.folder || one.said != other.said {
		t.Errorf("in one folder:\n%s\nin another:\n%s", one.said, other.said)
	}
}

func TestAnImageThatWouldNotDoIsNotWritten(t *testing.T) {
	t.Parallel()
	b := build(t)
	dir := filepath.Dir(b.folder)
	if err := os.WriteFile(filepath.Join(dir, "roots"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for why, c := range map[string]struct {
		args []string
		code int
	}{
		"has no certificate":     {append(b.args[:4:4], "-o="+filepath.Join(dir, "new"), b.args[5]), command.ExitFailed},
		"file exists":            {b.args, command.ExitFailed},
		"are needed":             {b.args[1:], command.ExitUsage},
		"is not OS/ARCH=BINARY":  {append(b.args[:5:5], "linux=amd64"), command.ExitUsage},
		"-created: parsing time": {append(b.args[:2:2], append([]string{"-created=today"}, b.args[3:]...)...), command.ExitUsage},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), why) {
			t.Errorf("%v: exit %d: %s, wanted: %s", c.args, code, stderr.String(), why)
		}
	}
}
