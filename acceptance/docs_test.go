// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// shown is a command of a document, and the lines of its response that the document shows.
type shown struct {
	command  string
	response []string
}

// documents are those whose commands are run, in this order, in one Vault: the last one leaves accounts paused.
func documents() []string {
	return []string{
		installGuide, // removes what it installs
		"README.md",
		"docs/configure.md",
		"docs/use.md",
		"docs/audit.md",
		"docs/performance.md",
		"docs/reference.md",
		"docs/operate.md",
		"docs/architecture.md",
		"docs/reliability.md",
		"docs/monitoring.md",
		"docs/threat-model.md",
		"docs/releasing.md",
	}
}

// installGuide has a section for which one Vault is not enough: TestInstallGuide_ThreeNodeCluster follows it.
const (
	installGuide   = "docs/install.md"
	clusterSection = "On a cluster"
)

// upgradeGuide is followed by TestUpgrade_InPlaceUnderReaders, since it takes a second version.
const upgradeGuide = "docs/upgrade.md"

// TestDocs_CommandsWork runs every command of every document as it stands there, in one Vault, with the vendors' own host names.
func TestDocs_CommandsWork(t *testing.T) {
	t.Parallel()
	w := newDocsVault(t)
	ran := 0
	for _, document := range documents() {
		commands := withoutMissing(t, commandsOf(t, filepath.Join("..", document)))
		ran += len(commands)
		w.follow(t, document, commands)
	}
	t.Logf("%d commands ran", ran)
	for _, host := range []string{
		"router.mastersindia.co", "qa-globalback.mastersindia-einv.com", "commonapi.mastersindia.co",
		"staging-soapapi.mastersindia.co", "stg34.visionplus.io", "prod.emea.api.fiservapps.com", "latam.example",
	} {
		check.True(t, slices.Contains(w.vendorHosts.asked(), host), "no login went to %s", host)
	}
}

// TestDocs_EveryDocumentIsRun keeps a new document from being left out above.
func TestDocs_EveryDocumentIsRun(t *testing.T) {
	t.Parallel()
	files := check.Value(filepath.Glob("../docs/*.md"))(t)
	for _, file := range files {
		name := "docs/" + filepath.Base(file)
		check.True(t, slices.Contains([]string{upgradeGuide, drills, firstTime}, name) || slices.Contains(documents(), name),
			"the commands of %s are not run", name)
	}
}

