# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# The operator of the mount mastersindia/: on call at night, replaces tokens, takes them out of use, and stops an account.
#
#   vault policy write mastersindia-operator operator.hcl
#
# The operator reads no token and stores no account.

path "mastersindia/rotate/+" {
  capabilities = ["update"]
}

path "mastersindia/revoke/+" {
  capabilities = ["update"]
}

# To pause an account and resume it, and nothing else. Without allowed_parameters the operator could change any setting. The
# stored password would be safe even then: the engine wants all secrets again where a write changes the place they are sent to.
# Without "create" a misspelt name makes no new account.
path "mastersindia/config/+" {
  capabilities = ["update"]

  allowed_parameters = {
    "paused"       = []
    "pause_reason" = []
  }
}

path "mastersindia/status/+" {
  capabilities = ["read"]
}

# What became of the tokens of an account, without the tokens.
path "mastersindia/ledger/+" {
  capabilities = ["read"]
}

# Which account a leaked token belongs to: without it an operator on call could not find out which account to revoke. The token goes into the
# body of a write; hence "update", although nothing is changed.
path "mastersindia/lookup" {
  capabilities = ["update"]
}

# A list is a path of its own: "status/+" does not cover it.
path "mastersindia/config/" {
  capabilities = ["list"]
}

path "mastersindia/role/" {
  capabilities = ["list"]
}

path "mastersindia/status/" {
  capabilities = ["list"]
}

path "mastersindia/ledger/" {
  capabilities = ["list"]
}

# This list is never empty: if it is, the plugin is missing.
path "mastersindia/preset/" {
  capabilities = ["list"]
}

# Which mounts the engine has: vault secrets list.
path "sys/mounts" {
  capabilities = ["read"]
}
