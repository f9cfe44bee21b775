// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to end after SIGTERM. Vault itself gives its plugins 2 seconds.
const stopGrace = 15 * time.Second

// Process is a child process that this package started and will end.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

type processSpec struct {
	name string
	path string
	args []string
	// dir is the working directory; "" is that of the tests.
	dir string
	env []string
	// log is the file that standard output and standard error are added to.
	log string
}

func startProcess(spec processSpec) (*Process, error) {
	log, err := os.OpenFile(spec.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: opening its log: %w", spec.name, err)
	}
	// The child has its own descriptor once it is started.
	defer func() { _ = log.Close() }()

	// No CommandContext: it would kill at once what Stop ends in order, and Vault could not end its plugins.
	cmd := exec.Command(spec.path, spec.args...) //nolint:noctx // lives until Stop, see above
	cmd.Dir, cmd.Env = spec.dir, spec.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.name, err)
	}

	p := &Process{name: spec.name, log: spec.log, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // Err has the exit code.
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns the name of the file that holds the output of the process.
func (p *Process) Log() string { return p.log }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns an error with the last lines of its log when the process has ended, and nil as long as it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended (%s); its last lines were:\n%s", p.name, p.cmd.ProcessState, Tail(p.log, 15))
	default:
		return nil
	}
}

// Stop ends the process: first it is asked, then, when it has not ended in time, it is killed. Ending it twice is fine.
func (p *Process) Stop() error {
	if p == nil {
		return nil
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopGrace):
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return fmt.Errorf("%s did not end within %s of SIGTERM and was killed; see %s", p.name, stopGrace, p.log)
}

// Kill ends the process without a warning, like a crash of its machine.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *Process) signal(s os.Signal) error {
	err := p.cmd.Process.Signal(s)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to %s: %w", s, p.name, err)
	}
	return nil
}

// WaitFor calls ready every few milliseconds until it returns nil. It gives up when the context ends, or at once when the
// process ends; the error is the reason why it was not ready at the last check.
func (p *Process) WaitFor(ctx context.Context, ready func(context.Context) error) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ended := p.Err(); ended != nil {
			return ended
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (%w); see %s", p.name, err, ctx.Err(), p.log)
		case <-ticker.C:
		case <-p.done:
		}
	}
}

// test is what EndWith needs of a testing.TB: the demo uses this package too, and is no test.
type test interface {
	Helper()
	Cleanup(f func())
	Failed() bool
	Error(args ...any)
	Logf(format string, args ...any)
}

// ShowEnd shows the end of a log where the test has failed.
func ShowEnd(t test, log string) {
	t.Helper()
	if t.Failed() {
		t.Logf("the end of %s:\n%s", log, Tail(log, 15))
	}
}

// EndWith ends a process with the test, which shows where it has failed the last that the process logged before that.
func EndWith(t test, p interface {
	Stop() error
	Log() string
}) {
	t.Helper()
	t.Cleanup(func() {
		ShowEnd(t, p.Log()) // before the dozens of lines about the stop
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// Tail returns the last lines of a file, as far as it can be read.
func Tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// childEnv returns the whole environment of a child process. It is built from nothing, not filtered: a proxy, a VAULT_TOKEN
// or a VAULT_NAMESPACE of the person at the keyboard must change no result, and HOME must not be theirs, or the vault
// command would read and write their ~/.vault-token.
func childEnv(dir string, extra ...string) []string {
	env := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(dir, "tmp"), "LANG=C.UTF-8"}
	return append(env, extra...)
}

// makeDirs creates directories that only this user can read.
func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}
