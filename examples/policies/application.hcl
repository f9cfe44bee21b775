# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# An application that reads the token of one role, here billing, of the mount mastersindia/.
#
#   sed 's/billing/YOUR-ROLE/' application.hcl | vault policy write mastersindia-YOUR-ROLE -
#
# Name the role in full. "token/billing*" would be every role whose name begins so, among them those that are made later, and
# "token/*" would be every role. Case-sensitive: this policy does not cover a role Billing.

path "mastersindia/token/billing" {
  # "update" returns the same as "read". With it the application can say that the API has refused its token:
  #   vault write mastersindia/token/billing rejected_token_id=<token_id>
  capabilities = ["read", "update"]

  allowed_parameters = {
    "rejected_token_id" = []
  }
}
