// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// registration is a Vault into whose catalog scripts/register puts the plugin.
type registration struct {
	*docsVault

	old, new         string // versions
	oldFile, newFile string
	folder           string // where the script is run
	env              []string
}

func newRegistration(t *testing.T, start starter) *registration {
	t.Helper()
	found := findBinaries(t)
	r := &registration{docsVault: &docsVault{testVault: prepareTestVault(t)}, old: found.Version}
	r.launch(t, start)
	r.new = check.Value(harness.NextMinor(r.old))(t)
	plugins := filepath.Join(r.Dir, "plugins")
	r.oldFile, r.newFile = filepath.Join(plugins, filepath.Base(found.Plugin)), filepath.Join(plugins, "mastersindia-"+r.new)
	check.NoError(t, harness.BuildPlugin(t.Context(), os.Stderr, r.new, r.newFile))
	return r
}

func (r *registration) register(t *testing.T, wantCode int, args ...string) string {
	t.Helper()
	script := check.Value(filepath.Abs("../scripts/register"))(t)
	cmd := exec.CommandContext(t.Context(), script, args...)
	cmd.Env = append(r.CLI.Env("PATH="+r.programsOnPath(t)+":"+os.Getenv("PATH")), r.env...)
	cmd.Dir = r.folder
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		t.Fatalf("register %q: exit code %d, want %d\n%s", args, code, wantCode, output)
	}
	return string(output)
}

func (r *registration) running(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(r.vault(t, "read", "-field=running_plugin_version", "sys/mounts/mastersindia"))
}

func sumOf(t *testing.T, file string) string {
	t.Helper()
	content := readFile(t, file)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// TestRegisterScript_TunesWithoutPins has a server that knows no pins and no reload by type, as OpenBao does not: the script
// goes on to the end, there and back.
func TestRegisterScript_TunesWithoutPins(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	var refused atomic.Int64
	r.refusing(t, http.StatusNotFound, func(req *http.Request) bool {
		without := strings.HasPrefix(req.URL.Path, "/v1/sys/plugins/pins") || strings.HasPrefix(req.URL.Path, "/v1/sys/plugins/reload/secret")
		if without {
			refused.Add(1)
		}
		return without
	})
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	r.app(t, simulator.JWT)
	for _, step := range []struct{ file, version string }{{r.newFile, r.new}, {r.oldFile, r.old}} {
		said := r.register(t, 0, step.file)
		check.Contains(t, said, "this server has no pins: each mount is tuned to "+step.version, "mastersindia/ runs "+step.version)
		check.Equal(t, r.running(t), step.version, "the mount runs")
		r.vault(t, "write", "-f", "mastersindia/rotate/main")
	}
	check.True(t, refused.Load() != 0, "nobody has asked for pins: nothing is proved")
}

// refusing has the script's requests that match refused with a status, without the server.
func (r *registration) refusing(t *testing.T, status int, match func(*http.Request) bool) {
	t.Helper()
	pass := httputil.NewSingleHostReverseProxy(check.Value(url.Parse(r.Addr))(t))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if match(req) {
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, `{"errors":[]}`)
			return
		}
		pass.ServeHTTP(rw, req)
	}))
	t.Cleanup(server.Close)
	r.env = []string{"VAULT_ADDR=" + server.URL}
}

