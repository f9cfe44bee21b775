# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# Who installs, upgrades and removes the plugin and its mount mastersindia/, by hand or with scripts/register.
#
#   vault policy write mastersindia-installer installer.hcl
#
# A user who may register plugins and write to plugin_directory can run any program next to Vault: grant this only for the time of
# the installation, and only to operators of Vault.

# The catalog, its pins, and reloads. Vault wants "sudo" for the catalog.
path "sys/plugins/*" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}

path "sys/mounts/mastersindia" {
  capabilities = ["create", "read", "update", "delete"]
}

# Other mounts of the engine are upgraded with it. A + is one part of a path: for team/tax/ write +/+ here and below.
path "sys/mounts/+" {
  capabilities = ["read"]
}

path "sys/mounts/+/tune" {
  capabilities = ["read", "update"]
}

# scripts/register looks for the mounts of the engine.
path "sys/mounts" {
  capabilities = ["read"]
}

# This list is never empty: if it is, the plugin is missing.
path "mastersindia/preset/" {
  capabilities = ["list"]
}

# scripts/register deletes this role, which must not exist, to see whether each mount of the engine can write.
path "+/role/scripts-register-probe" {
  capabilities = ["delete"]
}

# Shows plugin_directory.
path "sys/config/state/sanitized" {
  capabilities = ["read"]
}

# The nodes of a cluster: vault operator members, vault operator raft list-peers, vault operator raft autopilot state.
path "sys/ha-status" {
  capabilities = ["read"]
}

path "sys/storage/raft/autopilot/state" {
  capabilities = ["read"]
}

path "sys/storage/raft/configuration" {
  capabilities = ["read"]
}
