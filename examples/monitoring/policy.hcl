# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# What Prometheus needs of Vault: the metrics of one mount, and no token of an upstream account. (That it may renew its own token
# comes from Vault's policy "default".)
path "mastersindia/metrics" {
  capabilities = ["read"]
}
