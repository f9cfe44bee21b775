#!/usr/bin/env python3
# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0
"""Calls an API with the token that a role of the mastersindia engine gives. Python 3.8 or newer, no package.

As a module:
    client = Client("billing")
    reply = client.call("https://...", "POST", json.dumps(invoice))
As a program (README.md has the options and the environment):
    mastersindia_client.py [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...
"""
import functools
import http.client
import json
import os
import re
import signal
import ssl
import sys
import time
import urllib.parse
import urllib.request

VAULT_TIMEOUT, API_TIMEOUT, CONNECT_TIMEOUT = 30, 60, 10  # seconds
NOT_VAULT = "is VAULT_ADDR Vault's? It was sent the Vault token"
DOUBT = ". It may have been issued: look it up before you repeat it"
OWN_HEADERS = "accept-encoding|authorization|connection|content-length|expect|host|transfer-encoding|upgrade|x-vault-token"  # which nobody else may set
PROXY = r"(\w+://)?(([!\"$&-.0->A-~]|%[0-9A-Fa-f]{2})*@)?([\w.-]+|\[[\w:.]+\])(:\d+)?/?"  # of another, a part of the password may be taken for its host
TOKEN = r"(^|/)(hv[sbr]\.|[sbr]\.[\w-]{20}|eyJ)"  # how one begins: in a message it would be shown
NO_FILE = TOKEN + "|^-----BEGIN|[\r\n]"  # what should be in a file, in place of its name
FIELD = r"[A-Za-z_][\w.-]{0,23}"  # what is longer may be a token
VAULT_TOKEN = r"(?<![\w-])hv[sbr]\.[\w-]{20,}"
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"  # what a terminal would take for a command
LOCAL = r"https?://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?([/?#]|$)"  # nothing sent there leaves the machine
USAGE = "usage: mastersindia_client.py [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL..."


class ClientError(Exception):
    """Something that a person must look at; the message says what to do. status is the HTTP status, 0 without one; reply is what
    the API has said, in_doubt whether the call may have been executed: where it is true, repeat nothing by program."""
    def __init__(self, message, status=0, doubt="", reply=None):
        message = f"{message}{doubt}" + ("" if reply is None else f": {reply}")
        super().__init__(re.sub(CONTROL, "?", re.sub(VAULT_TOKEN, "<token>", message)))
        self.status, self.reply, self.in_doubt = status, reply or "", DOUBT in message  # also where it was made anew of its message


class Interrupted(KeyboardInterrupt):
    """One that says what it has interrupted; in_doubt as above."""
    def __init__(self, message, doubt="", reply=None):
        super().__init__(message + doubt + ("" if reply is None else f": {reply}"))
        self.in_doubt = DOUBT in str(self)


class _Secret(str):
    """A text that reports of the variables of a program do not show, nor a part of it."""
    def __repr__(self):
        return "<secret>"

    def __getitem__(self, key):
        return _Secret(super().__getitem__(key))


def _without_frames(function):
    """Frappe, rich and others report the variables of each function that an error went through: none that has a secret is among these."""
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except BaseException as problem:  # also one that a job raises when its time is over
            problem.__context__ = None  # which Rollbar follows, whatever "from" says
            raise problem.with_traceback(None) from None
    return wrapper


class Token(dict):
    """What Vault gives; what prints it shows no secret, but JSON of it does."""
    def __repr__(self):
        return f"<token {self.get('token_id')}>"


