// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/logical"
	sdkplugin "github.com/hashicorp/vault/sdk/plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// binary is built once for all tests.
//
//nolint:gochecknoglobals // the tests of a package share nothing but variables
var binary = sync.OnceValues(func() (string, error) { return harness.PluginBinary(context.Background(), os.Stderr) })

// host is a process of the plugin, seen from Vault's side.
type host struct {
	client *goplugin.Client
	rpc    *goplugin.GRPCClient
	output *output
}

// startPlugin starts the plugin as Vault does: protocol version 5, AutoMTLS, and no environment but what Vault adds.
func startPlugin(t *testing.T) *host {
	t.Helper()
	path := check.Value(binary())(t)
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
	check.Require(t, err == nil, "the plugin did not start: %v\n%s", err, h.output)
	client, ok := rpc.(*goplugin.GRPCClient)
	check.Require(t, ok, "the plugin speaks %T, not gRPC", rpc)
	h.rpc = client
	return h
}

func (h *host) pid() int { return h.client.ReattachConfig().Pid }

// dispense returns the backend of one mount, not set up yet.
func (h *host) dispense(t *testing.T, id string) logical.Backend {
	t.Helper()
	backend, err := sdkplugin.Dispense(h.rpc, mountClient{GRPCClient: h.rpc, conn: mountConn{ClientConn: h.rpc.Conn, id: id}})
	check.NoError(t, err)
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

// mount is one mount of the engine, with the storage and the system that Vault would give it.
type mount struct {
	logical.Backend

	storage *storage
}

// mountOn sets up and initialises a mount as Vault does. State is what the node is within a cluster.
func mountOn(t *testing.T, h *host, id string, store *storage, state consts.ReplicationState) *mount {
	t.Helper()
	m := &mount{Backend: h.dispense(t, id), storage: store}
	store.readOnly.Store(true) // Vault's storage takes no writes before Initialize.
	check.NoError(t, m.Setup(deadline(t), &logical.BackendConfig{
		StorageView: store,
		System: &logical.StaticSystemView{
			DefaultLeaseTTLVal:  768 * time.Hour,
			MaxLeaseTTLVal:      768 * time.Hour,
			ReplicationStateVal: state,
		},
		BackendUUID: "uuid-of-" + id,
		Config:      map[string]string{"plugin_name": "mastersindia", "plugin_type": "secret"},
	}))
	store.readOnly.Store(state.HasState(consts.ReplicationPerformanceStandby))
	check.NoError(t, m.Initialize(deadline(t), &logical.InitializationRequest{Storage: store}))
	return m
}

// newMount sets up a mount of its own process and storage, on an active node.
func newMount(t *testing.T) (*host, *mount) {
	t.Helper()
	h := startPlugin(t)
	return h, mountOn(t, h, "one", newStorage(), 0)
}

// do sends a request as Vault's core does: a write is a create or an update, as the existence check says.
func (m *mount) do(t *testing.T, operation logical.Operation, path string, data map[string]any) (*logical.Response, error) {
	t.Helper()
	request := &logical.Request{
		ID: "request", Operation: operation, Path: path, Data: data, Storage: m.storage,
		MountPoint: "mastersindia/", MountAccessor: "mastersindia_0123", Connection: &logical.Connection{RemoteAddr: "127.0.0.1"},
	}
	if operation == logical.UpdateOperation {
		checked, exists, err := m.HandleExistenceCheck(deadline(t), request)
		if err != nil {
			return nil, err
		}
		if checked && !exists {
			request.Operation = logical.CreateOperation
		}
	}
	return m.HandleRequest(deadline(t), request)
}

func (m *mount) must(t *testing.T, operation logical.Operation, path string, data map[string]any) *logical.Response {
	t.Helper()
	response, err := m.do(t, operation, path, data)
	check.Require(t, err == nil, "%s %s: %v", operation, path, err)
	check.Require(t, !response.IsError(), "%s %s: %v", operation, path, response.Error())
	return response
}

// upstream is a simulator that knows one jwt account.
type upstream struct {
	*simulator.Simulator

	account simulator.Account
	url     string
	ca      string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{account: simulator.Account{
		Protocol: simulator.JWT, Username: "user@example.com", Password: `pass "<&>%2B \ü ` + rand.Text(),
	}}
	u.Simulator = check.Value(simulator.New(simulator.Options{Accounts: []simulator.Account{u.account}}))(t)
	server := httptest.NewTLSServer(u)
	t.Cleanup(server.Close)
	u.url = server.URL + "/api/v2/token-auth/"
	u.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return u
}

// configure stores the account as the config "main" with the role "app".
func (u *upstream) configure(t *testing.T, m *mount, extra map[string]any) {
	t.Helper()
	data := map[string]any{
		"protocol": "jwt", "token_url": u.url, "ca_cert": u.ca, "username": u.account.Username, "password": u.account.Password,
	}
	maps.Copy(data, extra)
	m.must(t, logical.UpdateOperation, "config/main", data)
	m.must(t, logical.UpdateOperation, "role/app", map[string]any{"config": "main"})
}

func (u *upstream) wantLogins(t *testing.T, want int) {
	t.Helper()
	check.Equal(t, u.Counters().Logins, want, "upstream saw N logins")
}
