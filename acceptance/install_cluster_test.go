// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Where the guide says what is done here.
const (
	configurationStep = "Configure each node"
	fileStep          = "Put the file in place"
	registerStep      = "Register and enable it"
	compareStep       = "Compare, on every node"
	rehearsalStep     = "Rehearse a failover"
	mendStep          = "When a node has no file, or another one"
	// mendCommands are those of mendStep that mend the file. Those after them prove it, and the rest ends the leases that were left.
	mendCommands, proofCommands = 3, 3
)

const (
	installReaders = 4
	// minTerminalReads is fewer than what the terminal reads in three rounds of 15 seconds on a machine that is busy.
	minTerminalReads = 15
	stepDownCommand  = "vault operator step-down"
)

// installation is a cluster on which the plugin is installed as docs/install.md says, with a shell on each node.
type installation struct {
	*testCluster

	guide   map[string][]shown
	shells  []*openedShell
	leaders *watch
	// version is that of the plugin, and command the name of its file.
	version, command string
	// wrong is a program that is not the plugin.
	wrong string
}

// TestInstallGuide_ThreeNodeCluster follows the section of docs/install.md on clusters, command by command: it installs the
// plugin, has each of three nodes lead once while readers read, and mends a node without the file and one with another file.
func TestInstallGuide_ThreeNodeCluster(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.wantDescribedConfiguration(t)
	for _, shell := range i.shells {
		shell.follow(t, i.guide, fileStep)
	}
	i.shells[1].follow(t, i.guide, registerStep) // not the node that leads
	for _, shell := range i.shells {
		i.wantCompared(t, shell)
	}
	i.wantSamePluginOnAllNodes(t)

	account := i.account(t, simulator.JWT)
	i.writeConfig(t, "gst", account)
	i.writeRole(t, "billing", "gst", "max_ttl=10s")
	i.rehearse(t, source{path: "mastersindia/token/billing", config: "gst", account: account})
	if i.OpenBao() {
		return // what follows takes a standby without the file, which ends an OpenBao: see TestOpenBao_StandbyWithoutFileEnds
	}

	i.mendAnAbsentFile(t)
	i.escapeAWrongFile(t)
	for _, shell := range i.shells {
		i.wantCompared(t, shell)
	}
	i.endLeftLeases(t)
	i.upstream.wantLogins(t, 2) // that of the first read, and the proof of the repair
}

// TestInstallGuide_CompareAfterUpgrade compares the files of a node that lacks one of two versions in use, in the terminal in
// which the old version was installed.
func TestInstallGuide_CompareAfterUpgrade(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	guide := sectionsOf(t, filepath.Join("..", installGuide))[compareStep]
	check.NoError(t, r.RegisterVersion(t.Context(), r.oldFile, r.old))
	r.vault(t, "secrets", "enable", harness.PluginName)
	r.vault(t, "secrets", "enable", "-path=second", harness.PluginName)
	shell := r.openShell(t, r.Vault, installGuide, t.TempDir())
	shell.run(t, shown{command: "VERSION=" + r.old})
	compare := func(wanted ...string) {
		t.Helper()
		var printed strings.Builder
		for _, c := range guide {
			said, _ := shell.try(t, c.command)
			printed.WriteString(said)
		}
		said := printed.String()
		check.Equal(t, regexp.MustCompile(`v\d[^/\s]*: (?:OK|FAILED)`).FindAllString(said, -1), wanted, "%s", said)
	}
	compare(r.old+": OK", r.old+": OK")

	check.NoError(t, r.RegisterVersion(t.Context(), r.newFile, r.new))
	r.vault(t, "secrets", "tune", "-plugin-version="+r.new, harness.PluginName)
	r.vault(t, "plugin", "reload", "-type=secret", "-plugin="+harness.PluginName)
	check.NoError(t, os.Remove(r.oldFile+"-"+r.old))
	compare(r.new+": OK", r.old+": FAILED") // only the first mount was tuned
	check.NoError(t, os.Remove(r.oldFile+"-"+r.new))
	compare(r.new + ": FAILED")
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{testCluster: startTestCluster(t, harness.Patient), guide: sectionsOf(t, filepath.Join("..", installGuide))}
	found := findBinaries(t)
	i.version, i.wrong = found.Version, found.Simulator
	i.command = filepath.Base(found.Plugin) + "-" + i.version
	download := (&docsVault{testVault: i.testVault}).download(t)
	for _, node := range i.cluster.Nodes {
		i.shells = append(i.shells, i.openShell(t, node, installGuide, download))
	}
	i.leaders = i.watchLeader(t.Context(), t)
	i.leaders.waitForLeaderTerm(t, 1)
	return i
}

