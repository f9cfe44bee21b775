// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package release_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// workflow is what decides whom a workflow trusts and what it may do.
type workflow struct {
	Permissions *map[string]string
	Env         map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []struct {
			Uses, Run string
			With      map[string]any
		}
	}
}

// isOff tells what is false from what is not set, whose default is mostly true.
func isOff(setting any) bool {
	on, isSet := setting.(bool)
	return isSet && !on
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files := check.Value(filepath.Glob(filepath.Join(root, ".github/workflows/*")))(t)
	found := map[string]workflow{}
	for _, file := range files {
		var w workflow
		name := filepath.Base(file)
		check.NoError(t, yaml.Unmarshal(read(t, ".github/workflows/"+name), &w))
		found[name] = w
	}
	check.Require(t, len(found) >= 3, "only %d workflows found", len(found))
	return found
}

// TestWorkflowsTrustNoTag keeps the actions those that were looked at: whoever owns an action can move its tags.
func TestWorkflowsTrustNoTag(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n`)
	for name := range workflows(t) {
		for line := range strings.Lines(string(read(t, ".github/workflows/"+name))) {
			check.True(t, !strings.Contains(line, "uses:") || pinned.MatchString(line),
				"%s: not pinned to a commit with its version beside it: %s", name, line)
		}
	}
}

func TestWorkflowsMayDoLittle(t *testing.T) {
	t.Parallel()
	for name, w := range workflows(t) {
		if w.Permissions == nil {
			t.Errorf("%s has the permissions that the repository gives", name)
			continue
		}
		for what, access := range *w.Permissions {
			check.True(t, what == "contents" && access == "read", "%s gives every job %s: %s", name, what, access)
		}
		for job, j := range w.Jobs {
			if len(j.Permissions) > 1 && (name != "release.yml" || job != "draft") {
				t.Errorf("%s: job %s may do %v", name, job, j.Permissions)
			}
			for _, s := range j.Steps {
				check.True(t, !strings.HasPrefix(s.Uses, "actions/checkout@") || isOff(s.With["persist-credentials"]),
					"%s: job %s leaves its token in the folder", name, job)
				check.True(t, !strings.Contains(s.Run, "${{"),
					"%s: job %s has an expression in a script, where it is run as code: %s", name, job, s.Run)
				if name == "release.yml" && (strings.HasPrefix(s.Uses, "actions/cache@") ||
					strings.HasPrefix(s.Uses, "actions/setup-go@") && !isOff(s.With["cache"])) {
					t.Errorf("release.yml: job %s builds from a cache that other runs can write", job)
				}
			}
		}
	}
}

// TestWorkflowsUseOneGo keeps a release from being built with another Go than was tested.
func TestWorkflowsUseOneGo(t *testing.T) {
	t.Parallel()
	all := workflows(t)
	want := all["release.yml"].Env["GO_VERSION"]
	check.True(t, regexp.MustCompile(`^1\.\d+\.\d+$`).MatchString(want),
		"release.yml builds with Go %q, which is not one version", want)
	for name, w := range all {
		check.True(t, w.Env["GO_VERSION"] == want, "%s uses Go %s, release.yml %s", name, w.Env["GO_VERSION"], want)
	}
}

func TestDependabotWatchesEveryModule(t *testing.T) {
	t.Parallel()
	var dependabot struct {
		Updates []struct {
			Ecosystem string `yaml:"package-ecosystem"`
			Directory string
		}
	}
	check.NoError(t, yaml.Unmarshal(read(t, ".github/dependabot.yml"), &dependabot))
	watched := map[string]bool{}
	for _, u := range dependabot.Updates {
		watched[u.Ecosystem+" "+u.Directory] = true
	}
	modules := check.Value(filepath.Glob(filepath.Join(root, "tools/*/go.mod")))(t)
	want := []string{"gomod /", "gomod /audit", "github-actions /"}
	for _, m := range modules {
		want = append(want, "gomod /tools/"+filepath.Base(filepath.Dir(m)))
	}
	for _, w := range want {
		check.True(t, watched[w], "Dependabot does not watch %s", w)
	}
	check.True(t, len(watched) == len(want), "Dependabot watches %d places, and there are %d", len(watched), len(want))
}
