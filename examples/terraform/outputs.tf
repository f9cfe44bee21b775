# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

output "policies" {
  description = "The policy of each role, to be given to the Vault tokens of its applications."
  value       = { for name, policy in vault_policy.role : name => policy.name }
}