// wantDescribedConfiguration checks that the nodes are configured as the guide says, and each as a node of its own.
func (i *installation) wantDescribedConfiguration(t *testing.T) {
	t.Helper()
	_, block, _ := strings.Cut(sectionTexts(t, filepath.Join("..", installGuide))[configurationStep], "```hcl\n")
	block, _, _ = strings.Cut(block, "```")
	settings := regexp.MustCompile(`(?m)^\s*(\w+)\s*=`).FindAllStringSubmatch(block, -1)
	check.Require(t, len(settings) >= 5, "the guide shows only %d settings of a node", len(settings))
	for _, setting := range settings {
		values := map[string]bool{}
		for _, node := range i.cluster.Nodes {
			config := readFile(t, filepath.Join(node.Dir, "server.hcl"))
			values[regexp.MustCompile(`(?m)^\s*`+setting[1]+`\s*=.*$`).FindString(string(config))] = true
		}
		check.True(t, !values[""] && len(values) == len(i.cluster.Nodes),
			"the guide names the setting %s, and the nodes have %d different values of it", setting[1], len(values))
	}
}

// wantCompared has the guide's commands compare the file of a node, which must be right.
func (i *installation) wantCompared(t *testing.T, node *openedShell) {
	t.Helper()
	check.Contains(t, strings.Join(node.follow(t, i.guide, compareStep), ""), i.command+": OK", i.version)
}

// rehearse has each node lead once, by the guide, while the guide's terminal and readers of our own read.
func (i *installation) rehearse(t *testing.T, billing source) {
	t.Helper()
	commands := i.guide[rehearsalStep]
	check.Require(t, len(commands) >= 2 && strings.HasPrefix(commands[0].command, "while "),
		"%s no longer begins with a terminal that reads: %v", rehearsalStep, commands)
	first := i.leaders.waitForLeaderTerm(t, 1).node
	desk := (first + 1) % len(i.shells) // never stopped below
	terminal := i.openTerminal(t, i.cluster.Nodes[desk], commands[0].command)
	readers := i.startClusterReaders(t, readerGroup{name: "steady", readers: installReaders, sources: []source{billing}})
	readers.waitForReads(t, 2*installReaders)

	happened := []failover{i.stepDown(t, i.shells[desk], commands[1:], readers)}
	// Two of three are enough, and the one that is left and has not led comes next.
	check.NoError(t, i.cluster.Nodes[first].Stop())
	readers.waitForReads(t, installReaders)
	happened = append(happened, i.stepDown(t, i.shells[desk], commands[1:], readers))
	i.start(t, first)
	check.NoError(t, i.cluster.WaitCaughtUp(t.Context()))
	happened = append(happened, i.stepDown(t, i.shells[desk], commands[1:], readers))
	readers.end()

	reads, between := readers.all(), leaderGaps(i.leaders.all())
	readers.wantNothingWrong(t)
	for _, read := range failed(reads) {
		check.True(t, overlaps(between, read.begin, read.end, 0),
			"a read failed at %s although there was a leader all the time: %v", clock(read.end), read.err)
	}
	reportFailovers(t, happened, reads, i.leaders.all())
	i.wantAllNodesHaveServed(t, i.leaders.all(), reads)
	tokens := tokensOf(reads, billing)
	check.Require(t, len(tokens) == 1, "readers got %d tokens, want the same one all the time", len(tokens))
	terminal.wantOnly(t, tokens[0].tokenID)
	i.upstream.wantLogins(t, 1)
}

// stepDown follows one round of the rehearsal.
func (i *installation) stepDown(t *testing.T, desk *openedShell, round []shown, readers *readers) failover {
	t.Helper()
	f, leaderTerms := failover{kind: stepDown, ordered: time.Now()}, len(i.leaders.all())
	for _, c := range round {
		response := strings.TrimSpace(desk.run(t, c))
		switch {
		case c.command == stepDownCommand:
			f.leader = i.leaders.waitForLeaderTerm(t, leaderTerms+1)
		case strings.Contains(c.command, "leader_address"):
			check.Equal(t, response, i.cluster.Nodes[f.leader.node].Addr, "%s returned", c.command)
		}
	}
	readers.waitForReads(t, 2*installReaders)
	f.settled = time.Now()
	return f
}

