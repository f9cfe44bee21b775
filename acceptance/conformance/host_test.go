// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/logical"
	sdkplugin "github.com/hashicorp/vault/sdk/plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/must"
)

// binary is built once for all tests.
//
//nolint:gochecknoglobals // the tests of a package share nothing but variables
var binary = sync.OnceValues(func() (string, error) {
	return harness.PluginBinary(context.Background(), os.Stderr)
})

// host is a process of the plugin, seen from Vault's side.
type host struct {
	client *goplugin.Client
	rpc    *goplugin.GRPCClient
	output *output
}

// startPlugin starts the plugin as Vault does: protocol version 5, AutoMTLS, and no environment but what Vault adds.
func startPlugin(t *testing.T) *host {
	t.Helper()
	path := must.Get(binary())(t)
	cmd := exec.Command(path)
	cmd.Env = []string{
		"TMPDIR=" + t.TempDir(),
		pluginutil.PluginVaultVersionEnv + "=1.21.0",
		pluginutil.PluginMetadataModeEnv + "=false",
		pluginutil.PluginAutoMTLSEnv + "=true",
	}
	h := &host{output: &output{}}
	h.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  sdkplugin.HandshakeConfig,
		VersionedPlugins: sdkplugin.PluginSet,
		Cmd:              cmd,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: h.output}),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
	})
	t.Cleanup(h.client.Kill)
	rpc, err := h.client.Client()
	if err != nil {
		t.Fatalf("the plugin did not start: %v\n%s", err, h.output)
	}
	client, ok := rpc.(*goplugin.GRPCClient)
	if !ok {
		t.Fatalf("the plugin speaks %T, not gRPC", rpc)
	}
	h.rpc = client
	return h
}

func (h *host) pid() int { return h.client.ReattachConfig().Pid }

// dispense returns the backend of one mount, not set up yet.
func (h *host) dispense(t *testing.T, id string) logical.Backend {
	t.Helper()
	backend, err := sdkplugin.Dispense(h.rpc, mountClient{GRPCClient: h.rpc, conn: mountConn{ClientConn: h.rpc.Conn, id: id}})
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// mountClient is a client whose connection belongs to one of the mounts that share a process.
type mountClient struct {
	*goplugin.GRPCClient

	conn mountConn
}

func (c mountClient) Conn() grpc.ClientConnInterface { return c.conn }

// Reload and Close leave the connection open: other mounts use it.
func (mountClient) Reload() error { return nil }
func (mountClient) Close() error  { return nil }

// mountConn adds the mount's id to every call, by which a plugin distinguishes its mounts.
type mountConn struct {
	*grpc.ClientConn

	id string
}

func (c mountConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	return c.ClientConn.Invoke(c.withID(ctx), method, args, reply, options...)
}

func (c mountConn) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return c.ClientConn.NewStream(c.withID(ctx), desc, method, options...)
}

func (c mountConn) withID(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, pluginutil.MultiplexingCtxKey, c.id)
}

// output collects all that the plugin logs, at any level.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// deadline is a context for one call: past it the plugin hangs.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