func TestRegisterScript_RegistersAndGoesBack(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	if said := r.register(t, 0, "-dry-run", r.oldFile); strings.Contains(said, "is registered") {
		t.Errorf("a dry run says that the version is registered: %s", said)
	} else {
		check.Contains(t, said, "nothing was changed")
	}
	check.Contains(t, r.register(t, 0, "-sha256="+sumOf(t, r.oldFile), r.oldFile), r.old+" is registered; no mount uses it yet")
	r.vault(t, "secrets", "enable", harness.PluginName)
	if got := r.running(t); got != r.old {
		t.Fatalf("the mount runs %s, want %s", got, r.old)
	}
	r.app(t, simulator.JWT)
	before := r.readToken(t, "app").String("token_id")

	if said := r.register(t, 0, "-dry-run", r.newFile); strings.Contains(said, "runs "+r.new) {
		t.Errorf("a dry run says that the version runs: %s", said)
	} else {
		check.Contains(t, said, "$ vault plugin register -sha256="+sumOf(t, r.newFile), "$ vault plugin reload", "nothing was changed")
	}
	if listed := r.vault(t, "plugin", "list", "secret"); strings.Contains(listed, r.new) {
		t.Fatalf("a dry run has registered the version: %s", listed)
	}

	check.Contains(t, r.register(t, 0, r.newFile), "mastersindia/ runs "+r.new)
	check.Equal(t, r.running(t), r.new, "the mount runs")
	check.Contains(t, r.register(t, 0, r.newFile), r.new+" is registered already") // and keeps its -env
	r.register(t, 0, r.oldFile)
	check.Equal(t, r.running(t), r.old, "after going back the mount runs")
	check.Equal(t, r.readToken(t, "app").String("token_id"), before, "the token is another one")
	r.upstream.wantLogins(t, 1)
}

func TestRegisterScript_InvalidArgumentsRefused(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	plugins := filepath.Dir(r.oldFile)
	put := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(plugins, name)
		check.NoError(t, os.WriteFile(file, []byte(text), mode))
		return file
	}
	link := filepath.Join(plugins, "link")
	check.NoError(t, os.Symlink(r.oldFile, link))
	other := put("other", "#!/bin/sh\necho other-plugin v1.0.0\n", 0o700)
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{2, nil, "name the plugin's file"},
		{2, []string{"-nonsense", r.oldFile}, "unknown option -nonsense"},
		{2, []string{"-timeout=soon", r.oldFile}, "-timeout must be whole seconds"},
		{2, []string{"-name=", r.oldFile}, "-name must be a name in the catalog"},
		{2, []string{"-name=mastersindia/", r.oldFile}, "-name must be a name in the catalog"},
		{1, []string{"-name=kv", r.oldFile}, "kv is an engine of Vault itself"},
		{1, []string{filepath.Join(plugins, "absent")}, "does not exist"},
		{1, []string{put("plain", "no program", 0o600)}, "is not executable: chmod 0755"},
		{1, []string{link}, "is a symbolic link"},
		{1, []string{other}, "is not this plugin"},
		{1, []string{"-sha256=" + strings.Repeat("0", 64), r.oldFile}, "do not use it, download it again"},
	} {
		check.Contains(t, r.register(t, c.code, c.args...), c.want)
	}
	sums := put("SHA256SUMS", strings.Repeat("0", 64)+"  "+filepath.Base(r.oldFile)+"\n", 0o600)
	check.Contains(t, r.register(t, 1, r.oldFile), "do not use it, download it again")
	check.Contains(t, r.register(t, 1, r.newFile), "has neither the name nor the sum of "+filepath.Base(r.newFile))
	listed := r.vault(t, "plugin", "list", "secret")
	check.True(t, !strings.Contains(listed, harness.PluginName), "what was refused is in the catalog: %s", listed)
	put(filepath.Base(sums), strings.ToUpper(sumOf(t, r.newFile))+"  vault-plugin-secrets-mastersindia_"+r.new+"_linux_amd64\n", 0o600)
	if said := r.register(t, 0, "-dry-run", r.newFile); strings.Contains(said, "no published checksum") || strings.Contains(said, "plugin_directory") ||
		strings.Contains(said, "is named after") {
		t.Errorf("a file that has the sum of one in the release, in capitals, and another name: %s", said)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	check.NoError(t, os.Link(r.newFile, elsewhere))
	for _, args := range [][]string{{"-dry-run", elsewhere}, {elsewhere}} {
		check.Contains(t, r.register(t, 1, args...), "Vault starts "+plugins+"/elsewhere, which does not exist: nothing was changed",
			"install -m 0755 "+elsewhere+" "+plugins+"/vault-plugin-secrets-mastersindia-"+r.new)
	}
	const misnamed = "mastersindia-v0.0.1 copy"
	check.NoError(t, os.Link(r.newFile, filepath.Join(plugins, misnamed)))
	check.Contains(t, r.register(t, 0, "-dry-run", filepath.Join(plugins, misnamed)), "is named after v0.0.1, and is "+r.new,
		` -command=mastersindia-v0.0.1\ copy `)
	r.folder = plugins
	check.Contains(t, r.register(t, 0, "-dry-run", filepath.Base(r.newFile)), "-command="+filepath.Base(r.newFile))
	put(filepath.Base(sums), sumOf(t, r.oldFile)+"  "+filepath.Base(r.oldFile)+"\n", 0o600)
	check.NoError(t, r.Stop())
	check.Contains(t, r.register(t, 1, r.oldFile), "does not respond")
}

