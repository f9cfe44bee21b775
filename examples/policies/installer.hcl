# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# Who installs, upgrades and removes the plugin and its mount mastersindia/, by hand or with scripts/register.
#
#   vault policy write mastersindia-installer installer.hcl
#
# Whoever may register plugins, and may write to plugin_directory, has a program of theirs run next to Vault: give this for the time
# that it takes, and to nobody who does not run Vault anyway.

# The catalog, its pins, and reloads. Vault wants "sudo" for the catalog.
path "sys/plugins/*" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}

path "sys/mounts/mastersindia" {
  capabilities = ["create", "read", "update", "delete"]
}

path "sys/mounts/mastersindia/tune" {
  capabilities = ["read", "update"]
}

# scripts/register looks for the mounts of the engine.
path "sys/mounts" {
  capabilities = ["read"]
}

# Tells plugin_directory.
path "sys/config/state/sanitized" {
  capabilities = ["read"]
}
