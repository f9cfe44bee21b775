# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# An auditor of the mount mastersindia/: sees which accounts there are, how they are doing, and what tokens were issued, and
# changes nothing.
#
#   vault policy write mastersindia-auditor auditor.hcl
#
# The auditor reads no token. The responses of these paths name tokens by their token_id.

path "mastersindia/status/+" {
  capabilities = ["read"]
}

path "mastersindia/ledger/+" {
  capabilities = ["read"]
}

# Which account a token came from that was found somewhere. The token goes into the body of a write, and so into no URL and no
# log; hence "update", although nothing is changed.
path "mastersindia/lookup" {
  capabilities = ["update"]
}

# Lists show names, and the few facts that vault list -detailed prints, user names among them. To read config/+ would show all
# settings but the secrets.
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

path "mastersindia/preset/" {
  capabilities = ["list"]
}