class Client:
    """Hands out the token of a role, and calls an API with it. One object serves a whole program."""
    def __init__(self, role):
        role = re.sub(r"^/*(v1/)?", "", (role if isinstance(role, str) else "").strip()).rstrip("/")  # of the mount mastersindia, or a path such as gst/token/billing
        if not re.fullmatch(r"\w[\w-]*([./][\w-]+)*", role, re.ASCII) or re.search(TOKEN, role):  # no token goes into a URL
            raise ClientError("role: must be a name such as billing, or a path such as gst/token/billing; the URLs follow it")
        self.path = role if "/" in role else f"mastersindia/token/{role}"
        self._vault = _vault()
        self._kept = (None, 0.0, 0.0)  # the token, until when it is kept, and until when it lives

    @_without_frames
    def token(self, rejected=""):
        """Returns what Vault gives: access_token, authorization, metadata and so on. It is kept until there may be a newer one.
        rejected is the token_id of a token that the API has refused."""
        if rejected and not re.fullmatch("[0-9a-f]{16}", str(rejected)):  # a token would come into Vault's audit log
            raise ClientError("rejected: must be the token_id of a token, 16 hex digits")
        self._vault = self._vault if self._vault[0] else _vault()  # a framework may set it late
        if self._vault != _vault():
            raise ClientError("VAULT_ADDR or VAULT_NAMESPACE has changed since this client was made: a process has one Vault and namespace", 400)
        token, keep_until, lives_until = self._kept
        if not rejected and time.time() < keep_until:
            return _copied(token)
        try:
            token, keep, life = self._read(rejected)
        except ClientError as error:
            # A Vault that is down is not felt while the token lives.
            if rejected or time.time() >= lives_until or 400 <= error.status < 500 and error.status != 429:
                raise
            self._kept = (token, min(time.time() + 60, lives_until), lives_until)
            return _copied(token)
        self._kept = (token, time.time() + keep, time.time() + life)
        return _copied(token)

    @_without_frames
    def call(self, url, method="", body=None, headers=None, field=""):
        """Returns the response of the API. With field the token goes into that field of the JSON body, and else into the header
        Authorization. A token that the API refuses is replaced, and the call tried once more, never in a loop."""
        check(url, body, headers)
        if not re.fullmatch("[A-Z]*", str(method or "")):
            raise ClientError("method: must be a word in capitals such as POST; the body comes after it")
        if field and (not re.fullmatch(FIELD, str(field), re.ASCII) or re.search(TOKEN, field)):
            raise ClientError("field: must be a name such as access_token: the client itself puts the token there")
        method = method or ("GET" if body is None else "POST")
        doubt = ""
        try:
            token = self.token()
            doubt = _doubt(method)
            return self._call(token, url, method, body, headers, field)
        except Interrupted:
            raise
        except KeyboardInterrupt:
            raise Interrupted(f"calling {_shown(url)} failed: interrupted", doubt) from None

    def _call(self, token, url, method, body, headers, field):
        status, reply = _send(token["access_token"], url, *_request(token, method, body, headers, field), API_TIMEOUT)
        earlier = ""  # the doubt that the first of two calls leaves
        if _refused(status, reply, method, url):
            refused, earlier = token["token_id"], _doubt(method, status)
            returned, said = f". It returned {status}", _hide(token, reply)
            try:
                token = self.token(refused)
            except ClientError as error:
                problem = ClientError(f"{error}{returned}", error.status, earlier, said)
                problem.reply = ""  # the status is Vault's
                raise problem from None
            except KeyboardInterrupt as interrupt:
                raise Interrupted(f"{interrupt}{returned}", earlier, said) from None
            if token["token_id"] == refused:
                raise ClientError(f"{_shown(url)} refuses token_id {refused}, and Vault has no newer token yet: it replaces a refused one "
                                  f"that is a minute old, one every 5 minutes. Try again then. If it lasts: {self._hint(token, field)}{returned}",
                                  status, earlier, said)
            status, reply = _send(token["access_token"], url, *_request(token, method, body, headers, field), API_TIMEOUT)
        if _refused(status, reply, method, url):
            raise ClientError(f"{_shown(url)} refuses a second token, token_id {token['token_id']}: {self._hint(token, field)}"
                              f". It returned {status}", status, _doubt(method, status) or earlier, _hide(token, reply))
        if _doubt(method) and 200 <= status < 300 and status != 204 and not (
                _own_type(headers) or _not_json(reply) is None and _is_object(reply)):
            raise ClientError(f"{_shown(url)} returned {status}, but with no JSON object (token_id {token['token_id']})",
                              status, DOUBT, _hide(token, reply))
        if not 200 <= status < 300:
            raise ClientError(f"{_shown(url)} returned {status}, which is not about the token (token_id {token['token_id']})",
                              status, _doubt(method, status) or earlier, _hide(token, reply))
        return reply

    def __getstate__(self):
        return {**vars(self), "_kept": (None, 0.0, 0.0)}  # what is pickled has no token

    def _hint(self, token, field):
        place = f"body field {field}" if field else "header Authorization"
        return (f"it was sent in the {place}: is that the right place (-f), and is it the API of this account? "
                f"Else ask an operator for: vault read {self.path.rpartition('/token/')[0]}/status/{token['config']}")

    def _read(self, rejected):
        address = re.sub(r"([^:/])/+((v1|ui)(/.*)?)?$", r"\1", _env("VAULT_ADDR"))
        if not address:
            raise ClientError("set VAULT_ADDR to the URL of Vault")
        _check_url("VAULT_ADDR", address)
        if _env("VAULT_SKIP_VERIFY"):
            raise ClientError("VAULT_SKIP_VERIFY is not supported: unset it, and set VAULT_CACERT to the CA of your Vault")
        if re.search(NO_FILE, _env("VAULT_CACERT")):
            raise ClientError("VAULT_CACERT: must be the name of a file")
        vault_token, source = _vault_token()
        headers = {"X-Vault-Token": vault_token, "X-Vault-Request": "true"}
        if _env("VAULT_NAMESPACE"):
            headers["X-Vault-Namespace"] = _env("VAULT_NAMESPACE")
        query = f"?rejected_token_id={rejected}" if rejected else ""
        url = f"{address}/v1/{urllib.parse.quote(self.path)}{query}"
        status, reply = _send(vault_token, url, "GET", None, headers, VAULT_TIMEOUT, _env("VAULT_CACERT"))
        reply = _Secret(reply)
        if status != 200:
            reply = _Secret(reply.replace(vault_token, "<token>"))  # a proxy may repeat it
            hint = ""
            if status == 403 and '"errors"' in reply:
                hint = f": is the Vault token in {source} valid, and may it read {self.path}?"
            elif '"errors"' not in reply:
                hint = f": {NOT_VAULT}"
            elif "no namespace" in reply or "internal error" in reply:
                hint = f": is what is in {source} a Vault token (hvs.…)?"
            raise ClientError(f"Vault returned {status} to a read of {_where(url)}: {_reasons(reply)}{hint}", status)
        if _not_json(reply) is not None:
            raise ClientError(f"Vault returned 200 to a read of {_where(url)}, but with no JSON: {NOT_VAULT}")
        try:
            answer = json.loads(reply, object_hook=_hidden)
            token, lease = Token(answer["data"]), answer["lease_duration"]
            # A newer token is there after ttl seconds. A role may be without leases: 0.
            return token, min(token["ttl"], lease or token["ttl"]), token["expires_in"] - 5
        except (ValueError, KeyError, TypeError):
            raise ClientError(f"what is read at {self.path} is no token: is the path MOUNT/token/ROLE, and VAULT_ADDR Vault's?", 400) from None


