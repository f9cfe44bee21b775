// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Cluster is several Vault servers that share one integrated storage (Raft). Each has a directory and a plugin_directory of its
// own, as on machines of their own.
type Cluster struct {
	// Nodes are the servers in the order in which they joined. The first one's CLI and Token serve for all.
	Nodes []*Vault
}

// clusterTimeout bounds how long a cluster may take until all nodes have joined, or have caught up.
const clusterTimeout = time.Minute

// Patience is how long the nodes of a cluster wait for their leader before they elect another one: Vault's
// performance_multiplier.
type Patience int

const (
	// Brisk is what Vault's makers advise for production. On a busy machine a leader may be taken for dead that is only slow.
	Brisk Patience = 1
	// Patient is Vault's default, and takes five times as long to miss a leader.
	Patient Patience = 5
)

// StartCluster starts a cluster of so many nodes, which keep their files in directories below dir, and unseals them all.
func StartCluster(ctx context.Context, binaries Binaries, dir string, size int, patience Patience) (*Cluster, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	for n := range size {
		if err := c.add(ctx, binaries, filepath.Join(dir, fmt.Sprintf("node-%d", n+1)), patience); err != nil {
			return nil, errors.Join(fmt.Errorf("node %d of the cluster: %w", n+1, err), c.Stop())
		}
	}
	if err := c.waitForVoters(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Stop ends all nodes in order.
func (c *Cluster) Stop() error {
	var errs []error
	for _, node := range c.Nodes {
		errs = append(errs, node.Stop())
	}
	return errors.Join(errs...)
}

// Install registers the plugin, once for the whole cluster, and enables it at each path.
func (c *Cluster) Install(ctx context.Context, paths ...string) error {
	return c.Nodes[0].Install(ctx, paths...)
}

// Active returns the node that is the cluster's leader, unsealed and ready, or nil while there is none.
func (c *Cluster) Active(ctx context.Context) (*Vault, error) {
	for _, node := range c.Nodes {
		client, err := node.Client("")
		if err != nil {
			return nil, err
		}
		health, err := client.Sys().HealthWithContext(ctx)
		client.CloneConfig().HttpClient.CloseIdleConnections()
		if err == nil && health.Initialized && !health.Sealed && !health.Standby {
			return node, nil
		}
	}
	return nil, nil //nolint:nilnil // a cluster has no leader while it elects one
}

// WaitForwarding waits until every node responds, itself or through the leader: a standby needs a moment to learn who leads.
func (c *Cluster) WaitForwarding(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	for _, node := range c.Nodes {
		client, err := node.Client(node.Token)
		if err != nil {
			return err
		}
		err = node.WaitFor(ctx, func(ctx context.Context) error {
			_, err := client.Auth().Token().LookupSelfWithContext(ctx)
			return err
		})
		client.CloneConfig().HttpClient.CloseIdleConnections()
		if err != nil {
			return err
		}
	}
	return nil
}

// WaitCaughtUp waits until every node is unsealed and has all that the leader has written so far: from then on the cluster can
// lose any one of them.
func (c *Cluster) WaitCaughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	var written uint64
	err := c.Nodes[0].WaitFor(ctx, func(ctx context.Context) error {
		leader, err := c.Active(ctx)
		if err == nil && leader == nil {
			err = errors.New("the cluster has no leader")
		}
		if err != nil {
			return err
		}
		written, err = leader.raftIndex(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, node := range c.Nodes {
		err := node.WaitFor(ctx, func(ctx context.Context) error {
			has, err := node.raftIndex(ctx)
			if err == nil && has < written {
				err = fmt.Errorf("%s has %d of the leader's %d entries", node.settings.node, has, written)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// add starts one more node. The first one makes a new cluster, the others join it.
func (c *Cluster) add(ctx context.Context, binaries Binaries, dir string, patience Patience) error {
	address, err := FreeAddress(ctx)
	if err != nil {
		return err
	}
	// Without the autopilot a node that joins has a vote at once, and not after ten seconds.
	env := []string{"VAULT_RAFT_AUTOPILOT_DISABLE=true"}
	v := &Vault{
		Dir: dir, binaries: binaries, env: env,
		settings: Settings{Storage: StorageRaft, ClusterAddress: address, node: filepath.Base(dir), patience: patience},
		auditLog: filepath.Join(filepath.Dir(dir), "node-1", "audit.log"),
	}
	if err := v.prepare(); err != nil {
		return fmt.Errorf("preparing %s for Vault: %w", dir, err)
	}
	if err := v.launch(ctx); err != nil {
		return err
	}
	c.Nodes = append(c.Nodes, v)
	if len(c.Nodes) == 1 {
		err = v.found(ctx)
	} else {
		err = v.join(ctx, c.Nodes[0])
	}
	v.CLI = newCLI(binaries.Vault, filepath.Join(dir, "client"), v.Addr, v.Token)
	return err
}

// found makes a new cluster with this node as its only one.
func (v *Vault) found(ctx context.Context) error {
	if err := v.initialise(ctx); err != nil {
		return err
	}
	client, err := v.Client(v.Token)
	if err != nil {
		return err
	}
	audit := &api.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": v.AuditLog()}}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// A leader of OpenBao responds before it can write its table of audit devices.
	err = v.WaitFor(ctx, func(ctx context.Context) error {
		return client.Sys().EnableAuditWithOptionsWithContext(ctx, "file", audit)
	})
	if err != nil {
		return fmt.Errorf("enabling the audit device: %w", err)
	}
	return nil
}

// join makes this node one of the leader's cluster.
func (v *Vault) join(ctx context.Context, leader *Vault) error {
	v.Token, v.unsealKey = leader.Token, leader.unsealKey
	client, err := v.Client(v.Token)
	if err != nil {
		return err
	}
	if _, err := client.Sys().RaftJoinWithContext(ctx, &api.RaftJoinRequest{LeaderAPIAddr: leader.Addr}); err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	return v.unseal(ctx)
}

// waitForVoters waits until every node has a vote: until then the cluster could not lose one.
func (c *Cluster) waitForVoters(ctx context.Context) error {
	client, err := c.Nodes[0].Client(c.Nodes[0].Token)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	return c.Nodes[0].WaitFor(ctx, func(ctx context.Context) error {
		servers, err := client.Logical().ReadWithContext(ctx, "sys/storage/raft/configuration")
		if err != nil {
			return err
		}
		if voters := strings.Count(fmt.Sprint(servers.Data["config"]), "voter:true"); voters < len(c.Nodes) {
			return fmt.Errorf("%d of %d nodes have a vote", voters, len(c.Nodes))
		}
		return nil
	})
}

// raftIndex is how much of what the cluster has written this node has taken over. It is an error while the node is sealed.
func (v *Vault) raftIndex(ctx context.Context) (uint64, error) {
	client, err := v.Client("")
	if err != nil {
		return 0, err
	}
	defer client.CloneConfig().HttpClient.CloseIdleConnections()
	state, err := client.Sys().LeaderWithContext(ctx)
	if err != nil {
		return 0, err
	}
	return state.RaftAppliedIndex, nil
}

// PluginSHA256 is the checksum of a program in the node's plugin directory.
func (v *Vault) PluginSHA256(command string) (string, error) {
	return fileSHA256(filepath.Join(v.Dir, "plugins", command))
}
