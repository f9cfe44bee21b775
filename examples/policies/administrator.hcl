# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# The administrator of the mount mastersindia/: stores upstream accounts and binds roles to them.
#
#   vault policy write mastersindia-administrator administrator.hcl
#
# No path under token/ is named, so the administrator reads no token. One who may write policies, or a role that an application
# of theirs may read, can get at one all the same: separate those people, not only these paths.

# Vault joins the policies of a token: without allowed_parameters here, those of operator.hcl would be the only ones that a token
# with both may write.
path "mastersindia/config/+" {
  capabilities = ["create", "read", "update", "delete"]

  allowed_parameters = {
    "*" = []
  }
}

path "mastersindia/role/+" {
  capabilities = ["create", "read", "update", "delete"]
}

# To see whether what was stored works. A status shows no secret.
path "mastersindia/status/+" {
  capabilities = ["read"]
}

# The documented endpoints that preset= can name.
path "mastersindia/preset/+" {
  capabilities = ["read"]
}

# A list is a path of its own: "config/+" does not cover it.
path "mastersindia/config/" {
  capabilities = ["list"]
}

path "mastersindia/role/" {
  capabilities = ["list"]
}

path "mastersindia/status/" {
  capabilities = ["list"]
}

path "mastersindia/preset/" {
  capabilities = ["list"]
}