// TestRegisterScript_OtherFileRefused gives the script a file that is not the one which Vault starts, as after a build that was not
// installed: nothing is registered, since with the sum of that file every mount would fail at the reload.
func TestRegisterScript_OtherFileRefused(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	r.app(t, simulator.JWT)
	built := filepath.Join(t.TempDir(), filepath.Base(r.oldFile))
	check.NoError(t, os.WriteFile(built, append(readFile(t, r.oldFile), "built anew"...), 0o700))
	for _, args := range [][]string{{"-dry-run", built}, {built}} {
		check.Contains(t, r.register(t, 1, args...),
			"Vault starts "+r.oldFile+", which is another file than "+built+": nothing was changed")
	}
	if listed := r.vault(t, "read", "-field=sha256", "sys/plugins/catalog/secret/"+harness.PluginName, "version="+r.old); strings.TrimSpace(
		listed) != sumOf(t, r.oldFile) {
		t.Errorf("the sum in the catalog is %s now", listed)
	}
	r.vault(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	r.readToken(t, "app")

	page := filepath.Join(t.TempDir(), "page") // of a proxy, which a shell would execute
	check.NoError(t, os.WriteFile(page, []byte("touch "+page+".ran\n"), 0o700))
	check.Contains(t, r.register(t, 1, "-dry-run", page), page+" is no program")
	_, err := os.Stat(page + ".ran")
	check.True(t, os.IsNotExist(err), "the page was executed: %v", err)

	// The file that Vault starts is cut off, on this node: it keeps its name, which the other nodes have.
	good := readFile(t, r.oldFile)
	check.NoError(t, os.WriteFile(built, good, 0o700))
	check.NoError(t, os.Remove(r.oldFile))
	check.NoError(t, os.WriteFile(r.oldFile, good[:len(good)/2], 0o700))
	check.Contains(t, r.register(t, 1, built), "to mend it: install -m 0755 "+built+" "+r.oldFile+"\n")
}

// newRunning is a registration whose old version runs, and its file, which has the version in its name.
func newRunning(t *testing.T) (r *registration, file string) {
	t.Helper()
	r = newRegistration(t, harness.StartDevVault)
	file = filepath.Join(filepath.Dir(r.oldFile), "vault-plugin-secrets-mastersindia-"+r.old)
	check.NoError(t, os.Rename(r.oldFile, file))
	r.register(t, 0, file)
	r.vault(t, "secrets", "enable", harness.PluginName)
	r.app(t, simulator.JWT)
	return r, file
}

// TestRegisterScript_SameVersionKeepsTheOldFile gives the script another build of the version that runs: the file that it says to
// install is beside the one in use, and what it says is enough to go back.
func TestRegisterScript_SameVersionKeepsTheOldFile(t *testing.T) {
	t.Parallel()
	r, running := newRunning(t)
	before := sumOf(t, running)
	built := filepath.Join(t.TempDir(), "vault-plugin-secrets-mastersindia")
	check.NoError(t, os.WriteFile(built, append(readFile(t, running), "built anew"...), 0o700))

	_, advice, found := strings.Cut(r.register(t, 1, built), "to mend it: ")
	command, _, _ := strings.Cut(advice, "\n")
	words := strings.Fields(command)
	check.True(t, found && len(words) > 1, "no command in %q", advice)
	if output, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", words, err, output)
	}
	check.Equal(t, sumOf(t, running), before, "the sum of the file that runs")

	placed := words[len(words)-1]
	check.Contains(t, r.register(t, 0, placed), r.old+" is registered with another sum", "run this with "+filepath.Base(running))
	r.readToken(t, "app")
	r.register(t, 0, running)
	r.readToken(t, "app")
	check.NoError(t, os.WriteFile(placed+".new", append(readFile(t, running), "once more"...), 0o700))
	check.NoError(t, os.Rename(placed+".new", running))
	check.Contains(t, r.register(t, 1, "-sha256="+before, running), "do not use it")
	check.Contains(t, r.register(t, 0, "-dry-run", running), "there is no way back to it")
}

