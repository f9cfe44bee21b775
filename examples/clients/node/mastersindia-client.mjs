#!/usr/bin/env node
// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0
//
// Calls an API with the token that a role of the mastersindia engine gives. Node 18 or newer, no package.
//
//   as a program: VAULT_ADDR=... VAULT_TOKEN=... mastersindia-client.mjs ROLE URL...
//   as a module:  const client = new Client("billing"); const body = await client.call("https://...");
//
// A CA of your own is named by NODE_EXTRA_CA_CERTS.
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const mount = "mastersindia";

/** Something that a person must look at; the message says what to do. */
export class ClientError extends Error {}

export class Client {
  #role;
  #reading; // the token, or the promise of it: calls that come at the same time share one read
  #keepUntil = 0;

  constructor(role) {
    this.#role = role;
  }

  /** Returns what the API answers. A token that it refuses is replaced, and the call tried once more, never in a loop. */
  async call(url) {
    let token = await this.#token();
    let answer = await get(url, { Authorization: token.authorization });
    if (answer.status === 401) { // Upstream may have killed the token.
      token = await this.#token(token.token_id);
      answer = await get(url, { Authorization: token.authorization });
    }
    if (answer.status === 401) {
      throw new ClientError(`${url} refuses the token twice, the last time token_id ${token.token_id}. Is it the API of this ` +
        `account? Else ask an operator for: vault read ${mount}/status/${token.config}`);
    }
    if (!answer.ok) {
      throw new ClientError(`${url} answers ${answer.status}, which is not about the token (token_id ${token.token_id}): ` +
        answer.body);
    }
    return answer.body;
  }

  /** Returns the token that is kept, or reads it. rejected is the token_id of a token that the API has refused. */
  async #token(rejected = "") {
    if (rejected || Date.now() >= this.#keepUntil) {
      this.#keepUntil = Infinity; // until the read that begins here has ended
      this.#reading = readToken(this.#role, rejected).then(
        (token) => { this.#keepUntil = Date.now() + token.keepFor * 1000; return token; },
        (problem) => { this.#keepUntil = 0; throw problem; });
    }
    return this.#reading;
  }
}

async function readToken(role, rejected) {
  const path = `${mount}/token/${encodeURIComponent(role)}`;
  const query = rejected ? `?rejected_token_id=${rejected}` : "";
  const address = env("VAULT_ADDR").replace(/\/+$/, "");
  const headers = { "X-Vault-Token": env("VAULT_TOKEN"), "X-Vault-Request": "true" };
  if (process.env.VAULT_NAMESPACE) headers["X-Vault-Namespace"] = process.env.VAULT_NAMESPACE;
  const answer = await get(`${address}/v1/${path}${query}`, headers);
  if (answer.status === 403) {
    throw new ClientError(`Vault answers 403: does VAULT_TOKEN live (vault token lookup), and may it read ${path}?`);
  }
  if (answer.status !== 200) throw new ClientError(`Vault answers ${answer.status} to a read of ${path}: ${reasons(answer.body)}`);
  const { data, lease_duration: lease } = JSON.parse(answer.body);
  // Until there may be a newer one, or until the lease ends. A role may be without leases: 0.
  return { ...data, keepFor: lease > 0 ? Math.min(lease, data.ttl) : data.ttl };
}

// What Vault says in words, or the body where something else has answered.
function reasons(body) {
  try {
    return JSON.parse(body).errors.join("; ") || "it gives no reason";
  } catch {
    return body.trim();
  }
}

// A redirect is not followed: it would take the token along.
async function get(url, headers) {
  try {
    const answer = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(60_000) });
    return { ok: answer.ok, status: answer.status, body: await answer.text() };
  } catch (problem) {
    throw new ClientError(`calling ${url} failed: ${problem.cause?.message ?? problem.message}`);
  }
}

function env(name) {
  if (!process.env[name]) throw new ClientError(`set ${name} in the environment`);
  return process.env[name];
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [role, ...urls] = process.argv.slice(2);
  try {
    if (urls.length === 0) throw new ClientError("usage: mastersindia-client.mjs ROLE URL...");
    const client = new Client(role);
    for (const url of urls) console.log(await client.call(url));
  } catch (problem) {
    if (!(problem instanceof ClientError)) throw problem;
    console.error(`mastersindia-client: ${problem.message}`);
    process.exitCode = 1;
  }
}