def _env(name):
    return os.environ.get(name, "").strip()  # many end in a newline, and those of a .env file of Windows in a carriage return


def _vault():
    return _env("VAULT_ADDR"), _env("VAULT_NAMESPACE")


def _copied(token):
    """What a caller changes is not what is kept."""
    return Token({**token, "metadata": dict(token.get("metadata") or {})})


def _hide(token, reply):
    """An API may repeat in its error what it was sent."""
    return reply.replace(token["access_token"], "<token>")


def _hidden(data):
    return {name: _Secret(value) if isinstance(value, str) else value for name, value in data.items()}


@_without_frames
def _vault_token():
    """The Vault token, from VAULT_TOKEN or from the file that Vault Agent keeps, and which of them; it is in no message."""
    token, name, file_name = _env("VAULT_TOKEN"), "VAULT_TOKEN", _env("VAULT_TOKEN_FILE")
    if not token and file_name:
        name = "VAULT_TOKEN_FILE"
        if re.search(NO_FILE, file_name):
            raise ClientError("VAULT_TOKEN_FILE: must be the name of a file; a token goes into VAULT_TOKEN")
        try:
            with open(file_name, encoding="utf-8", errors="replace") as file:
                token = file.read()
        except OSError as problem:
            raise ClientError(f"VAULT_TOKEN_FILE cannot be read: {file_name}: {problem.strerror}: is Vault Agent running?") from None
    token = _Secret(token.strip())
    if not token and name == "VAULT_TOKEN_FILE":
        raise ClientError(f"VAULT_TOKEN_FILE is empty: {file_name}: is Vault Agent running? A pipe can be read only once")
    if not token:
        raise ClientError("set VAULT_TOKEN, or VAULT_TOKEN_FILE to the file that Vault Agent writes")
    if not re.fullmatch(r"[\w.-]+", token, re.ASCII):
        raise ClientError(f"{name} has a blank, quote, slash, byte order mark or another character in it that no Vault token has")
    return token, name