// mendAnAbsentFile takes the file from both standbys, has one of them lead, and mends it as the guide says.
func (i *installation) mendAnAbsentFile(t *testing.T) {
	t.Helper()
	leader := i.leaders.waitForLeaderTerm(t, 1).node
	for n, node := range i.cluster.Nodes {
		if n == leader {
			continue
		}
		check.NoError(t, os.Remove(i.fileOn(node)))
	}
	bad := i.handOver(t)
	i.wantNoEngine(t, bad, "no such file or directory")
	i.wantNotReloaded(t, bad, "no such file or directory")
	i.put(t, bad, i.fileOn(i.cluster.Nodes[leader]), "0600")
	i.wantNotReloaded(t, bad, "permission denied")

	for _, c := range i.guide[mendStep][:mendCommands] {
		i.shells[bad].run(t, c)
	}
	i.wantServed(t)
	i.wantCompared(t, i.shells[bad])
	i.proveByAWrite(t, bad, leader)
}

// proveByAWrite checks that the mended mount cannot write, as the guide says, and can when another node leads. Meanwhile the node
// that has no file yet is away.
func (i *installation) proveByAWrite(t *testing.T, mended, right int) {
	t.Helper()
	proof := i.guide[mendStep][mendCommands : mendCommands+proofCommands]
	write := proof[len(proof)-1]
	if printed, code := i.shells[mended].try(t, write.command); code == "0" || !strings.Contains(printed, "cannot write to storage during setup") {
		t.Errorf("%s: exit code %s: the guide need not say that this fails before a step-down: %s", write.command, code, printed)
	}
	absent := len(i.cluster.Nodes) - mended - right // of the numbers 0, 1 and 2
	i.kill(t, absent)
	check.Require(t, proof[0].command == stepDownCommand, "%q no longer steps down: %v", mendStep, proof)
	if got := i.handOver(t); got != right {
		t.Fatalf("node %d leads, and not node %d", got+1, right+1)
	}
	for _, c := range proof[1:] {
		i.shells[right].run(t, c)
	}
	i.start(t, absent)
	check.NoError(t, i.cluster.WaitCaughtUp(t.Context()))
}

// escapeAWrongFile has the one node lead that was not mended, now with another file, and has a node take over that is right.
func (i *installation) escapeAWrongFile(t *testing.T) {
	t.Helper()
	leader := i.leaders.waitForLeaderTerm(t, 1).node
	bad := slices.IndexFunc(i.cluster.Nodes, func(node *harness.Vault) bool {
		_, err := os.Stat(i.fileOn(node))
		return err != nil
	})
	check.Require(t, bad >= 0 && bad != leader, "node %d leads and node %d lacks the file: nothing is left to try", leader+1, bad+1)
	i.put(t, bad, i.wrong, "0700")
	other := len(i.cluster.Nodes) - leader - bad // of the numbers 0, 1 and 2
	i.kill(t, other)
	if got := i.handOver(t); got != bad {
		t.Fatalf("node %d leads, and not node %d", got+1, bad+1)
	}
	i.wantNoEngine(t, bad, "checksums did not match")
	i.wantNotReloaded(t, bad, "checksums did not match")
	i.start(t, other)
	check.NoError(t, i.cluster.WaitCaughtUp(t.Context()))
	i.handOver(t) // and nothing else
	i.wantServed(t)
	i.shells[bad].run(t, i.guide[mendStep][0])
}

// endLeftLeases ends the leases that ended while there was no engine, as the guide says.
func (i *installation) endLeftLeases(t *testing.T) {
	t.Helper()
	commands := i.guide[mendStep][mendCommands+proofCommands:]
	check.Require(t, len(commands) == 1, "%q no longer ends with one command about leases: %v", mendStep, commands)
	printed := i.shells[0].run(t, commands[0])
	revoked := strings.Count(printed, "Success! Revoked lease: mastersindia/token/")
	t.Logf("%d leases ended while the leader had no engine", revoked)
	check.True(t, revoked != 0,
		"no lease ended while the leader had no engine, so that what the guide says of them was not tried: %s", printed)
	i.wantNoIrrevocable(t)
}

// handOver has the leader step down, and returns which node leads then.
func (i *installation) handOver(t *testing.T) int {
	t.Helper()
	leaderTerms := len(i.leaders.all())
	leader := i.leaders.waitForLeaderTerm(t, leaderTerms).node
	i.shells[leader].run(t, shown{command: stepDownCommand})
	return i.leaders.waitForLeaderTerm(t, leaderTerms+1).node
}