// TestRegisterScript_RegisteredVersionKeepsItsCommand gives the script the file of a registered version under other names: the
// version keeps its command, since the other nodes have the file under that name.
func TestRegisterScript_RegisteredVersionKeepsItsCommand(t *testing.T) {
	t.Parallel()
	r, named := newRunning(t)
	plugins := filepath.Dir(named)
	wantCommand := func(want string) {
		t.Helper()
		command := r.vault(t, "read", "-field=command", "sys/plugins/catalog/secret/"+harness.PluginName, "version="+r.old)
		check.Equal(t, strings.TrimSpace(command), want, "the registered command")
		r.vault(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
		r.readToken(t, "app")
	}
	download := filepath.Join(t.TempDir(), "newdl")
	misnamed := filepath.Join(plugins, "vault-plugin-secrets-mastersindia-"+r.new)
	for _, file := range []string{download, misnamed} {
		check.NoError(t, os.WriteFile(file, readFile(t, named), 0o700))
		check.Contains(t, r.register(t, 0, file), r.old+" is registered as "+filepath.Base(named), "mastersindia/ runs "+r.old)
		wantCommand(filepath.Base(named))

		// This node has lost the file: the one to install has the registered name.
		content := readFile(t, named)
		check.NoError(t, os.Remove(named))
		check.Contains(t, r.register(t, 1, file), "Vault starts "+named+", which does not exist: nothing was changed",
			"to mend it: install -m 0755 "+file+" "+named+"\n")
		check.NoError(t, os.WriteFile(named, content[:len(content)/2], 0o700))
		check.Contains(t, r.register(t, 1, file), "Vault starts "+named+", which is another file than "+file,
			"to mend it: install -m 0755 "+file+" "+named+"\n")
		check.NoError(t, os.Remove(named))
		check.NoError(t, os.WriteFile(named, content, 0o700))
		wantCommand(filepath.Base(named))
	}

	// A name without a version may be another version's by now: that file is not replaced.
	unversioned := filepath.Join(plugins, "unversioned")
	check.NoError(t, os.Link(named, unversioned))
	r.vault(t, "plugin", "register", "-sha256="+sumOf(t, named), "-version="+r.old, "-command=unversioned", "secret", harness.PluginName)
	check.NoError(t, os.Remove(unversioned))
	check.NoError(t, os.Link(r.newFile, unversioned))
	check.Contains(t, r.register(t, 1, download), "Vault starts "+plugins+"/newdl, which does not exist: nothing was changed",
		"to mend it: install -m 0755 "+download+" "+named+"\n")
	r.register(t, 0, named)
	wantCommand(filepath.Base(named))
}

// TestRegisterScript_FailedReloadSaysWayBack registers a file that reports a version, and does not run as a plugin: with the commands
// that the script prints the mount runs again.
func TestRegisterScript_FailedReloadSaysWayBack(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	r.app(t, simulator.JWT)
	broken := filepath.Join(filepath.Dir(r.oldFile), "broken")
	check.NoError(t, os.WriteFile(broken, []byte("#!/bin/sh\necho vault-plugin-secrets-mastersindia v9.0.0\n"), 0o700))
	said := r.register(t, 1, broken)
	check.Contains(t, said, "reads may fail", "To go back, type:")
	r.refused(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	_, commands, _ := strings.Cut(said, "To go back, type:")
	for command := range strings.Lines(commands) {
		if words := strings.Fields(command); len(words) > 2 {
			r.vault(t, words[2:]...)
		}
	}
	r.readToken(t, "app")
	r.wantTuned(t, r.old, r.old)
}

// TestRegisterScript_RefusalChangesNothing has the server refuse each change of a version that is recorded already, and the first
// change of a new one: nothing is to be undone, unless a reload was begun.
func TestRegisterScript_RefusalChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	for _, c := range []struct{ path, file, want, not string }{
		{"/v1/sys/plugins/catalog/", r.newFile, "nothing was changed", "To go back"},
		{"/v1/sys/plugins/pins/", r.oldFile, "nothing was changed", "To go back"},
		{"/v1/sys/plugins/pins/", r.newFile, "not done: after a restart", "reads may fail"},
		{"/v1/sys/plugins/reload/", r.oldFile, "reads may fail", "nothing was changed"},
	} {
		r.refusing(t, http.StatusForbidden, func(req *http.Request) bool {
			return req.Method == http.MethodPut && strings.HasPrefix(req.URL.Path, c.path)
		})
		said := r.register(t, 1, c.file)
		check.Contains(t, said, "Code: 403", c.want)
		check.True(t, !strings.Contains(said, c.not), "%s was refused: %s", c.path, said)
	}
}

// TestRegisterScript_NoPluginDirectoryRefused has servers whose plugin_directory is not set, or a link.
func TestRegisterScript_NoPluginDirectoryRefused(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	plugins := filepath.Dir(r.oldFile)
	link := filepath.Join(t.TempDir(), "link")
	check.NoError(t, os.Symlink(plugins, link))
	for config, want := range map[string]string{
		"disable_mlock = true\n":                     "plugin_directory is not set on the active node: set it on each node, and restart Vault: nothing was changed",
		fmt.Sprintf("plugin_directory = %q\n", link): "plugin_directory is a link, and Vault starts nothing in it: set it to " + plugins + ": nothing was changed",
	} {
		r.env = r.serve(t, config)
		for _, args := range [][]string{{"-dry-run", r.oldFile}, {r.oldFile}} {
			check.Contains(t, r.register(t, 1, args...), want)
		}
	}
}

// TestRegisterScript_LackingCapabilitiesNamed takes from the installer's policy what the script needs, one after the other.
func TestRegisterScript_LackingCapabilitiesNamed(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	root, rules := r.CLI, string(readFile(t, "../examples/policies/installer.hcl"))
	const name = "secret/" + harness.PluginName
	wants := map[string]string{
		"sys/plugins/catalog/*":             "read, update, sudo on sys/plugins/catalog/" + name,
		"sys/plugins/pins/*":                "read, update on sys/plugins/pins/" + name,
		"sys/plugins/reload/*":              "update on sys/plugins/reload/" + name,
		"sys/mounts/mastersindia":           "read on sys/mounts/mastersindia",
		"sys/plugins/pins/secret/elsewhere": "",
	}
	if r.OpenBao() {
		delete(wants, "sys/plugins/pins/*")
		wants["sys/plugins/reload/*"] = "update on sys/plugins/reload/backend"
		wants["sys/mounts/mastersindia/tune"] = "update on sys/mounts/mastersindia/tune"
	}
	for path, want := range wants {
		r.CLI = root
		r.policy(t, "installer", rules)
		r.policy(t, "without", `path "`+path+`" { capabilities = ["deny"] }`)
		r.CLI = root.As(r.tokenFor(t, "-policy=installer", "-policy=without"))
		if want == "" {
			r.register(t, 0, "-dry-run", r.newFile)
			continue
		}
		for _, args := range [][]string{{"-dry-run", r.newFile}, {r.newFile}} {
			check.Contains(t, r.register(t, 1, args...), "the token lacks "+want+": see examples/policies/installer.hcl: nothing was changed")
		}
	}
	r.CLI = root
	r.policy(t, "without", `path "mastersindia/role/scripts-register-probe" { capabilities = ["deny"] }`)
	r.CLI = root.As(r.tokenFor(t, "-policy=installer", "-policy=without"))
	check.Contains(t, r.register(t, 0, r.newFile), "whether mastersindia/ can write is not known", "permission denied")
}

// TestRegisterScript_MountWithoutEngine takes the file from a server that starts: each run of the script says what the mount lacks
// now, and none says that all is well before the mount can write.
func TestRegisterScript_MountWithoutEngine(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartVault)
	root := r.CLI
	r.policy(t, "installer", string(readFile(t, "../examples/policies/installer.hcl")))
	r.CLI = root.As(r.tokenFor(t, "-policy=installer"))
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	check.NoError(t, os.Rename(r.oldFile, r.oldFile+".away"))
	r.restart(t)
	check.NoError(t, os.Rename(r.oldFile+".away", r.oldFile))
	const missing, readOnly = "mastersindia/ has no engine", "mastersindia/ cannot write"
	for _, file := range []string{r.oldFile, r.newFile} {
		said := r.register(t, 1, "-dry-run", file)
		check.Contains(t, said, missing, readOnly, "nothing was changed: this is a dry run")
		check.True(t, !strings.Contains(said, "mastersindia/ runs"), "nothing runs, and the script says: %s", said)
	}
	check.Contains(t, r.register(t, 1, r.oldFile), missing, "mastersindia/ runs "+r.old, readOnly, "vault operator raft autopilot state")
	for _, args := range [][]string{{r.oldFile}, {"-dry-run", r.oldFile}} {
		said := r.register(t, 1, args...)
		check.Contains(t, said, readOnly)
		check.True(t, !strings.Contains(said, missing), "the engine is there: %s", said)
	}
	r.vault(t, "operator", "members") // the message names both
	check.Contains(t, r.vault(t, "operator", "raft", "autopilot", "state"), "Healthy", "Voters")
	r.restart(t)
	said := r.register(t, 0, r.oldFile)
	check.True(t, !strings.Contains(said, readOnly), "the mount can write, and the script says: %s", said)
}

