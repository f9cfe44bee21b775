# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0
"""The token in Frappe and ERPNext, shared by all workers of a site.

Put this and mastersindia_client.py into an app of your own, and VAULT_ADDR and VAULT_TOKEN_FILE (of a Vault Agent) into the
environment of the bench. No test runs this file, since that would take a bench: what it calls in mastersindia_client.py is tested.

The cache is the site's Redis, where the token lies in the clear until it is due. Redis listens on this machine alone in a bench
as it comes: leave it so, or use Client as it is, which keeps the token in the memory of each worker.
"""
import hashlib
import html
import time

import frappe

from .mastersindia_client import Client, ClientError, _vault, _vault_token


class SharedClient(Client):
    """Looks into the site's cache before it asks Vault."""
    def token(self, rejected=""):
        # Another Vault, namespace or Vault token finds nothing of this one.
        key = "mastersindia_token|" + hashlib.sha256(repr((_vault(), str.__str__(_vault_token()[0]), self.path)).encode()).hexdigest()
        # A worker may hold a token that another worker has reported and replaced: Vault then returns the newer one at once.
        token = None if rejected else frappe.cache().get_value(key, expires=True)
        if not token:
            token = super().token(rejected)
            frappe.cache().set_value(key, token, expires_in_sec=max(1, int(self._kept[1] - time.time())))
        return token


def post(url, invoice, role="billing"):
    """For your own code: the response of the API, or an error in the Error Log and what the user needs of it."""
    try:
        return frappe.parse_json(SharedClient(role).call(url, "POST", frappe.as_json(invoice)))
    except ClientError as error:
        frappe.log_error(title="Masters India", message=str(error))  # it names the token_id, and never the token
        if error.in_doubt:
            frappe.throw("It may have been issued: look it up at Masters India before you submit it again.")
        if error.reply and error.status < 500:
            frappe.throw(f"Masters India has refused it: {html.escape(error.reply[:1000])}")
        frappe.throw("Masters India cannot be reached at present. The Error Log says why.")
