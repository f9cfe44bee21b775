// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"
)

// startTimeout bounds how long a Vault server may take until it responds.
const startTimeout = time.Minute

// Vault is a Vault server of our own on a free loopback port.
type Vault struct {
	*Process

	// Addr is the server's URL, Token its root token.
	Addr  string
	Token string
	// Dir holds everything that the server and its clients write.
	Dir string
	// CLI runs commands as root.
	CLI *CLI

	binaries  Binaries
	dev       bool
	settings  Settings
	env       []string // of the server, besides its usual environment
	unsealKey string
	// auditLog is the same file for all nodes of a cluster, to which the audit device belongs: only the active one writes to it.
	auditLog string
}

// StartDevVault starts a server that is unsealed and keeps everything in memory. Dir must be an empty directory.
func StartDevVault(ctx context.Context, binaries Binaries, dir string, env ...string) (*Vault, error) {
	return startVault(ctx, binaries, dir, true, env)
}

// StartVault starts a server that keeps its storage in dir, initialises and unseals it: it survives Stop and Start. Dir must
// be an empty directory.
func StartVault(ctx context.Context, binaries Binaries, dir string, env ...string) (*Vault, error) {
	return startVault(ctx, binaries, dir, false, env)
}

func startVault(ctx context.Context, binaries Binaries, dir string, dev bool, env []string) (*Vault, error) {
	v := &Vault{binaries: binaries, dev: dev, env: env, settings: Settings{Storage: StorageRaft, LogLevel: "trace", Audit: true}}
	return v.open(ctx, dir)
}

func (v *Vault) open(ctx context.Context, dir string) (*Vault, error) {
	// Vault refuses a plugin_directory that is a symbolic link, and on some systems the temporary directory is one.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	v.Dir, v.Token = dir, "root-"+rand.Text()
	if !v.dev && v.settings.Storage == StorageRaft && v.settings.ClusterAddress == "" {
		if v.settings.ClusterAddress, err = FreeAddress(ctx); err != nil {
			return nil, err
		}
	}
	if err := v.prepare(); err != nil {
		return nil, fmt.Errorf("preparing %s for Vault: %w", dir, err)
	}
	if err := v.launch(ctx); err != nil {
		return nil, err
	}
	if !v.dev {
		if err := v.initialise(ctx); err != nil {
			return nil, errors.Join(err, v.Stop())
		}
	}
	v.CLI = newCLI(v.binaries.Vault, filepath.Join(dir, "client"), v.Addr, v.Token)
	if !v.settings.Audit {
		return v, nil
	}
	if _, err := v.CLI.Must(ctx, "", "audit", "enable", "file", "file_path="+v.AuditLog()); err != nil {
		return nil, errors.Join(err, v.Stop())
	}
	return v, nil
}

// VaultBinary is the path of the program that the server and the commands run.
func (v *Vault) VaultBinary() string { return v.binaries.Vault }

// OpenBao tells whether the server is an OpenBao.
func (v *Vault) OpenBao() bool { return v.binaries.OpenBao }

// ServerLog is the server's log, at the level trace unless set otherwise, with the plugin's lines in it.
func (v *Vault) ServerLog() string { return filepath.Join(v.Dir, "server.log") }

// AuditLog is the file of the audit device.
func (v *Vault) AuditLog() string { return cmp.Or(v.auditLog, filepath.Join(v.Dir, "audit.log")) }

// Crash ends the server without a warning. A plugin does not notice that its Vault has gone: it runs on, and its process ids are
// returned for EndOrphans. This needs Linux.
func (v *Vault) Crash() (orphans []int, err error) {
	orphans, err = v.PluginPIDs()
	return orphans, errors.Join(err, v.Process.Kill())
}

// Kill ends the server and its plugins like a power cut.
func (v *Vault) Kill() error {
	orphans, err := v.Crash()
	return errors.Join(err, EndOrphans(orphans))
}

// EndOrphans ends what Crash left.
func EndOrphans(pids []int) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("ending the plugin process %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}

// Start starts a server from StartVault again, after Stop or Kill, and unseals it.
func (v *Vault) Start(ctx context.Context) error {
	if v.dev {
		return errors.New("a dev server keeps nothing that could be started again")
	}
	if err := v.launch(ctx); err != nil {
		return err
	}
	return v.unseal(ctx)
}

// Client returns a Go client that uses the given Vault token. It never retries: tests want to see each response.
func (v *Vault) Client(token string) (*api.Client, error) {
	config := &api.Config{
		Address:    v.Addr,
		Timeout:    commandTimeout,
		HttpClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}},
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for %s: %w", v.Addr, err)
	}
	client.SetToken(token)
	client.SetMaxRetries(0)
	client.ClearNamespace()
	return client, nil
}