// wantNoEngine checks what the guide says of a leader whose file is not right.
func (i *installation) wantNoEngine(t *testing.T, leader int, reason string) {
	t.Helper()
	node := i.shells[leader]
	for command, want := range map[string]string{
		"vault read mastersindia/token/billing":            "No value found at mastersindia/token/billing",
		"vault list mastersindia/preset":                   "No value found at mastersindia/preset",
		"vault write mastersindia/role/billing config=gst": "backend is nil",
	} {
		printed, code := node.try(t, command)
		check.True(t, code != "0" && strings.Contains(printed, want), "%s: exit code %s, without %q: %s", command, code, want, printed)
	}
	compared := node.follow(t, i.guide, compareStep)
	check.Contains(t, strings.Join(compared, ""), "FAILED")
	got := node.run(t, shown{command: "vault read -field=running_plugin_version sys/mounts/mastersindia"})
	check.True(t, strings.TrimSpace(got) == i.version, "the mount no longer seems to run: %s", got)
	node.run(t, shown{command: "vault plugin list secret", response: []string{harness.PluginName}})
	log := readFile(t, i.cluster.Nodes[leader].ServerLog())
	for _, want := range []string{"skipping plugin-based mount entry: path=mastersindia/", reason} {
		check.True(t, bytes.Contains(log, []byte(want)), "the log of node %d does not say %q", leader+1, want)
	}
}

// wantNotReloaded checks that a reload fails and says why.
func (i *installation) wantNotReloaded(t *testing.T, leader int, reason string) {
	t.Helper()
	for _, c := range i.guide[mendStep] {
		if !strings.HasPrefix(c.command, "vault plugin reload") {
			continue
		}
		if printed, code := i.shells[leader].try(t, c.command); code == "0" || !strings.Contains(printed, reason) {
			t.Errorf("%s: exit code %s, without %q: %s", c.command, code, reason, printed)
		}
		return
	}
	t.Fatalf("%q has no command that reloads the plugin", mendStep)
}

// wantServed checks that reads succeed on every node.
func (i *installation) wantServed(t *testing.T) {
	t.Helper()
	check.NoError(t, i.cluster.WaitForwarding(t.Context()))
	for _, shell := range i.shells {
		shell.run(t, shown{command: "vault read mastersindia/token/billing", response: []string{"access_token"}})
	}
}

func (i *installation) fileOn(node *harness.Vault) string {
	return filepath.Join(node.Dir, "plugins", i.command)
}

// put gives a node a file under the name that the catalog has.
func (i *installation) put(t *testing.T, node int, file, mode string) {
	t.Helper()
	i.shells[node].run(t, shown{command: "install -m " + mode + " " + file + " " + i.fileOn(i.cluster.Nodes[node])})
}

// terminal is a command that runs until Ctrl-C.
type terminal struct {
	cmd     *exec.Cmd
	printed bytes.Buffer
}

func (i *installation) openTerminal(t *testing.T, node *harness.Vault, command string) *terminal {
	t.Helper()
	o := &terminal{cmd: i.bash(t, node, t.TempDir(), "-c", command)}
	o.cmd.Stdout, o.cmd.Stderr = &o.printed, &o.printed
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check.NoError(t, o.cmd.Start())
	t.Cleanup(o.end)
	return o
}

// end presses Ctrl-C. Ending it twice is fine.
func (o *terminal) end() {
	if o.cmd.ProcessState != nil {
		return
	}
	_ = syscall.Kill(-o.cmd.Process.Pid, syscall.SIGINT)
	_ = o.cmd.Wait() // it ended by the signal
}

// wantOnly checks that the terminal printed the same token_id again and again, and reports what else it printed.
func (o *terminal) wantOnly(t *testing.T, tokenID string) {
	t.Helper()
	o.end()
	printed := o.printed.String()
	count := strings.Count(printed, tokenID)
	rest := strings.TrimSpace(strings.ReplaceAll(printed, tokenID, ""))
	t.Logf("the terminal read the token %d times, and failed %d times", count, strings.Count(rest, "Error reading"))
	check.True(t, count >= minTerminalReads && !regexp.MustCompile(`\b[0-9a-f]{16}\b`).MatchString(rest),
		"the terminal read %s %d times, and this besides: %s", tokenID, count, rest)
}