// TestDocs_NamedTestsExist keeps a claim from resting on a test that was renamed. A name may be cut short by an ellipsis.
func TestDocs_NamedTestsExist(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, pattern := range []string{"*_test.go", "../*_test.go", "../test/*_test.go", "../simulator/*_test.go", "../backend/*/*_test.go", "../audit/*_test.go"} {
		files := check.Value(filepath.Glob(pattern))(t)
		for _, file := range files {
			text := readFile(t, file)
			source.Write(text)
		}
	}
	documents := check.Value(filepath.Glob("../docs/*.md"))(t)
	named := 0
	for _, document := range documents {
		text := readFile(t, document)
		for _, found := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)(…?)`").FindAllStringSubmatch(string(text), -1) {
			named++
			want := "func " + found[1]
			if found[2] == "" {
				want += "("
			}
			check.True(t, strings.Contains(source.String(), want), "%s names %s, which is not there", document, found[0])
		}
	}
	check.True(t, named >= 10, "the documents name only %d tests: this test proves little", named)
}

// docsVault is a testVault as a reader of the documents has it: the plugin is a file, and not yet registered.
type docsVault struct {
	*testVault

	vendorHosts *vendorHosts
	password    string
	secret      string
}

func newDocsVault(t *testing.T) *docsVault {
	t.Helper()
	d := &docsVault{}
	w := prepareTestVault(t)
	d.vendorHosts = newVendorHosts(t, w.upstream.Simulator, w.file("vendorHosts.pem"))
	d.testVault = w
	w.launch(t, harness.StartDevVault, d.vendorHosts.env()...)
	d.password, d.secret = "documented-password-0", "documented-client-secret-0"
	names := map[simulator.Protocol]string{simulator.JWT: "api", simulator.FirstVision: "fv"} // the others are called by their protocol
	for _, a := range simulator.DemoAccounts() {
		name := cmp.Or(names[a.Protocol], string(a.Protocol))
		if a.Password != "" {
			a.Username, a.Password = name+"-user", d.password
		}
		if a.ClientSecret != "" {
			a.ClientID, a.ClientSecret = name+"-client", d.secret
		}
		w.upstream.addAccount(t, a)
	}
	return d
}

func (d *docsVault) follow(t *testing.T, document string, commands []shown) {
	t.Helper()
	env := d.CLI.Env("PLUGIN_DIR="+filepath.Join(d.Dir, "plugins"), "AUDIT_LOG="+d.AuditLog(),
		"PATH="+d.programsOnPath(t)+":"+os.Getenv("PATH"))
	reader{env: env, dir: d.download(t), password: d.password, secret: d.secret}.follow(t, document, commands)
}

// reader is a user who follows a document in a folder, and types a password or a client secret where a command asks for it.
type reader struct {
	env              []string
	dir              string
	password, secret string
}

// follow runs commands in one shell, as a person would, and looks for the responses that the document shows.
func (r reader) follow(t *testing.T, document string, commands []shown) {
	t.Helper()
	const mark = "==> "
	var script, typed strings.Builder
	for n, c := range commands {
		fmt.Fprintf(&script, "printf '\\n%s%d\\n'\n%s\n", mark, n, c.command)
		for _, prompt := range regexp.MustCompile(`\bread -rsp '[^']*'`).FindAllString(c.command, -1) {
			typed.WriteString(r.typed(prompt) + "\n")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script.String())
	shell.Env, shell.Dir, shell.Stdin = r.env, r.dir, strings.NewReader(typed.String())
	output, err := shell.CombinedOutput()
	check.Require(t, err == nil, "%s: a command failed: %v\n%s", document, err, lastOf(output))
	parts := regexp.MustCompile(`(?m)^`+mark+`\d+$`).Split(string(output), -1)[1:]
	for n, c := range commands {
		c.check(t, document, parts[n])
	}
	writeOutputs(t, document, commands, parts)
}

// withoutMissing leaves out the commands that take a program which a bare machine has not.
func withoutMissing(t *testing.T, commands []shown) []shown {
	t.Helper()
	return slices.DeleteFunc(commands, func(c shown) bool {
		for _, program := range []string{"curl", "jq"} {
			if regexp.MustCompile(`\b`+program+`\b`).MatchString(c.command) && missing(t, program) != nil {
				t.Logf("left out, for want of %s: %s", program, c.command)
				return true
			}
		}
		return false
	})
}

// download is a folder with the files of a release, the plugin as it is published and as it comes out of its archive, and with
// what "make build" leaves in bin.
func (d *docsVault) download(t *testing.T) string {
	t.Helper()
	found := findBinaries(t)
	dir, name := folder(t), filepath.Base(found.Plugin)
	published := name + "_" + found.Version + "_linux_amd64"
	sums := sumOf(t, found.Plugin) + "  " + published + "\n" + strings.Repeat("0", 64) + "  that-of-another-machine\n"
	check.NoError(t, errors.Join(
		os.Symlink(filepath.Dir(found.Plugin), filepath.Join(dir, "bin")),
		os.Symlink(found.Plugin, filepath.Join(dir, published)),
		os.Symlink(found.Plugin, filepath.Join(dir, name)),
		os.WriteFile(filepath.Join(dir, "that-of-another-machine"), nil, 0o600), // must not be what is verified
		os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums), 0o600),
	))
	return dir
}

// folder is a new one with a blank in its name.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my files")
	check.NoError(t, os.Mkdir(dir, 0o700))
	return dir
}