func (v *Vault) prepare() error {
	join := func(name string) string { return filepath.Join(v.Dir, name) }
	if err := makeDirs(join("tmp"), join("client/tmp"), join("plugins"), join("storage")); err != nil {
		return err
	}
	return copyFile(v.binaries.Plugin, join(filepath.Join("plugins", filepath.Base(v.binaries.Plugin))), 0o700)
}

func (v *Vault) config() string { return filepath.Join(v.Dir, "server.hcl") }

// launch starts the server process on a free port and waits until it responds. Between finding a free port and listening on it
// another process may take it, so it tries again.
func (v *Vault) launch(ctx context.Context) error {
	var err error
	for range 3 {
		if err = v.launchOnce(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (v *Vault) launchOnce(ctx context.Context) error {
	address, err := v.chooseAddress(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(v.config(), []byte(v.configText(address)), 0o600); err != nil {
		return err
	}
	args := []string{"server", "-config=" + v.config(), "-log-level=" + cmp.Or(v.settings.LogLevel, "trace")}
	env := childEnv(v.Dir, v.env...)
	if v.dev {
		// Not -dev-plugin-dir, which puts plugins in the catalog by itself, without a version and a checksum of ours.
		args = append(args, "-dev", "-dev-no-store-token")
		// In the environment, since every user of the machine can read a command line.
		env = append(env, "VAULT_DEV_ROOT_TOKEN_ID="+v.Token, "VAULT_DEV_LISTEN_ADDRESS="+address)
	}
	v.Process, err = startProcess(processSpec{
		name: "vault server", path: v.binaries.Vault, args: args, env: env, log: v.ServerLog(),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := v.WaitFor(ctx, v.responds); err != nil {
		return errors.Join(err, v.Stop())
	}
	return nil
}

// chooseAddress returns a free loopback address, or the one of before: clients of a server that was restarted find it again.
func (v *Vault) chooseAddress(ctx context.Context) (string, error) {
	if v.unsealKey != "" {
		return v.Addr[len("http://"):], nil
	}
	address, err := FreeAddress(ctx)
	if err != nil {
		return "", err
	}
	v.Addr = "http://" + address
	return address, nil
}

// configText is the server's configuration file. A dev server adds its own storage and listener.
func (v *Vault) configText(address string) string {
	text := fmt.Sprintf("plugin_directory = %q\ndisable_mlock = true\n", filepath.Join(v.Dir, "plugins"))
	if v.binaries.OpenBao {
		// An audit device is otherwise a part of the configuration, and can be neither enabled nor disabled by a command.
		text += "unsafe_allow_api_audit_creation = true\n"
	}
	if v.dev {
		return text
	}
	return text + v.settings.text(filepath.Join(v.Dir, "storage")) +
		fmt.Sprintf("listener \"tcp\" {\n  address = %q\n%s  tls_disable = true\n}\napi_addr = %q\n",
			address, v.settings.listener(), v.Addr)
}

// responds checks that a dev server is ready for requests, or that another one is ready to be unsealed.
func (v *Vault) responds(ctx context.Context) error {
	client, err := v.Client(v.Token)
	if err != nil {
		return err
	}
	if _, err := client.Sys().SealStatusWithContext(ctx); err != nil || !v.dev {
		return err
	}
	_, err = client.Auth().Token().LookupSelfWithContext(ctx)
	return err
}

// initialise makes a new storage, keeps its one unseal key and root token, and unseals it.
func (v *Vault) initialise(ctx context.Context) error {
	client, err := v.Client("")
	if err != nil {
		return err
	}
	keys, err := client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialising Vault: %w", err)
	}
	v.Token, v.unsealKey = keys.RootToken, keys.KeysB64[0]
	return v.unseal(ctx)
}

// unseal unseals the server and waits until it is active.
func (v *Vault) unseal(ctx context.Context) error {
	client, err := v.Client(v.Token)
	if err != nil {
		return err
	}
	if _, err := client.Sys().UnsealWithContext(ctx, v.unsealKey); err != nil {
		return fmt.Errorf("unsealing Vault: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return v.WaitFor(ctx, func(ctx context.Context) error {
		_, err := client.Auth().Token().LookupSelfWithContext(ctx)
		return err
	})
}