def _request(token, method, body, headers, field):
    """Returns method, body and headers of a call with the token. The role's metadata are headers that each call needs."""
    sent = {"Content-Type": "application/json"} if body is not None else {}
    for name, value in (token.get("metadata") or {}).items():
        if re.fullmatch(OWN_HEADERS, name.lower()) or not re.fullmatch("[ -~]*", value):
            raise ClientError(f"metadata: {name} of the role cannot be sent as a header: an operator must change the role")
        sent[name] = value
    if field:
        body = _with_field(body, field, token["access_token"])
    else:
        sent["Authorization"] = token["authorization"]
        if token.get("client_id"):  # the verification APIs want it
            sent["client_id"] = token["client_id"]
    for name, value in (headers or {}).items():  # a header of the caller replaces ours, however it is written
        sent = {ours: kept for ours, kept in sent.items() if ours.lower() != name.lower()}
        sent[name] = value
    for name, value in sent.items():
        if not re.fullmatch(r"[\w-]+", name) or re.search(r"[\r\n\0]", str(value)):
            raise ClientError(f"header {name!r} cannot be sent: give one line of text, as NAME: VALUE")
    return method, body, sent


def _with_field(body, field, value):
    """Puts a field in front of the others of a JSON object, and leaves these as they are."""
    rest = (body or "").lstrip()
    if not rest.startswith("{"):
        raise ClientError(f"the token goes into the field {field} of the body, which must be a JSON object")
    if re.search(re.escape(json.dumps(field)) + r"\s*:", rest):
        raise ClientError(f"the body has a field {field} already: take it out")
    rest = rest[1:].lstrip()
    return _Secret("{" + json.dumps(field) + ": " + json.dumps(value) + ("" if rest.startswith("}") else ", ") + rest)


@_without_frames
def check(url, body=None, headers=None):
    """Refuses what must not be sent, before anything is. The messages do not repeat it, since it may be secret."""
    _check_url("URL", url)
    if url.startswith("http:") and not re.match(LOCAL, url):
        raise ClientError("URL: http:// would send the token in clear text: use https://; only localhost may be http://")
    if headers and not hasattr(headers, "items"):
        raise ClientError("header: must be given as {'NAME': 'VALUE'}")
    for name, value in (headers or {}).items():
        if not isinstance(value, str) or not re.fullmatch(r"[\w-]+", str(name), re.ASCII) or not re.fullmatch(r"[!-~][ -~]*", value):
            raise ClientError("header: must be one line, NAME: VALUE, with a name of letters, digits, _ and -")
        if re.fullmatch(OWN_HEADERS + "|client_id", str(name).lower()):
            raise ClientError("header: the client itself sends Authorization, client_id, Host, Content-Length and the like")
    if body is not None and not isinstance(body, str):
        raise ClientError("body: must be a str: give json.dumps(...)")
    sent = " ".join([url, *map(str, (headers or {}).values()), body or ""])
    try:
        own = _vault_token()[0]
    except ClientError:  # said where it is needed
        own = ""
    if re.search(VAULT_TOKEN, sent) or len(own) > 20 and own in sent:  # one of OpenBao has another form
        raise ClientError("a Vault token is for Vault alone: take it out of URL, headers and body")
    if body is None:
        return
    try:
        if not body.encode():
            raise ClientError("body: is empty")
    except UnicodeEncodeError:
        raise ClientError("body: is not UTF-8") from None
    place = None if _own_type(headers) else _not_json(body)
    if place is not None:
        raise ClientError(f"body: is not JSON{place}: give json.dumps(...), or for a file -d @FILE, saved without a byte order mark; "
                          "for another format give the header Content-Type (-H)")
    if not (_own_type(headers) or _is_object(body)):
        raise ClientError("body: is JSON, but no object: is it encoded twice?")


def _own_type(headers):
    """Reports whether the caller sends, and so expects, something other than JSON."""
    return any(str(name).lower() == "content-type" and "json" not in str(value).lower() for name, value in (headers or {}).items())


def _is_object(text):
    """Reports whether JSON is an object, or several."""
    return bool(re.match(r"\s*[{[]", text))


