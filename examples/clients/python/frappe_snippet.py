# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0
"""The token in Frappe and ERPNext, shared by all workers of a site.

Put this and mastersindia_client.py into an app of your own, and VAULT_ADDR and VAULT_TOKEN into the environment of the bench
(better: let Vault Agent hold the Vault token, and point VAULT_ADDR at its listener). No test runs this file, since that would
take a bench: what it calls in mastersindia_client.py is tested.

The cache is the site's Redis, where the token lies in the clear until it is due. Redis listens on this machine alone in a bench
as it comes: leave it so, or keep the token in each worker's memory with CachedToken instead.
"""
import frappe

from .mastersindia_client import ClientError, call, read_token


def token_of(role):
    """Returns a source of tokens for call, which looks into the site's cache first."""
    key = f"mastersindia_token|{role}"

    def source(rejected=""):
        token = None if rejected else frappe.cache().get_value(key, expires=True)
        # A worker may hold a token that another worker has reported and replaced: Vault then answers with the newer one at once.
        if not token:
            token = read_token(role, rejected)
            frappe.cache().set_value(key, token, expires_in_sec=token["keep_for"])
        return token

    return source


def fetch(url, role="billing"):
    """For your own code: what the API answers, or an error in the Error Log and a short word to the user."""
    try:
        return frappe.parse_json(call(url, token_of(role)))
    except ClientError as error:
        frappe.log_error(title="Masters India", message=str(error))  # it names the token_id, and never the token
        frappe.throw("Masters India cannot be reached at present. The Error Log says why.")
