// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"cmp"
	"context"
	"fmt"
	"net"
)

// Storage is what a Vault server keeps its data in.
type Storage string

// The storages that the harness can set up.
const (
	StorageInmem Storage = "inmem"
	StorageRaft  Storage = "raft"
)

// Settings are what can differ from server to server.
type Settings struct {
	Storage Storage
	// LogLevel is trace, debug, info, warn or error.
	LogLevel string
	// Audit enables an audit device that writes to a file.
	Audit bool
	// ClusterAddress is where a server on Raft storage would listen for others; a free address where it is empty.
	ClusterAddress string
	// More is more of the server's configuration, such as another listener.
	More string

	// node is the name of a cluster's node, and patience how long it waits for its leader.
	node     string
	patience Patience
}

// StartVaultWith starts a server with the given settings, initialises and unseals it. Dir must be an empty directory. Its
// metrics are kept for Prometheus.
func StartVaultWith(ctx context.Context, binaries Binaries, dir string, settings Settings) (*Vault, error) {
	v := &Vault{binaries: binaries, settings: settings}
	return v.open(ctx, dir)
}

// FreeAddress returns a loopback address that is free.
func FreeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// text is the part of the server's configuration file that the settings make, for storage in the given directory.
func (s Settings) text(dir string) string {
	telemetry := "telemetry {\n  prometheus_retention_time = \"1h\"\n  disable_hostname = true\n}\n"
	if s.Storage == StorageInmem {
		return telemetry + "storage \"inmem\" {}\n" + s.More
	}
	multiplier := ""
	if s.patience != 0 {
		multiplier = fmt.Sprintf("  performance_multiplier = %d\n", s.patience)
	}
	return telemetry + fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = %q\n%s}\ncluster_addr = %q\n",
		dir, cmp.Or(s.node, "one"), multiplier, "https://"+s.ClusterAddress) + s.More
}

// listener is what the settings add to the listener.
func (s Settings) listener() string {
	if s.ClusterAddress == "" {
		return ""
	}
	return fmt.Sprintf("  cluster_address = %q\n", s.ClusterAddress)
}