func (r reader) typed(command string) string {
	if strings.Contains(command, "secret") {
		return r.secret
	}
	return r.password
}

// programsOnPath is a folder that has the server's own binary under the name of vault, and the audit report.
func (d *docsVault) programsOnPath(t *testing.T) string {
	t.Helper()
	found := findBinaries(t)
	dir := t.TempDir()
	for name, binary := range map[string]string{"vault": d.VaultBinary(), "mastersindia-audit": found.Audit} {
		check.NoError(t, os.Symlink(binary, filepath.Join(dir, name)))
	}
	return dir
}

func lastOf(output []byte) []byte {
	const most = 2000
	return output[max(0, len(output)-most):]
}

// commandsOf reads the console blocks of a document. make's targets are run as such, and not from here.
func commandsOf(t *testing.T, name string) []shown {
	t.Helper()
	text := readFile(t, name)
	return commandsIn(t, withoutCluster(string(text)))
}

func withoutCluster(text string) string {
	before, section, found := strings.Cut(text, "\n## "+clusterSection+"\n")
	if !found {
		return text
	}
	_, after, _ := strings.Cut(section, "\n## ")
	return before + "\n## " + after
}

// commandsIn reads the console blocks of a part of a document.
func commandsIn(t *testing.T, text string) []shown {
	t.Helper()
	var commands []shown
	inside, continued := false, false
	end := "" // the line that ends the text which a command is given
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case end != "":
			commands[len(commands)-1].command += "\n" + line
			if line == end {
				end = ""
			}
		case continued:
			commands[len(commands)-1].command += "\n" + line
			continued = strings.HasSuffix(line, "\\")
		case isCommand && strings.HasPrefix(command, "make "):
			inside = false // its target exists: see TestChecks_NamedTargetsExist
		case isCommand:
			commands = append(commands, shown{command: command})
			continued = strings.HasSuffix(line, "\\")
			_, end, _ = strings.Cut(command, "<<'")
			end = strings.TrimSuffix(end, "'")
		case len(commands) > 0 && strings.TrimSpace(line) != "":
			last := &commands[len(commands)-1]
			last.response = append(last.response, line)
		}
	}
	return commands
}

// vendorHosts plays all the vendors' hosts at once: it is a proxy that leads whichever host it is asked for to the simulator, with
// a certificate for that host. So the presets can be tried as they are, and nothing leaves the machine.
type vendorHosts struct {
	simulator   http.Handler
	secure      string // address of the simulator with TLS
	url, caFile string

	mu    sync.Mutex
	hosts []string
}

func newVendorHosts(t *testing.T, sim http.Handler, caFile string) *vendorHosts {
	t.Helper()
	ca := check.Value(simulator.NewCA())(t)
	check.NoError(t, os.WriteFile(caFile, ca.CertPEM(), 0o600))
	secure := httptest.NewUnstartedServer(sim)
	secure.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return ca.ServerTLS(hello.ServerName)
	}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	v := &vendorHosts{simulator: sim, secure: secure.Listener.Addr().String(), caFile: caFile}
	proxy := httptest.NewServer(v)
	t.Cleanup(proxy.Close)
	v.url = proxy.URL
	return v
}

// env is what leads a process to the vendors.
func (v *vendorHosts) env() []string {
	return []string{"HTTPS_PROXY=" + v.url, "HTTP_PROXY=" + v.url, "SSL_CERT_FILE=" + v.caFile}
}

func (v *vendorHosts) asked() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.hosts...)
}

// ServeHTTP serves a proxy's requests: CONNECT for https, everything else for plain http.
func (v *vendorHosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.hosts = append(v.hosts, r.URL.Hostname())
	v.mu.Unlock()
	if r.Method != http.MethodConnect {
		v.simulator.ServeHTTP(w, r)
		return
	}
	near, ahead, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", v.secure)
	if err != nil {
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, ahead)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}
