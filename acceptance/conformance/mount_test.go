// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"testing"
	"time"
	"vault-plugin-secrets-mastersindia/internal/must"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

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
	must.Do(t, m.Setup(deadline(t), &logical.BackendConfig{
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
	must.Do(t, m.Initialize(deadline(t), &logical.InitializationRequest{Storage: store}))
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

// must sends a request that has to succeed.
func (m *mount) must(t *testing.T, operation logical.Operation, path string, data map[string]any) *logical.Response {
	t.Helper()
	response, err := m.do(t, operation, path, data)
	if err != nil {
		t.Fatalf("%s %s: %v", operation, path, err)
	}
	if response.IsError() {
		t.Fatalf("%s %s: %v", operation, path, response.Error())
	}
	return response
}