// TestRegisterScript_GuideRemovesPin checks what the documents say of the pin that the script sets, beside mounts that are tuned
// to another version: that it excludes tuning, that it hides what they are tuned to, and that the guide's commands leave it.
func TestRegisterScript_GuideRemovesPin(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartVault)
	if r.OpenBao() {
		t.Skip("OpenBao has no version pins")
	}
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	r.app(t, simulator.JWT)
	before := r.readToken(t, "app").String("token_id")
	r.register(t, 0, r.newFile)
	r.wantTuned(t, r.old, r.new)

	const refusal = "as a pinned version"
	check.Contains(t, r.refused(t, "secrets", "tune", "-plugin-version="+r.old, "mastersindia"), refusal, r.new)
	check.Contains(t, r.refused(t, "secrets", "tune", "-plugin-version="+r.new, "mastersindia"), refusal, r.new)
	check.Contains(t, r.refused(t, "secrets", "enable", "-path=other", "-plugin-version="+r.new, harness.PluginName),
		"pinned to version "+r.new)
	check.Contains(t, r.refused(t, "plugin", "deregister", "-version="+r.new, "secret", harness.PluginName),
		"cannot delete a pinned version")
	r.vault(t, "secrets", "enable", "-path=later", harness.PluginName)
	if later := r.readJSON(t, "read", "-format=json", "sys/mounts/later").String("plugin_version"); later != r.new {
		t.Errorf("a mount that was enabled under the pin is tuned to %s, want %s", later, r.new)
	}
	r.vault(t, "secrets", "disable", "later")

	// Deleting the pin alone goes back to the old version, or leaves no engine at all.
	const pin = "sys/plugins/pins/secret/" + harness.PluginName
	r.vault(t, "delete", pin)
	r.vault(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	r.wantTuned(t, r.old, r.old)
	r.register(t, 0, r.newFile)
	r.vault(t, "plugin", "deregister", "-version="+r.old, "secret", harness.PluginName)
	r.vault(t, "delete", pin)
	said := r.refused(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	check.Contains(t, said, "plugin not found in the catalog", r.old)
	r.wantTuned(t, r.old, r.new)
	r.restart(t)
	check.Contains(t, r.refused(t, "read", "mastersindia/token/app"), "No value found")
	check.Contains(t, r.register(t, 1, r.newFile), "mastersindia/ runs "+r.new, "mastersindia/ cannot write")
	check.Contains(t, r.refused(t, "write", "-f", "mastersindia/rotate/main"), "cannot write to storage during setup")
	r.vault(t, "delete", pin)
	r.vault(t, "secrets", "tune", "-plugin-version="+r.new, "mastersindia")
	r.vault(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	r.wantTuned(t, r.new, r.new)
	r.readToken(t, "app")

	r.register(t, 1, r.oldFile) // the pin again, of another version than what the mount is tuned to; it still cannot write
	r.wantTuned(t, r.new, r.old)
	guide := sectionsOf(t, filepath.Join("..", upgradeGuide))
	shell := r.openShell(t, r.Vault, upgradeGuide, t.TempDir())
	responses := shell.follow(t, guide, "Leave a pin")
	check.Equal(t, strings.TrimSpace(responses[len(responses)-1]), r.old, "the guide leaves the mount tuned to")
	r.restart(t)
	r.wantTuned(t, r.old, r.old)
	r.vault(t, "secrets", "tune", "-plugin-version="+r.new, "mastersindia")
	check.Equal(t, r.readToken(t, "app").String("token_id"), before, "the token is another one")
	r.upstream.wantLogins(t, 1)
}

// restart stops and starts the server, which does to a mount what a failover does.
func (r *registration) restart(t *testing.T) {
	t.Helper()
	check.NoError(t, errors.Join(r.Stop(), r.Start(t.Context())))
}

func (r *registration) wantTuned(t *testing.T, tuned, running string) {
	t.Helper()
	mount := r.readJSON(t, "read", "-format=json", "sys/mounts/mastersindia")
	if mount.String("plugin_version") != tuned || mount.String("running_plugin_version") != running {
		t.Errorf("the mount is tuned to %s and runs %s, want %s and %s",
			mount.String("plugin_version"), mount.String("running_plugin_version"), tuned, running)
	}
}

// TestRegisterScript_InstallerPolicySuffices installs, exchanges and removes the plugin with the policy that docs/install.md
// names.
func TestRegisterScript_InstallerPolicySuffices(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	rules := readFile(t, "../examples/policies/installer.hcl")
	r.policy(t, "installer", string(rules))
	root := r.CLI
	r.CLI = root.As(r.tokenFor(t, "-policy=installer"))
	const mount, pin = "sys/mounts/" + harness.PluginName, "sys/plugins/pins/secret/" + harness.PluginName
	r.register(t, 0, r.oldFile)
	r.vault(t, "secrets", "enable", harness.PluginName)
	check.Value(root.Must(t.Context(), "", "secrets", "enable", "-path=second", harness.PluginName))(t)
	if said := r.register(t, 0, r.newFile); !strings.Contains(said, "mastersindia/ runs "+r.new) || strings.Contains(said, "can write") ||
		strings.Contains(said, "cannot") {
		t.Errorf("a mount that has its engine: %s", said)
	}
	if !r.OpenBao() {
		r.vault(t, "delete", pin)
	}
	r.vault(t, "secrets", "tune", "-plugin-version="+r.new, harness.PluginName)
	r.vault(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	r.vault(t, "read", mount)
	r.vault(t, "read", "sys/config/state/sanitized")
	check.Contains(t, r.refused(t, "secrets", "enable", "-path=other", harness.PluginName), "permission denied")
	check.Contains(t, r.refused(t, "write", "mastersindia/config/gst", "preset=einvoice-sandbox"), "permission denied")
	r.vault(t, "secrets", "disable", harness.PluginName)
	check.Value(root.Must(t.Context(), "", "secrets", "disable", "second"))(t)
	for _, version := range []string{r.old, r.new} {
		r.vault(t, "plugin", "deregister", "-version="+version, "secret", harness.PluginName)
	}
}
