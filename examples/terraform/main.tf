# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# The mount, the roles and their policies. Not the accounts: their passwords would lie in Terraform's state. See README.md.

terraform {
  required_version = ">= 1.3"

  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.0"
    }
  }
}

# VAULT_ADDR and VAULT_TOKEN say which Vault, and who Terraform is there.
provider "vault" {}

resource "vault_mount" "mastersindia" {
  path        = var.mount
  type        = "mastersindia"
  description = "Tokens of Masters India and FirstVision"

  # With the mount all accounts would go, and Terraform cannot bring their passwords back.
  lifecycle {
    prevent_destroy = true
  }
}

# What an application reads. The account that a role names must be there when the role is written.
resource "vault_generic_endpoint" "role" {
  for_each = var.roles

  path = "${vault_mount.mastersindia.path}/role/${each.key}"

  # Every field, so that one which is taken out of the variable goes back to its default.
  data_json = jsonencode(each.value)

  # A later version of the engine may return fields that this one does not have.
  ignore_absent_fields = true
}

# What an application may do: read this role, and say that the API has refused its token.
resource "vault_policy" "role" {
  for_each = var.roles

  name = "mastersindia-${each.key}"

  policy = <<-EOT
    path "${vault_mount.mastersindia.path}/token/${each.key}" {
      capabilities = ["read", "update"]

      allowed_parameters = {
        "rejected_token_id" = []
      }
    }
  EOT
}