def _not_json(text):
    """Says where a text is no JSON, as far as the parser does; None of JSON."""
    try:
        json.loads(text, parse_constant=int)  # fails for NaN and Infinity, which are Python's alone
    except (ValueError, RecursionError) as problem:
        return f" at line {problem.lineno}, column {problem.colno}" if isinstance(problem, json.JSONDecodeError) else ""
    return None


def _check_url(what, url):
    if not isinstance(url, str) or not re.fullmatch(r"https?://[\w.:\[\]-]+([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?", url, re.ASCII):
        raise ClientError(f"{what}: must begin with http:// or https:// and a host, without user name or line break; "
                          "percent-encode blanks, accents and %")
    name, proxy = _proxy(url)
    if name and not re.fullmatch(PROXY, proxy, re.ASCII):
        raise ClientError(f"{name} is not a URL that can be used; percent-encode its user name and password")


def _shown(url):
    """A URL for messages: there may be a token in its query."""
    return re.split("[?#]", url)[0]


def _where(url):
    """The same, with the proxy that it is called through: a response may be that proxy's."""
    name, _ = _proxy(url)
    return _shown(url) + (f" through the proxy of {name}" if name else "")


def _refused(status, reply, method, url):
    """Reports whether a response means that the token is invalid. A wrong path returns 401 too, api-platform 403, and some APIs say it
    in words."""
    if status >= 400 and _doubt(method, status):
        return False  # whatever it says: the call may have been executed
    if status == 401:
        return "Invalid Product" not in reply
    said = re.search(r'"(error|error_description|message)"\s*:\s*"[^"]*(access token|invalid[_ ]grant)', reply, re.IGNORECASE)
    if status == 403 and "//api-platform." in url:
        return True
    return status == 498 or bool(said) and not re.search(r'"error"\s*:\s*"?false', reply, re.IGNORECASE)


def _doubt(method, status=0):
    """Says that a call may have been executed. A gateway fails with 5xx or 408 where the server behind it may not have."""
    return "" if method in ("GET", "HEAD", "OPTIONS") or 400 <= status < 500 and status != 408 else DOUBT


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """urllib would make errors of responses, and take the token along to wherever a redirect points."""
    def http_response(self, request, response):
        return response

    https_response = http_response


class _Connection(http.client.HTTPConnection):
    """Has a timeout of its own for connecting."""
    is_connected = False

    def connect(self):
        timeout, self.timeout = self.timeout, CONNECT_TIMEOUT
        super().connect()
        self.sock.settimeout(timeout)
        self.is_connected = True


