// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

// mountName names a mount in log lines: several share one process, and Vault names only the first of them. It is the mount path
// of the last request, and before the first request the mount's UUID.
type mountName struct {
	uuid string
	path atomic.Pointer[string]
}

// learn remembers the path.
func (m *mountName) learn(path string) {
	if known := m.path.Load(); path != "" && (known == nil || *known != path) {
		m.path.Store(&path)
	}
}

// String is the name when a line is written, which may be a better one than when the logger was made.
func (m *mountName) String() string {
	if path := m.path.Load(); path != nil {
		return *path
	}
	return m.uuid
}

// MarshalText implements encoding.TextMarshaler, for lines in JSON.
func (m *mountName) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// named is the configuration with a logger that names the mount in each line.
func (m *mountName) named(conf *logical.BackendConfig) *logical.BackendConfig {
	named := *conf
	if named.Logger == nil {
		named.Logger = hclog.NewNullLogger()
	}
	named.Logger = named.Logger.With("mount", m)
	return &named
}
