#!/usr/bin/env node
// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0
//
// Calls an API with the token that a role of the mastersindia engine gives. Node 18.3 or newer, no package.
//
//   as a module:  const client = new Client("billing");
//                 const reply = await client.call("https://...", { method: "POST", body: JSON.stringify(invoice) });
//   as a program: mastersindia-client.mjs [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...
//
// README.md has the options and the environment.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const vaultTimeout = 30_000, apiTimeout = 60_000; // milliseconds
const ownHeaders = "accept-encoding|authorization|connection|content-length|expect|host|transfer-encoding|upgrade|x-vault-token"; // which nobody else may set
const beginOfToken = /(^|\/)(hv[sbr]\.|[sbr]\.[\w-]{20}|eyJ)/; // in a message it would be shown
const noFile = new RegExp(`${beginOfToken.source}|^-----BEGIN|[\\r\\n]`); // what should be in a file, in place of its name
const fieldName = /^[A-Za-z_][\w.-]{0,23}$/; // what is longer may be a token
const local = /^https?:\/\/(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?([/?#]|$)/; // nothing sent there leaves the machine

const vaultTokens = /(?<![\w-])hv[sbr]\.[\w-]{20,}/;
const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)/g; // what a terminal would take for a command
const notVault = "is VAULT_ADDR Vault's? It was sent the Vault token";
const doubtful = ". It may have been issued: look it up before you repeat it";

let isUsed = false; // by a program

/**
 * Something that a person must look at; the message says what to do. status is the HTTP status, 0 without one. Where inDoubt is true,
 * the call may have been executed: repeat nothing by program.
 */
export class ClientError extends Error {
  constructor(message, status = 0, doubt = "", reply = undefined) {
    message += doubt + (reply === undefined ? "" : `: ${reply}`);
    super(message.replace(new RegExp(vaultTokens, "g"), "<token>").replace(control, "?"));
    this.status = status;
    this.inDoubt = message.includes(doubtful); // also where it is made anew of its message
  }
}

/** Hands out the token of a role, and calls an API with it. One object serves a whole program. */
export class Client {
  #path;
  #kept;
  #vault = vault();
  #reading; // the promise of the token: calls that come at the same time share one read
  #keepUntil = 0;
  #livesUntil = 0;

  /** The role is one of the mount mastersindia, or a full path such as gst/token/billing. */
  constructor(role) {
    isUsed = true;
    role = String(role ?? "").trim().replace(/^\/*(v1\/)?|\/+$/g, "");
    if (!/^\w[\w-]*([./][\w-]+)*$/.test(role) || beginOfToken.test(role)) { // no token goes into a URL
      throw new ClientError("role: must be a name such as billing, or a path such as gst/token/billing; the URLs follow it");
    }
    this.#path = role.includes("/") ? role : `mastersindia/token/${role}`;
  }

  /**
   * Returns what Vault gives: access_token, authorization, metadata and so on; a copy or JSON of it has not the first two.
   * It is kept until there may be a newer one.
   * rejected is the token_id of a token that the API has refused.
   */
  async token(rejected = "") {
    if (rejected && !/^[0-9a-f]{16}$/.test(rejected)) { // a token would come into Vault's audit log
      throw new ClientError("rejected: must be the token_id of a token, 16 hex digits");
    }
    if (this.#vault.startsWith(" ")) this.#vault = vault(); // a framework may set it late
    if (this.#vault !== vault()) {
      throw new ClientError("VAULT_ADDR or VAULT_NAMESPACE has changed since this client was made: a process has one Vault and namespace", 400);
    }
    if (rejected || Date.now() >= this.#keepUntil) {
      this.#keepUntil = Infinity; // until the read that begins here has ended
      this.#reading = read(this.#path, rejected).then(
        ({ token, keep, life }) => {
          this.#keepUntil = Date.now() + keep * 1000;
          this.#livesUntil = Date.now() + life * 1000;
          this.#kept = token;
          return token;
        },
        (problem) => {
          const refused = problem.status >= 400 && problem.status < 500 && problem.status !== 429;
          const alive = !rejected && !refused && Date.now() < this.#livesUntil;
          this.#keepUntil = alive ? Math.min(Date.now() + 60000, this.#livesUntil) : 0;
          if (alive) return this.#kept; // a Vault that is down is not felt while the token lives
          throw problem;
        });
    }
    return this.#reading;
  }

  /**
   * Returns the response of the API. With field the token goes into that field of the JSON body, and else into the header
   * Authorization. A token that the API refuses is replaced, and the call tried once more, never in a loop.
   */
  async call(url, options) {
    let { method, body, headers, field, ...unknown } = options ?? {};
    if (Object.keys(unknown).length > 0) throw new ClientError("call: must be given (url, { method, body, headers, field })");
    url = textOf(url);
    check(url, body, headers);
    headers = { ...headers }; // the caller may fill it anew while this waits
    if (!/^[A-Z]*$/.test(method ?? "")) throw new ClientError("method: must be a word in capitals such as POST");
    if (field && (!fieldName.test(field) || beginOfToken.test(field))) {
      throw new ClientError("field: must be a name such as access_token: the client itself puts the token there");
    }
    method ||= body === undefined ? "GET" : "POST";
    let token = await this.token();
    let answer = await send(url, request(token, method, body, headers, field), apiTimeout);
    let earlier = ""; // the doubt that the first of two calls leaves
    if (refused(answer, method, url)) {
      const rejected = token.token_id, returned = `. It returned ${answer.status}`, reply = hide(token, answer.body);
      earlier = inDoubt(method, answer.status);
      try {
        token = await this.token(rejected);
      } catch (problem) {
        throw new ClientError(problem.message + returned, problem.status, earlier, reply);
      }
      if (token.token_id === rejected) {
        throw new ClientError(`${shown(url)} refuses token_id ${rejected}, and Vault has no newer token yet: it replaces a refused one ` +
          `that is a minute old, one every 5 minutes. Try again then. If it lasts: ${this.#doubt(token, field)}${returned}`,
          answer.status, earlier, reply);
      }
      answer = await send(url, request(token, method, body, headers, field), apiTimeout);
    }
    if (refused(answer, method, url)) {
      throw new ClientError(`${shown(url)} refuses a second token, token_id ${token.token_id}: ` +
        `${this.#doubt(token, field)}. It returned ${answer.status}`, answer.status, inDoubt(method, answer.status) || earlier,
        hide(token, answer.body));
    }
    const expectsJSON = inDoubt(method) && answer.status >= 200 && answer.status <= 299 && answer.status !== 204 && !ownType(headers);
    if (expectsJSON && (notJSON(answer.body) !== undefined || !isObject(answer.body))) {
      throw new ClientError(`${shown(url)} returned ${answer.status}, but with no JSON object (token_id ${token.token_id})`,
        answer.status, inDoubt(method), hide(token, answer.body));
    }
    if (answer.status < 200 || answer.status > 299) {
      throw new ClientError(`${shown(url)} returned ${answer.status}, which is not about the token (token_id ${token.token_id})`,
        answer.status, inDoubt(method, answer.status) || earlier, hide(token, answer.body));
    }
    return answer.body;
  }

  #doubt(token, field) {
    return `it was sent in the ${field ? `body field ${field}` : "header Authorization"}: is that the right place (-f), and is it the API ` +
      `of this account? Else ask an operator for: vault read ${this.#path.slice(0, this.#path.lastIndexOf("/token/"))}/status/${token.config}`;
  }
}

// An API may repeat in its error what it was sent.
const hide = (token, text) => text.replaceAll(token.access_token, "<token>");

/** Refuses what must not be sent, before anything is. The messages do not repeat it, since it may be secret. */
export function check(url, body, headers) {
  url = textOf(url);
  checkURL("URL", url);
  const plain = [Object.prototype, null].includes(Object.getPrototypeOf(headers ?? {})); // of Headers or a Map nothing would be sent
  if (!plain || Object.values(headers ?? {}).some((value) => typeof value !== "string")) {
    throw new ClientError('header: must be given as { "NAME": "VALUE" }');
  }
  if (url.startsWith("http:") && !local.test(url)) {
    throw new ClientError("URL: http:// would send the token in clear text: use https://; only localhost may be http://");
  }
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (!/^[\w-]+$/.test(name) || !/^[!-~][ -~]*$/.test(value)) {
      throw new ClientError("header: must be one line, NAME: VALUE, with a name of letters, digits, _ and -");
    }
    if (new RegExp(`^(${ownHeaders}|client_id)$`, "i").test(name)) {
      throw new ClientError("header: the client itself sends Authorization, client_id, Host, Content-Length and the like");
    }
  }
  const sent = [url, ...Object.values(headers ?? {}), body].join(" ");
  let own = "";
  try {
    own = vaultToken().token;
  } catch {
    // said where it is needed
  }
  if (vaultTokens.test(sent) || (own.length > 20 && sent.includes(own))) { // one of OpenBao has another form
    throw new ClientError("a Vault token is for Vault alone: take it out of URL, headers and body");
  }
  if (body !== undefined && typeof body !== "string") throw new ClientError("body: must be a string: give JSON.stringify(...)");
  if (body === "") throw new ClientError("body: is empty");
  if (body !== undefined && /[\ud800-\udfff]/u.test(body)) throw new ClientError("body: is not UTF-8");
  const place = body === undefined || ownType(headers) ? undefined : notJSON(body);
  if (place !== undefined) {
    throw new ClientError(`body: is not JSON${place}: give JSON.stringify(...), or for a file -d @FILE, saved without a byte order mark; ` +
      "for another format give the header Content-Type (-H)");
  }
  if (body !== undefined && !ownType(headers) && !isObject(body)) {
    throw new ClientError("body: is JSON, but no object: is it encoded twice?");
  }
}

// Reports whether the caller sends, and so expects, something other than JSON.
const ownType = (headers) => Object.entries(headers ?? {}).some(([name, value]) => /^content-type$/i.test(name) && !/json/i.test(value));

const isObject = (json) => /^\s*[{[]/.test(json);

// Says where a text is no JSON, as far as the parser does without a part of it; undefined of JSON.
function notJSON(text) {
  try {
    JSON.parse(text);
  } catch (problem) {
    return / at position [^"]*$/.exec(problem.message)?.[0] ?? "";
  }
}

// A URL may be an object as well.
const textOf = (url) => url instanceof URL ? url.href : url;

function checkURL(what, url) {
  if (typeof url !== "string" || !/^https?:\/\/[\w.:[\]-]+([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?$/.test(url)) {
    throw new ClientError(`${what}: must begin with http:// or https:// and a host, without user name or line break; ` +
      "percent-encode blanks, accents and %");
  }
}

// A URL for messages: there may be a token in its query.
const shown = (url) => url.replace(/[?#].*/, "");

// Method, body and headers of a call with the token. The role's metadata are headers that each call needs.
function request(token, method, body, headers, field) {
  const sent = { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...token.metadata };
  for (const [name, value] of Object.entries(token.metadata ?? {})) {
    if (new RegExp(`^(${ownHeaders})$`, "i").test(name) || !/^[ -~]*$/.test(value)) {
      throw new ClientError(`metadata: ${name} of the role cannot be sent as a header: an operator must change the role`);
    }
  }
  if (field) {
    body = withField(body ?? "", field, token.access_token);
  } else {
    sent.Authorization = token.authorization;
    if (token.client_id) sent.client_id = token.client_id; // the verification APIs want it
  }
  for (const [name, value] of Object.entries(headers ?? {})) { // a header of the caller replaces ours, however it is written
    for (const ours of Object.keys(sent)) if (ours.toLowerCase() === name.toLowerCase()) delete sent[ours];
    sent[name] = value;
  }
  for (const [name, value] of Object.entries(sent)) {
    if (!/^[\w-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw new ClientError(`header ${name} cannot be sent: give one line of text, as NAME: VALUE`);
    }
  }
  if (body !== undefined) sent["Content-Length"] = Buffer.byteLength(body); // Node sends none with GET or DELETE
  return { method, body, headers: sent };
}

// Puts a field in front of the others of a JSON object, and leaves these as they are.
function withField(body, field, value) {
  const rest = /^\s*\{\s*([^]*)$/.exec(body)?.[1];
  if (rest === undefined) throw new ClientError(`the token goes into the field ${field} of the body, which must be a JSON object`);
  const twice = body.split(JSON.stringify(field)).slice(1).some((after) => /^\s*:/.test(after));
  if (twice) throw new ClientError(`the body has a field ${field} already: take it out`);
  return `{${JSON.stringify(field)}: ${JSON.stringify(value)}${rest.startsWith("}") ? "" : ", "}${rest}`;
}

// Reports whether a response means that the token is invalid. A wrong path returns 401 too, api-platform 403, and some APIs say it in words.
function refused({ status, body }, method, url) {
  if (status >= 400 && inDoubt(method, status)) return false; // whatever it says: the call may have been executed
  if (status === 401) return !body.includes("Invalid Product");
  if (status === 403 && url.includes("//api-platform.")) return true;
  return status === 498 || (/"(error|error_description|message)"\s*:\s*"[^"]*(access token|invalid[_ ]grant)/i.test(body) &&
    !/"error"\s*:\s*"?false/i.test(body));
}

// A variable of the environment. Many end in a newline, and those of a .env file of Windows in a carriage return.
const env = (name) => (process.env[name] ?? "").trim();

// Where Vault is.
const vault = () => `${env("VAULT_ADDR")} ${env("VAULT_NAMESPACE")}`;

async function read(path, rejected) {
  const address = env("VAULT_ADDR").replace(/([^:/])\/+((v1|ui)(\/.*)?)?$/, "$1");
  if (!address) throw new ClientError("set VAULT_ADDR to the URL of Vault");
  checkURL("VAULT_ADDR", address);
  if (env("VAULT_SKIP_VERIFY")) {
    throw new ClientError("VAULT_SKIP_VERIFY is not supported: unset it, and set VAULT_CACERT to the CA of your Vault");
  }
  const { token: ours, source } = vaultToken();
  const headers = { "X-Vault-Token": ours, "X-Vault-Request": "true" };
  if (env("VAULT_NAMESPACE")) headers["X-Vault-Namespace"] = env("VAULT_NAMESPACE");
  const query = rejected ? `?rejected_token_id=${rejected}` : "";
  const url = `${address}/v1/${path.split("/").map(encodeURIComponent).join("/")}${query}`;
  const { status, body } = await send(url, { headers, ca: caFile() }, vaultTimeout);
  if (status !== 200) {
    let hint = "";
    if (!body.includes('"errors"')) hint = `: ${notVault}`;
    else if (status === 403) hint = `: is the Vault token in ${source} valid, and may it read ${path}?`;
    else if (/no namespace|internal error/.test(body)) hint = `: is what is in ${source} a Vault token (hvs.…)?`;
    throw new ClientError(`Vault returned ${status} to a read of ${shown(url)}: ${reasons(body.replaceAll(ours, "<token>"))}${hint}`, status);
  }
  if (notJSON(body) !== undefined) throw new ClientError(`Vault returned 200 to a read of ${shown(url)}, but with no JSON: ${notVault}`);
  try {
    const { data: token, lease_duration: lease } = JSON.parse(body);
    if (!token.authorization) throw new TypeError("no token");
    Object.freeze(token.metadata); // what a caller changes would be in all calls
    for (const name of ["access_token", "authorization"]) Object.defineProperty(token, name, { enumerable: false }); // out of logs and JSON
    // A newer token is there after ttl seconds. A role may be without leases: 0.
    return { token: Object.freeze(token), keep: Math.min(token.ttl, lease || token.ttl), life: token.expires_in - 5 };
  } catch {
    throw new ClientError(`what is read at ${path} is no token: is the path MOUNT/token/ROLE, and VAULT_ADDR Vault's?`, 400);
  }
}

// The CA of Vault, where it has one of its own.
function caFile() {
  const name = env("VAULT_CACERT");
  if (!name) return undefined;
  if (noFile.test(name)) throw new ClientError("VAULT_CACERT: must be the name of a file");
  try {
    const text = readFileSync(name, "utf8");
    new X509Certificate(text); // of what is none, TLS says nothing
    return text;
  } catch {
    throw new ClientError(`VAULT_CACERT cannot be used: ${name}: it cannot be read, or has no certificate`);
  }
}

// The Vault token, from VAULT_TOKEN or from the file that Vault Agent keeps, and which of them; it is in no message.
function vaultToken() {
  let name = "VAULT_TOKEN";
  let token = env("VAULT_TOKEN");
  const file = env("VAULT_TOKEN_FILE");
  if (!token && file) {
    name = "VAULT_TOKEN_FILE";
    if (noFile.test(file)) throw new ClientError("VAULT_TOKEN_FILE: must be the name of a file; a token goes into VAULT_TOKEN");
    try {
      token = readFileSync(file, "utf8").trim();
    } catch (problem) {
      throw new ClientError(`${name} cannot be read: ${file}: ${problem.code}: is Vault Agent running?`);
    }
  }
  if (!token && name === "VAULT_TOKEN_FILE") throw new ClientError(`${name} is empty: ${file}: is Vault Agent running? A pipe can be read only once`);
  if (!token) throw new ClientError("set VAULT_TOKEN, or VAULT_TOKEN_FILE to the file that Vault Agent writes");
  if (!/^[\w.-]+$/.test(token)) throw new ClientError(`${name} has a blank, quote, slash, byte order mark or another character in it that no Vault token has`);
  return { token, source: name };
}

// The error text of Vault in one line, or the body if the response is not from Vault.
function reasons(body) {
  try {
    return JSON.parse(body).errors.join("; ").replace(/\s+/g, " ").trim() || "it gives no reason";
  } catch {
    return body.trim().slice(0, 200);
  }
}

// Says that a call may have been executed. A gateway fails with 5xx or 408 where the server behind it may not have.
const inDoubt = (method, status = 0) => /^(GET|HEAD|OPTIONS)$/.test(method) || (status >= 400 && status < 500 && status !== 408) ? "" : doubtful;

// Says where a redirect points: not its query, which may have a token in it.
function redirectsTo({ statusCode, headers: { location } }) {
  return location && statusCode >= 300 && statusCode < 400 ? `it redirects to ${location.replace(/[?#].*/, "").replace(/\/\/[^/]*@/, "//")}. ` : "";
}

const agents = { "http:": new http.Agent(), "https:": new https.Agent() }; // what a program sets of the global ones does not count

const interrupted = new AbortController(); // by a signal, where this is the program

// fetch takes no CA of its own. These follow no redirect, which would take the token along.
async function send(url, { body, ...options }, timeout) {
  const signal = AbortSignal.timeout(timeout);
  let sent;
  try {
    return await new Promise((resolve, reject) => {
      const { request } = url.startsWith("https:") ? https : http;
      sent = request(url, { ...options, agent: agents[new URL(url).protocol], signal, rejectUnauthorized: true }, (answer) => { // whatever NODE_TLS_REJECT_UNAUTHORIZED is
        const parts = [];
        answer.on("data", (part) => parts.push(part)).on("error", reject)
          .on("end", () => resolve({ status: answer.statusCode, body: redirectsTo(answer) + Buffer.concat(parts).toString() }));
      }).on("error", reject).on("upgrade", (answer, socket) => { // nobody hears an error of it
        reject(new Error(`the response is ${answer.statusCode}`));
        socket.destroy();
      });
      interrupted.signal.onabort = () => sent.destroy(new Error("interrupted"));
      sent.end(body);
    });
  } catch (problem) {
    const doubt = sent?.writableFinished && !sent.socket?.secureConnecting ? inDoubt(options.method ?? "GET") : ""; // else not all was sent
    const reason = signal.aborted ? `no response within ${timeout / 1000} s` : problem.message || problem.code;
    const variable = `${url.split(":")[0]}_proxy`;
    const proxy = !local.test(url) && [variable, variable.toUpperCase()].find((name) => env(name));
    throw new ClientError(`calling ${shown(url)}${proxy ? ` (${proxy} is not used)` : ""} failed: ${reason}`, 0, doubt);
  }
}

function readBody(data) {
  if (!data?.startsWith("@")) {
    if (data?.includes("\ufffd")) throw new ClientError("body: is not UTF-8"); // of an argument nothing else can be seen
    return data;
  }
  if (beginOfToken.test(data.slice(1))) throw new ClientError("-d @: must be the name of a file, not a token");
  const content = readFileSync(data === "@-" ? 0 : data.slice(1));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new ClientError("body: is not UTF-8");
  }
}

// Prints a response, and waits until it is written: console.log does not say that it failed.
async function print(reply, doubt) {
  const problem = await new Promise((written) => process.stdout.write(`${reply}\n`, written));
  if (problem) throw new ClientError(`the response cannot be written: ${problem.message}`, 0, doubt);
}

async function main() {
  const usage = "usage: mastersindia-client.mjs [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...";
  const options = {}, headers = {}, urls = [], given = process.argv.slice(2);
  while (given.length > 0) {
    const option = given.shift();
    if (/^[\u2010-\u2015\u2212]/.test(option)) {
      throw new ClientError("an option begins with the hyphen of the keyboard (-), not with one of a document");
    } else if (!option.startsWith("-")) {
      urls.push(option);
    } else if (!/^-[XHdf]$/.test(option) || given.length === 0) {
      throw new ClientError(usage);
    } else if (option === "-H") {
      const [, name, value] = /^([^:]*):? *([^]*)$/.exec(given.shift());
      if (Object.keys(headers).some((other) => other.toLowerCase() === name.toLowerCase())) {
        throw new ClientError("-H: a header is given twice");
      }
      headers[name] = value;
    } else if (option in options) {
      throw new ClientError(`${option}: is given twice`);
    } else {
      options[option] = given.shift();
    }
  }
  if (urls.length < 2) throw new ClientError(usage);
  const client = new Client(urls.shift());
  const body = readBody(options["-d"]); // which nothing but an unhandled signal would end
  for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interrupted.abort(name));
  process.on("SIGHUP", () => {}); // where the terminal is lost, the call goes on to its end
  for (const url of urls) check(url, body, headers);
  const method = options["-X"] || (body === undefined ? "GET" : "POST");
  if (inDoubt(method) && new Set(urls).size < urls.length) throw new ClientError("URL: is given twice");
  for (const url of urls) {
    await print(await client.call(url, { method, body, headers, field: options["-f"] }), inDoubt(method));
    if (interrupted.signal.aborted) throw new ClientError("interrupted, after the response was written");
  }
}

// Reports whether Node was started with this file, under whatever name, and whether that is as it came. In a bundle of another
// program, which runs by itself, the exports stand elsewhere.
function program() {
  try {
    const file = fileURLToPath(import.meta.url);
    const isMain = createRequire(file).resolve(process.argv[1]) === file;
    return { isMain, isWhole: /\bexport class [C]lient\b/.test(readFileSync(file, "utf8")) };
  } catch { // the first argument is no file
    return { isMain: false };
  }
}

const { isMain, isWhole } = program();
if (isMain && isWhole) {
  process.stdout.on("error", () => {}); // which print reports
  try {
    await main();
  } catch (problem) {
    if (!(problem instanceof ClientError) && !problem.code) throw problem; // a defect; the others are of the arguments
    console.error(`mastersindia-client: ${problem.message}`);
    process.exitCode = problem.inDoubt ? 3 : 1;
    if (interrupted.signal.aborted) process.kill(process.pid, interrupted.signal.reason); // a shell ends a loop around this only so
  }
} else if (isMain) {
  process.on("exit", () => {
    if (isUsed || !/^https?:/.test(process.argv.at(-1))) return;
    console.error("mastersindia-client: nothing was sent, as this copy was bundled or changed: run the file as it came");
    process.exitCode = 1;
  });
} else if (/\/\[eval\d+\]$/.test(import.meta.url)) {
  console.error("mastersindia-client: run it from a file, not from standard input");
  process.exitCode = 1;
}