class _TLSConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Knows whether the connection was made, for which TLS and a proxy must have agreed: nothing is sent before."""
    def __init__(self, context):
        super().__init__(debuglevel=0, context=context)  # the level of http.client would show the tokens
        self._trust, self._connection = context, None

    def _connect(self, *args, **kwargs):
        self._connection = (_TLSConnection if "context" in kwargs else _Connection)(*args, **kwargs)
        return self._connection

    def http_open(self, request):
        return self.do_open(self._connect, request)

    def https_open(self, request):
        return self.do_open(self._connect, request, context=self._trust)

    def doubt(self, method):
        return _doubt(method) if self._connection and self._connection.is_connected else ""


def _send(secret, url, method, body, headers, timeout, ca_file=None):
    """Returns the HTTP status and the body, whatever the status is. The secret is the token that is sent."""
    try:
        urllib.parse.urlsplit(url).port  # fails where there is none
    except ValueError:
        raise ClientError(f"{_shown(url)} is no URL") from None
    try:
        handler = _Handler(ssl.create_default_context(cafile=ca_file or None))
    except OSError as problem:
        raise ClientError(f"VAULT_CACERT cannot be used: {ca_file}: {problem.strerror or problem}") from None
    _, proxy = _proxy(url)
    try:
        request = urllib.request.Request(url, None if body is None else body.encode(), headers, method=method)
        through = urllib.request.ProxyHandler({url.partition(":")[0]: proxy} if proxy else {})
        with urllib.request.build_opener(_AsItIs, handler, through).open(request, timeout=timeout) as answer:
            return answer.status, _location(answer) + answer.read().decode(errors="replace")
    except KeyboardInterrupt:
        raise Interrupted(f"calling {_shown(url)} failed: interrupted", handler.doubt(method)) from None
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as problem:
        why = getattr(problem, "reason", None) or problem  # urllib gives one where connecting or sending failed
        why = str(why).replace(secret, "<token>")  # what is no HTTP may repeat it
        raise ClientError(f"calling {_where(url)} failed: {why}", doubt=handler.doubt(method)) from None


def _proxy(url):
    """Returns the variable that names the proxy which urllib takes, and its URL. Of these, messages have the first."""
    scheme, host = re.match("(https?)://([^/?#]*)", url).groups()
    proxy = urllib.request.getproxies().get(scheme, "").strip()
    used = proxy and not re.match(LOCAL, url) and not urllib.request.proxy_bypass(host)
    return (f"{scheme}_proxy", proxy) if used else ("", "")


def _location(answer):
    """Says where a redirect points: not its query, which may have a token in it."""
    to = re.sub("//[^/]*@", "//", re.split("[?#]", answer.headers.get("Location", ""))[0])
    return f"it redirects to {to}. " if to and 300 <= answer.status < 400 else ""


def _reasons(reply):
    """Returns the error text of Vault in one line, or the body if the response is not from Vault."""
    try:
        return " ".join("; ".join(json.loads(reply)["errors"]).split()) or "it gives no reason"
    except (ValueError, KeyError, TypeError):
        return reply.strip()[:200]


def _print(reply, doubt):
    """Prints a response. What is lost may be the number of an invoice."""
    try:
        print(reply, flush=True)
    except OSError as problem:
        _drop(sys.stdout)
        raise ClientError(f"the response cannot be written: {problem.strerror}", doubt=doubt) from None


def _say(problem):
    """Prints a message. Where that cannot be written, the exit code tells."""
    if not sys.stderr:
        return
    try:
        print(f"mastersindia_client: {problem}", file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream):
    """Forgets what could not be written: Python would try once more when it ends, and end with an exit code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main():
    options, headers, rest, signals = {}, {}, [], [signal.SIGINT]

    def interrupt(number, _frame):
        signals.append(number)
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # where the terminal is lost, the call goes on to its end
    arguments = iter(sys.argv[1:])
    try:
        for argument in arguments:
            if re.match("[\u2010-\u2015\u2212]", argument):
                raise ClientError("an option begins with the hyphen of the keyboard (-), not with one of a document")
            value = next(arguments, None) if argument in ("-X", "-H", "-d", "-f") else None
            if value is None and argument.startswith("-"):
                raise ClientError(USAGE)
            if argument == "-H":
                name, _, text = value.partition(":")
                if name.lower() in map(str.lower, headers):
                    raise ClientError("-H: a header is given twice")
                headers[name] = text.strip(" ")
            elif argument in options:
                raise ClientError(f"{argument}: is given twice")
            elif value is not None:
                options[argument] = value
            else:
                rest.append(argument)
        if len(rest) < 2:
            raise ClientError(USAGE)
        if sys.stdout is None:
            raise ClientError("standard output is closed: the response would be lost")
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # whatever the locale
        body = options.get("-d")
        if body and body.startswith("@"):
            if re.search(TOKEN, body[1:]):
                raise ClientError("-d @: must be the name of a file, not a token")
            with open(0 if body == "@-" else body[1:], encoding="utf-8", errors="surrogateescape", newline="") as file:
                body = file.read()
        client, urls, method = Client(rest[0]), rest[1:], options.get("-X") or ("GET" if body is None else "POST")
        for url in urls:
            check(url, body, headers)
        if _doubt(method) and len(set(urls)) < len(urls):
            raise ClientError("URL: is given twice")
        for url in urls:
            try:
                _print(client.call(url, method, body, headers, options.get("-f", "")), _doubt(method))
            except Interrupted:
                raise
            except KeyboardInterrupt:  # after the call, where the response is not printed yet
                raise Interrupted(f"calling {_shown(url)} failed: interrupted", _doubt(method)) from None
    except (ClientError, OSError) as error:
        _say(error)
        sys.exit(3 if getattr(error, "in_doubt", False) else 1)
    except KeyboardInterrupt as interrupt:
        _say(str(interrupt) or "interrupted")
        signal.signal(signals[-1], signal.SIG_DFL)
        os.kill(os.getpid(), signals[-1])  # a shell ends a loop around this only so
        sys.exit(3 if getattr(interrupt, "in_doubt", False) else 1)  # the first process of a container goes on


if __name__ == "__main__":
    main()
