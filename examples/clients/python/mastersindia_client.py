#!/usr/bin/env python3
# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0
"""Calls an API with the token that a role of the mastersindia engine gives.
As a program:  VAULT_ADDR=... VAULT_TOKEN=... mastersindia_client.py ROLE URL...
As a module:   source = CachedToken("billing"); body = call("https://...", source)
"""
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

MOUNT = "mastersindia"


class ClientError(Exception):
    """Something that a person must look at; the message says what to do."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would take the token along to wherever a redirect points."""
    def redirect_request(self, *_):
        return None


def _get(url, headers):
    """Returns the HTTP status and the body, whatever the status is."""
    trust = ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT") if "X-Vault-Token" in headers else None)
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode(errors="replace")
    except OSError as problem:
        raise ClientError(f"calling {url} failed: {problem}") from problem


def _reasons(body):
    """Returns what Vault says in words, or the body where something else has answered."""
    try:
        return "; ".join(json.loads(body)["errors"]) or "it gives no reason"
    except (ValueError, KeyError, TypeError):
        return body.strip()


def read_token(role, rejected=""):
    """Reads the token of a role. rejected is the token_id of a token that the API has refused."""
    for name in ("VAULT_ADDR", "VAULT_TOKEN"):
        if not os.environ.get(name):
            raise ClientError(f"set {name} in the environment")
    path = f"{MOUNT}/token/{urllib.parse.quote(role, safe='')}"
    query = f"?rejected_token_id={rejected}" if rejected else ""
    headers = {"X-Vault-Token": os.environ["VAULT_TOKEN"], "X-Vault-Request": "true"}
    if os.environ.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = os.environ["VAULT_NAMESPACE"]
    status, body = _get(f"{os.environ['VAULT_ADDR'].rstrip('/')}/v1/{path}{query}", headers)
    if status == 403:
        raise ClientError(f"Vault answers 403: does VAULT_TOKEN live (vault token lookup), and may it read {path}?")
    if status != 200:
        raise ClientError(f"Vault answers {status} to a read of {path}: {_reasons(body)}")
    answer = json.loads(body)
    token = answer["data"]
    # Until there may be a newer one, or until the lease ends. A role may be without leases: 0.
    token["keep_for"] = min(token["ttl"], answer["lease_duration"] or token["ttl"])
    return token


class CachedToken:
    """Hands out the token of a role and keeps it in memory for as long as it is good."""
    def __init__(self, role):
        self._role, self._token, self._keep_until = role, None, 0.0

    def __call__(self, rejected=""):
        if rejected or time.time() >= self._keep_until:
            self._token = read_token(self._role, rejected)
            self._keep_until = time.time() + self._token["keep_for"]
        return self._token


def call(url, token_source):
    """Returns what the API answers. A token that it refuses is replaced, and the call tried once more, never in a loop."""
    token = token_source()
    status, body = _get(url, {"Authorization": token["authorization"]})
    if status == 401:  # Upstream may have killed the token.
        token = token_source(rejected=token["token_id"])
        status, body = _get(url, {"Authorization": token["authorization"]})
    if status == 401:
        raise ClientError(f"{url} refuses the token twice, the last time token_id {token['token_id']}. Is it the API of this "
                          f"account? Else ask an operator for: vault read {MOUNT}/status/{token['config']}")
    if not 200 <= status < 300:
        raise ClientError(f"{url} answers {status}, which is not about the token (token_id {token['token_id']}): {body}")
    return body


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: mastersindia_client.py ROLE URL...")
    try:
        source = CachedToken(sys.argv[1])
        for target in sys.argv[2:]:
            print(call(target, source))
    except ClientError as error:
        sys.exit(f"mastersindia_client: {error}")
