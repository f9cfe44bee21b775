// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Serialization.Json;
using System.Security.Authentication;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using System.Xml;
using System.Xml.Linq;

/// <summary>Something that a person must look at; the message says what to do.</summary>
public sealed class MastersIndiaException : Exception
{
    /// <summary>The HTTP status, 0 without one.</summary>
    public int Status { get; }
    /// <summary>Whether the call may have been executed: where it is true, repeat nothing by program.</summary>
    public bool InDoubt { get; }

    public MastersIndiaException(string message, int status = 0, string doubt = "", string reply = "")
        : base(Regex.Replace(Regex.Replace(message + doubt + reply, VaultToken, "<token>"), Control, "?"))
    {
        Status = status;
        InDoubt = Message.Contains(Doubt); // also where it is made anew of its message
    }

    internal const string Doubt = ". It may have been issued: look it up before you repeat it";
    // What a terminal would take for a command.
    const string Control = @"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)";
    internal const string VaultToken = @"(?<![A-Za-z0-9_-])hv[sbr]\.[A-Za-z0-9_-]{20,}";
}

/// <summary>
/// What Vault gives. What it did not give is null. All calls share it, and nothing in it can be changed. JSON of it shows the token: log
/// the TokenId.
/// </summary>
public sealed class MastersIndiaToken
{
    public readonly string AccessToken, Authorization, TokenId, Config, ClientId;
    public readonly IReadOnlyDictionary<string, string> Metadata;

    internal MastersIndiaToken(Func<string, string> text, IDictionary<string, string> metadata)
    {
        AccessToken = text("access_token"); Authorization = text("authorization"); TokenId = text("token_id");
        Config = text("config"); ClientId = text("client_id"); Metadata = new ReadOnlyDictionary<string, string>(metadata);
    }
}

/// <summary>
/// Hands out the token of a role of the mastersindia engine, and calls an API with it. .NET Framework 4.6.1 or newer, .NET, or
/// Mono; no package. One object serves a whole program.
///
///   as a class:   var client = new MastersIndiaClient("billing");
///                 string reply = await client.CallAsync("https://...", "POST", invoice);
///   as a program: MastersIndiaClient.exe [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...
///
/// README.md has the options and the environment. A CA of your own goes into the machine's store.
/// </summary>
public sealed class MastersIndiaClient
{
    const string OwnHeaders = "accept-encoding|authorization|connection|content-length|expect|host|transfer-encoding|upgrade|x-vault-token"; // which nobody else may set
    const string BeginOfToken = @"(^|/)(hv[sbr]\.|[sbr]\.[A-Za-z0-9_-]{20}|eyJ)"; // in a message it would be shown
    const string Local = @"\Ahttps?://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]+)?([/?#]|\z)"; // nothing sent there leaves the machine
    const string Proxy = @"\A([A-Za-z0-9]+://)?(([A-Za-z0-9_.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(/[!-$&-?A-~]*)?\z";
    const string NotVault = "is VAULT_ADDR Vault's? It was sent the Vault token";
    const string Usage =
        "usage: MastersIndiaClient.exe [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...";
    static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);
    static readonly TimeSpan VaultTimeout = TimeSpan.FromSeconds(30), ApiTimeout = TimeSpan.FromSeconds(60);
    // A redirect is not followed: it would take the token along.
    static readonly HttpClient http = NewHttpClient(true), direct = NewHttpClient(false);

    static readonly CancellationTokenSource interrupted = new CancellationTokenSource(); // by Ctrl-C, where this is the program

    static HttpClient NewHttpClient(bool useProxy)
    {
        return new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = useProxy });
    }

    readonly string path;
    string vault = Vault();
    readonly SemaphoreSlim reading = new SemaphoreSlim(1);
    MastersIndiaException failed; // of the last read that has failed
    DateTime failedAt;
    MastersIndiaToken kept;
    DateTime keepUntil, livesUntil;

    /// <param name="role">a role of the mount mastersindia, or a full path such as gst/token/billing</param>
    public MastersIndiaClient(string role)
    {
        role = Regex.Replace((role ?? "").Trim(), "^/*(v1/)?|/+$", "");
        if (!Regex.IsMatch(role, @"\A[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*\z") || Regex.IsMatch(role, BeginOfToken))
        {
            throw new MastersIndiaException("role: must be a name such as billing, or a path such as gst/token/billing; the URLs follow it");
        }
        path = role.Contains("/") ? role : "mastersindia/token/" + role;
    }

    /// <summary>Returns the token of the role. It is kept until there may be a newer one.</summary>
    /// <param name="rejected">the token_id of a token that the API has refused</param>
    public async Task<MastersIndiaToken> TokenAsync(string rejected = "")
    {
        Given("rejected", rejected);
        if (!Regex.IsMatch(rejected, @"\A([0-9a-f]{16})?\z")) // a token would come into Vault's audit log
        {
            throw new MastersIndiaException("rejected: must be the token_id of a token, 16 hex digits");
        }
        if (vault.StartsWith(" ", StringComparison.Ordinal)) vault = Vault(); // a program may set it late
        if (vault != Vault())
        {
            throw new MastersIndiaException("VAULT_ADDR or VAULT_NAMESPACE has changed since this client was made: a process has one " +
                "Vault and namespace", 400);
        }
        var came = DateTime.UtcNow;
        await reading.WaitAsync().ConfigureAwait(false);
        try
        {
            if (rejected == "" && DateTime.UtcNow < keepUntil) return kept;
            if (came < failedAt && (rejected != "" || DateTime.UtcNow >= livesUntil)) throw failed; // the read that this one has waited for
            try
            {
                await ReadAsync(rejected).ConfigureAwait(false);
            }
            catch (MastersIndiaException e) when (rejected == "" && DateTime.UtcNow < livesUntil && (e.Status < 400 || e.Status >= 500 || e.Status == 429))
            {
                keepUntil = DateTime.UtcNow.AddSeconds(60); // a Vault that is down is not felt while the token lives
                if (keepUntil > livesUntil) keepUntil = livesUntil;
            }
            catch (MastersIndiaException e)
            {
                failed = e;
                failedAt = DateTime.UtcNow;
                throw;
            }
            return kept;
        }
        finally
        {
            reading.Release();
        }
    }

    /// <summary>
    /// Returns the response of the API. With field the token goes into that field of the JSON body, and else into the header
    /// Authorization. A token that the API refuses is replaced, and the call tried once more, never in a loop.
    /// </summary>
    public async Task<string> CallAsync(string url, string method = "", string body = null,
        IDictionary<string, string> headers = null, string field = "")
    {
        Check(url, body, headers);
        Given("method", method);
        Given("field", field);
        headers = new Dictionary<string, string>(headers ?? new Dictionary<string, string>()); // the caller may fill it anew while this waits
        if (!Regex.IsMatch(method, @"\A[A-Z]*\z")) throw new MastersIndiaException("method: must be a word in capitals such as POST; the body comes after it");
        if (!Regex.IsMatch(field, @"\A([A-Za-z_][A-Za-z0-9_.-]{0,23})?\z") || Regex.IsMatch(field, BeginOfToken)) // what is longer may be a token
        {
            throw new MastersIndiaException("field: must be a name such as access_token: the client itself puts the token there");
        }
        if (method == "") method = body == null ? "GET" : "POST";
        var token = await TokenAsync().ConfigureAwait(false);
        var answer = await SendAsync(Request(token, url, method, body, headers, field), ApiTimeout).ConfigureAwait(false);
        var left = InDoubt(method, answer.Item1);
        if (Refused(answer, method, url))
        {
            string rejected = token.TokenId, returned = ". It returned " + answer.Item1, reply = ": " + Hide(token, answer.Item2);
            try
            {
                token = await TokenAsync(rejected).ConfigureAwait(false);
            }
            catch (MastersIndiaException e)
            {
                throw new MastersIndiaException(e.Message + returned, e.Status, left, reply);
            }
            if (token.TokenId == rejected)
            {
                throw new MastersIndiaException(Shown(url) + " refuses token_id " + rejected + ", and Vault has no newer token yet: it " +
                    "replaces a refused one that is a minute old, one every 5 minutes. Try again then. If it lasts: " + Doubt(token, field) +
                    returned, answer.Item1, left, reply);
            }
            answer = await SendAsync(Request(token, url, method, body, headers, field), ApiTimeout).ConfigureAwait(false);
            left = InDoubt(method, answer.Item1) == "" ? left : InDoubt(method, answer.Item1); // of the first call, too
        }
        if (Refused(answer, method, url))
        {
            throw new MastersIndiaException(Shown(url) + " refuses a second token, token_id " + token.TokenId + ": " + Doubt(token, field) +
                ". It returned " + answer.Item1, answer.Item1, left, ": " + Hide(token, answer.Item2));
        }
        bool expectsJson = InDoubt(method) != "" && answer.Item1 >= 200 && answer.Item1 <= 299 && answer.Item1 != 204 && !OwnType(headers);
        if (expectsJson && !(IsJson(answer.Item2) && IsObject(answer.Item2)))
        {
            throw new MastersIndiaException(Shown(url) + " returned " + answer.Item1 + ", but with no JSON object (token_id " +
                token.TokenId + ")", answer.Item1, InDoubt(method), ": " + Hide(token, answer.Item2));
        }
        if (answer.Item1 < 200 || answer.Item1 > 299)
        {
            throw new MastersIndiaException(Shown(url) + " returned " + answer.Item1 + ", which is not about the token (token_id " + token.TokenId +
                ")", answer.Item1, left, ": " + Hide(token, answer.Item2));
        }
        return answer.Item2;
    }

    string Doubt(MastersIndiaToken token, string field)
    {
        return "it was sent in the " + (field == "" ? "header Authorization" : "body field " + field) +
            ": is that the right place (-f), and is it the API of this account? Else ask an operator for: vault read " +
            path.Substring(0, Math.Max(0, path.LastIndexOf("/token/", StringComparison.Ordinal))) + "/status/" + token.Config;
    }

    /// <summary>An API may repeat in its error what it was sent.</summary>
    static string Hide(MastersIndiaToken token, string text) { return text.Replace(token.AccessToken, "<token>"); }

    static void Given(string name, string value) { if (value == null) throw new ArgumentException(name + ": must be given"); }

    /// <summary>
    /// Refuses what must not be sent, before anything is. The messages do not repeat it, since it may be secret.
    /// </summary>
    public static void Check(string url, string body = null, IDictionary<string, string> headers = null)
    {
        Given("url", url);
        CheckUrl("URL", url);
        if (url.StartsWith("http:", StringComparison.Ordinal) && !Regex.IsMatch(url, Local))
        {
            throw new MastersIndiaException("URL: http:// would send the token in clear text: use https://; only localhost may be http://");
        }
        foreach (var header in headers ?? new Dictionary<string, string>())
        {
            if (!Regex.IsMatch(header.Key, @"\A[A-Za-z0-9_-]+\z") || !Regex.IsMatch(header.Value ?? "", @"\A[!-~][ -~]*\z"))
            {
                throw new MastersIndiaException("header: must be one line, NAME: VALUE, with a name of letters, digits, _ and -");
            }
            if (Regex.IsMatch(header.Key, @"\A(" + OwnHeaders + @"|client_id)\z", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant))
            {
                throw new MastersIndiaException("header: the client itself sends Authorization, client_id, Host, Content-Length and the like");
            }
        }
        var sent = url + " " + string.Join(" ", headers?.Values ?? new string[0]) + " " + body;
        var own = "";
        try
        {
            own = VaultToken(VaultTokenSource());
        }
        catch (MastersIndiaException)
        {
            own = ""; // said where it is needed
        }
        if (Regex.IsMatch(sent, MastersIndiaException.VaultToken) || own.Length > 20 && sent.Contains(own)) // one of OpenBao has another form
        {
            throw new MastersIndiaException("a Vault token is for Vault alone: take it out of URL, headers and body");
        }
        if (body == "") throw new MastersIndiaException("body: is empty");
        try
        {
            if (body != null) Strict.GetBytes(body);
        }
        catch (ArgumentException)
        {
            throw new MastersIndiaException("body: is not UTF-8");
        }
        if (body != null && !OwnType(headers) && !IsJson(body))
        {
            throw new MastersIndiaException("body: is not JSON: for a file give -d @FILE, saved without a byte order mark; " +
                "for another format give -H 'Content-Type: ...'");
        }
        if (body != null && !OwnType(headers) && !IsObject(body))
        {
            throw new MastersIndiaException("body: is JSON, but no object: is it encoded twice?");
        }
    }

    /// <summary>Reports whether the caller sends, and so expects, something other than JSON.</summary>
    static bool OwnType(IDictionary<string, string> headers)
    {
        return headers != null && headers.Any(header => header.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase) &&
            header.Value.IndexOf("json", StringComparison.OrdinalIgnoreCase) < 0);
    }

    static bool IsObject(string json) { return Regex.IsMatch(json, @"\A\s*[{\[]"); }

    /// <summary>The framework's reader takes more than JSON. Here what is whole becomes a value, from the inside out, until one is left.</summary>
    static bool IsJson(string text)
    {
        var rest = Regex.Replace(text, @"""(?:[^""\\\x00-\x1f]|\\[""\\/bfnrt]|\\u[0-9a-fA-F]{4})*""", "\"\"");
        rest = Regex.Replace(rest, @"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null", "0");
        rest = Regex.Replace(rest, "[ \t\r\n]", "");
        for (var before = ""; rest != before;)
        {
            before = rest;
            rest = Regex.Replace(rest, @"\[((""""|0)(,(""""|0))*)?\]|\{("""":(""""|0)(,"""":(""""|0))*)?\}", "0");
        }
        return rest == "0" || rest == "\"\"";
    }

    static void CheckUrl(string what, string url)
    {
        if (!Regex.IsMatch(url, @"\Ahttps?://[A-Za-z0-9_.:\[\]-]+([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?\z"))
        {
            throw new MastersIndiaException(what + ": must begin with http:// or https:// and a host, without user name or line break; " +
                "percent-encode blanks, accents and %");
        }
        if (ProxyOf(url) != "" && !Regex.IsMatch(Env(ProxyOf(url)), Proxy))
        {
            throw new MastersIndiaException(ProxyOf(url) + " is not a URL that can be used; percent-encode its user name and password");
        }
    }

    /// <summary>The variable of the proxy for a URL, or "". .NET Framework takes the machine's, and Mono knows no HTTP_PROXY.</summary>
    static string ProxyOf(string url)
    {
        if (Regex.IsMatch(url, Local) || typeof(HttpClient).Assembly.GetType("System.Net.Http.SocketsHttpHandler") == null) return "";
        var host = Regex.Replace(url, @"\Ahttps?://|(:[0-9]+)?([/?#].*)?\z", "");
        var direct = (Env("no_proxy") == "" ? Env("NO_PROXY") : Env("no_proxy")).Split(',').Select(entry => entry.Trim());
        if (direct.Any(entry => entry == host || entry.StartsWith(".", StringComparison.Ordinal) && ("." + host).EndsWith(entry, StringComparison.Ordinal))) return "";
        var names = url.StartsWith("https:", StringComparison.Ordinal) ? "https_proxy HTTPS_PROXY all_proxy ALL_PROXY" : "http_proxy all_proxy ALL_PROXY";
        return names.Split(' ').FirstOrDefault(name => Env(name) != "") ?? "";
    }

    /// <summary>A URL for messages: there may be a token in its query.</summary>
    static string Shown(string url) { return Regex.Replace(url, "[?#].*", ""); }

    /// <summary>The same, with the proxy that it is called through: a response may be that proxy's.</summary>
    static string Where(string url) { return Shown(url) + (ProxyOf(url) == "" ? "" : " through the proxy of " + ProxyOf(url)); }

    static HttpRequestMessage Request(MastersIndiaToken token, string url, string method, string body,
        IDictionary<string, string> headers, string field)
    {
        var sent = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (body != null) sent["Content-Type"] = "application/json";
        foreach (var header in token.Metadata) // the role's: headers that each call needs
        {
            if (Regex.IsMatch(header.Key, @"\A(" + OwnHeaders + @")\z", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant) ||
                !Regex.IsMatch(header.Value, @"\A[ -~]*\z"))
            {
                throw new MastersIndiaException("metadata: " + header.Key +
                    " of the role cannot be sent as a header: an operator must change the role");
            }
            sent[header.Key] = header.Value;
        }
        if (field != "")
        {
            body = WithField(body ?? "", field, token.AccessToken);
        }
        else
        {
            sent["Authorization"] = token.Authorization;
            if (token.ClientId != null) sent["client_id"] = token.ClientId; // the verification APIs want it
        }
        foreach (var header in headers ?? new Dictionary<string, string>())
        {
            sent[header.Key] = header.Value; // a header of the caller replaces ours, however it is written
        }
        return NewRequest(method, url, body, sent);
    }

    static HttpRequestMessage NewRequest(string method, string url, string body, IDictionary<string, string> headers)
    {
        var sent = Regex.Replace(url, "#.*", ""); // Mono would send it
        if (!Uri.TryCreate(sent, UriKind.Absolute, out var target)) throw new MastersIndiaException(Shown(url) + " is no URL");
        var request = new HttpRequestMessage(new HttpMethod(method), target);
        if (body != null || InDoubt(method) != "") // without content .NET would send the request again where the connection ends
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body ?? ""));
        }
        foreach (var header in headers)
        {
            bool fit = !header.Value.Any(char.IsControl);
            // What .NET keeps with the content, such as Content-Type, says nothing where there is none.
            if (!fit || !(request.Headers.TryAddWithoutValidation(header.Key, header.Value) || request.Content == null
                || request.Content.Headers.TryAddWithoutValidation(header.Key, header.Value)))
            {
                throw new MastersIndiaException("header " + header.Key + " cannot be sent: give one line of text, as NAME: VALUE");
            }
        }
        return request;
    }

    /// <summary>Puts a field in front of the others of a JSON object, and leaves these as they are.</summary>
    static string WithField(string body, string field, string value)
    {
        var rest = body.TrimStart();
        if (!rest.StartsWith("{", StringComparison.Ordinal))
        {
            throw new MastersIndiaException("the token goes into the field " + field + " of the body, which must be a JSON object");
        }
        if (Regex.IsMatch(rest, Regex.Escape(Quote(field)) + @"\s*:"))
        {
            throw new MastersIndiaException("the body has a field " + field + " already: take it out");
        }
        rest = rest.Substring(1).TrimStart();
        return "{" + Quote(field) + ": " + Quote(value) + (rest.StartsWith("}", StringComparison.Ordinal) ? "" : ", ") + rest;
    }

    static string Quote(string text) { return "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\""; }

    /// <summary>Reports whether a response means an invalid token. A wrong path returns 401 too, api-platform 403.</summary>
    static bool Refused(Tuple<int, string> answer, string method, string url)
    {
        if (answer.Item1 >= 400 && InDoubt(method, answer.Item1) != "") return false; // whatever it says: the call may have been executed
        if (answer.Item1 == 401) return !answer.Item2.Contains("Invalid Product");
        if (answer.Item1 == 403 && url.Contains("//api-platform.")) return true;
        const string said = "\"(error|error_description|message)\"\\s*:\\s*\"[^\"]*(access token|invalid[_ ]grant)";
        return answer.Item1 == 498 || Regex.IsMatch(answer.Item2, said, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant) &&
            !Regex.IsMatch(answer.Item2, "\"error\"\\s*:\\s*\"?false", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
    }

    static string Vault() { return Env("VAULT_ADDR") + " " + Env("VAULT_NAMESPACE"); }

    async Task ReadAsync(string rejected)
    {
        var address = Regex.Replace(Env("VAULT_ADDR"), "([^:/])/+((v1|ui)(/.*)?)?$", "$1");
        if (address == "") throw new MastersIndiaException("set VAULT_ADDR to the URL of Vault");
        CheckUrl("VAULT_ADDR", address);
        if (Env("VAULT_SKIP_VERIFY") != "")
        {
            throw new MastersIndiaException("VAULT_SKIP_VERIFY is not supported: unset it, and install the CA of your Vault in the machine's store");
        }
        var source = VaultTokenSource();
        var own = VaultToken(source);
        var headers = new Dictionary<string, string> { { "X-Vault-Token", own }, { "X-Vault-Request", "true" } };
        if (Env("VAULT_NAMESPACE") != "") headers["X-Vault-Namespace"] = Env("VAULT_NAMESPACE");
        var url = address + "/v1/" + string.Join("/", path.Split('/').Select(Uri.EscapeDataString)) +
            (rejected == "" ? "" : "?rejected_token_id=" + rejected);
        var answer = await SendAsync(NewRequest("GET", url, null, headers), VaultTimeout).ConfigureAwait(false);
        if (answer.Item1 != 200)
        {
            var hint = !answer.Item2.Contains("\"errors\"") ? ": " + NotVault : answer.Item1 == 403 ? ": is the Vault token in " + source + " valid, and may it read " + path + "?"
                : Regex.IsMatch(answer.Item2, "no namespace|internal error") ? ": is what is in " + source + " a Vault token (hvs.…)?" : "";
            throw new MastersIndiaException("Vault returned " + answer.Item1 + " to a read of " + Where(url) + ": " +
                Reasons(answer.Item2.Replace(own, "<token>")) + hint, answer.Item1);
        }
        if (!IsJson(answer.Item2))
        {
            throw new MastersIndiaException("Vault returned 200 to a read of " + Where(url) + ", but with no JSON: " + NotVault);
        }
        Keep(answer.Item2);
    }

    void Keep(string json)
    {
        XElement root = Parse(json), data = root.Element("data");
        Func<string, string> text = name => (string)data.Element(name);
        if (data == null || text("authorization") == null || text("ttl") == null)
        {
            throw new MastersIndiaException("what is read at " + path + " is no token: is the path MOUNT/token/ROLE, and VAULT_ADDR Vault's?", 400);
        }
        var metadata = new Dictionary<string, string>();
        foreach (var pair in data.Elements("metadata").Elements())
        {
            metadata[(string)pair.Attribute("item") ?? pair.Name.LocalName] = pair.Value; // item: a name that XML cannot have
        }
        // A newer token is there after ttl seconds. A role may be without leases: 0.
        double ttl = double.Parse(text("ttl")), lease = (double?)root.Element("lease_duration") ?? 0;
        kept = new MastersIndiaToken(text, metadata);
        keepUntil = DateTime.UtcNow.AddSeconds(lease > 0 ? Math.Min(lease, ttl) : ttl);
        livesUntil = DateTime.UtcNow.AddSeconds(double.Parse(text("expires_in")) - 5);
    }

    /// <summary>Reads JSON; what is none is an empty object.</summary>
    static XElement Parse(string json)
    {
        try
        {
            return XElement.Load(JsonReaderWriterFactory.CreateJsonReader(Encoding.UTF8.GetBytes(json), XmlDictionaryReaderQuotas.Max));
        }
        catch (Exception e) when (e is XmlException || e is InvalidOperationException) // the latter of an empty text
        {
            return new XElement("root");
        }
    }

    /// <summary>The error text of Vault in one line, or the body if the response is not from Vault.</summary>
    static string Reasons(string body)
    {
        var errors = Parse(body).Element("errors");
        if (errors == null) return body.Trim().Substring(0, Math.Min(200, body.Trim().Length));
        var reasons = string.Join("; ", errors.Elements().Select(error => error.Value));
        return reasons == "" ? "it gives no reason" : Regex.Replace(reasons, @"\s+", " ").Trim();
    }

    /// <summary>A variable without the blanks and line breaks around it, such as the CR of a file .env of Windows.</summary>
    static string Env(string name)
    {
        string text = Environment.GetEnvironmentVariable(name) ?? "", trimmed = text.Trim();
        if (text != trimmed) Environment.SetEnvironmentVariable(name, trimmed); // .NET reads that of a proxy too
        return trimmed;
    }

    /// <summary>The variable that gives the Vault token.</summary>
    static string VaultTokenSource() { return Env("VAULT_TOKEN") == "" && Env("VAULT_TOKEN_FILE") != "" ? "VAULT_TOKEN_FILE" : "VAULT_TOKEN"; }

    /// <summary>The Vault token, from VAULT_TOKEN or from the file that Vault Agent keeps; it is in no message.</summary>
    static string VaultToken(string name)
    {
        string token = Env(name);
        if (name == "VAULT_TOKEN_FILE" && Regex.IsMatch(token, BeginOfToken + "|^-----BEGIN|[\r\n]"))
        {
            throw new MastersIndiaException("VAULT_TOKEN_FILE: must be the name of a file; a token goes into VAULT_TOKEN");
        }
        if (name == "VAULT_TOKEN_FILE")
        {
            try
            {
                token = File.ReadAllText(Env(name)).Trim();
            }
            catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
            {
                throw new MastersIndiaException(name + " cannot be read: " + e.Message + ": is Vault Agent running?");
            }
        }
        if (token == "" && name == "VAULT_TOKEN_FILE")
        {
            throw new MastersIndiaException(name + " is empty: " + Env(name) + ": is Vault Agent running? A pipe can be read only once");
        }
        if (token == "") throw new MastersIndiaException("set VAULT_TOKEN, or VAULT_TOKEN_FILE to the file that Vault Agent writes");
        if (!Regex.IsMatch(token, @"\A[A-Za-z0-9_.-]+\z"))
        {
            throw new MastersIndiaException(name + " has a blank, quote, slash, byte order mark or another character in it that no Vault token has");
        }
        return token;
    }

    /// <summary>Says that a call may have been executed. A gateway fails with 5xx or 408 where the server behind it may not have.</summary>
    static string InDoubt(string method, int status = 0)
    {
        return status >= 400 && status < 500 && status != 408 || Regex.IsMatch(method, @"\A(GET|HEAD|OPTIONS)\z") ? "" : MastersIndiaException.Doubt;
    }

    /// <summary>Reports whether a request failed before anything of it was sent.</summary>
    static bool Unsent(Exception cause)
    {
        var web = (cause as WebException)?.Status; // of .NET Framework and Mono
        var socket = (cause as SocketException)?.SocketErrorCode;
        var before = new SocketError?[]
        {
            SocketError.ConnectionRefused, SocketError.HostNotFound, SocketError.TryAgain, SocketError.HostUnreachable, SocketError.NetworkUnreachable,
        };
        return cause is AuthenticationException || web == WebExceptionStatus.NameResolutionFailure ||
            web == WebExceptionStatus.ConnectFailure || web == WebExceptionStatus.TrustFailure ||
            web == WebExceptionStatus.SecureChannelFailure || before.Contains(socket);
    }

    /// <summary>Says where a redirect points, without what may be secret; null where it does not.</summary>
    static string Redirect(HttpResponseMessage answer, Uri from)
    {
        if (!answer.Headers.TryGetValues("Location", out var places) || !Uri.TryCreate(from, places.First(), out var to)) return null;
        return "it redirects to " + to.Scheme + "://" + to.Authority + to.AbsolutePath;
    }

    static async Task<Tuple<int, string>> SendAsync(HttpRequestMessage request, TimeSpan timeout)
    {
        string where = Where(request.RequestUri.ToString()), proxy = ProxyOf(request.RequestUri.ToString());
        var doubt = InDoubt(request.Method.Method);
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupted.Token))
        {
            stop.CancelAfter(timeout);
            try
            {
                using (var answer = await (Regex.IsMatch(request.RequestUri.ToString(), Local) ? direct : http).SendAsync(request, stop.Token).ConfigureAwait(false))
                {
                    var got = Tuple.Create((int)answer.StatusCode, Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync().ConfigureAwait(false)));
                    var redirects = got.Item1 >= 300 && got.Item1 <= 399 && !request.Headers.Contains("X-Vault-Token") && !Refused(got, "", "");
                    if (got.Item1 == 407 && proxy != "") return Tuple.Create(407, "it was the proxy of " + proxy);
                    return redirects ? Tuple.Create(got.Item1, Redirect(answer, request.RequestUri) ?? got.Item2) : got;
                }
            }
            catch (OperationCanceledException)
            {
                var reason = interrupted.IsCancellationRequested ? "interrupted" : "no response within " + timeout.TotalSeconds + " s";
                throw new MastersIndiaException("calling " + where + " failed: " + reason, 0, doubt);
            }
            catch (Exception e) // whatever a runtime makes of a response, the call may have been made
            {
                string hint = "";
                var reasons = new List<string>(); // why a certificate is not trusted is the innermost one
                for (Exception cause = e; cause != null; cause = cause.InnerException)
                {
                    // Of a proxy without its address, which .NET adds.
                    reasons.Add(proxy == "" ? cause.Message : Regex.Replace(cause.Message, @" '\w+://[^']*'| \([^ ]*:[0-9]+\)", ""));
                    if (Unsent(cause)) doubt = "";
                }
                if (Env("VAULT_CACERT") != "" && request.Headers.Contains("X-Vault-Token"))
                {
                    hint = ". This client does not read VAULT_CACERT: install that CA in the machine's store";
                }
                throw new MastersIndiaException("calling " + where + " failed: " + string.Join(": ", reasons.Distinct()) + hint, 0, doubt);
            }
        }
    }

    public static int Main(string[] args)
    {
        try
        {
            RunAsync(args).GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception e) when (e is MastersIndiaException || e is IOException || e is UnauthorizedAccessException || e is ArgumentException)
        {
            try { Console.Error.WriteLine("MastersIndiaClient: " + e.Message); }
            catch (Exception e2) when (e2 is IOException || e2 is UnauthorizedAccessException) { } // a full disk: the exit code tells
            if (interrupted.IsCancellationRequested) EndByInterrupt();
            return (e as MastersIndiaException)?.InDoubt == true ? 3 : 1;
        }
    }

    [DllImport("libc", EntryPoint = "signal")] static extern IntPtr Handle(int signal, IntPtr handler);
    [DllImport("libc", EntryPoint = "raise")] static extern int Raise(int signal);

    /// <summary>Ends the program as Ctrl-C does: a shell goes on with a loop where it ends in another way. Windows has no signals.</summary>
    static void EndByInterrupt()
    {
        if (Path.DirectorySeparatorChar == '\\') return;
        Handle(2, IntPtr.Zero);
        Raise(2);
    }

    static async Task RunAsync(string[] args)
    {
        string method = "", body = null, field = "";
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var given = new HashSet<string>();
        var rest = new List<string>();
        for (int n = 0; n < args.Length; n++)
        {
            string option = args[n];
            if (Regex.IsMatch(option, @"\A[\u2010-\u2015\u2212]"))
            {
                throw new MastersIndiaException("an option begins with the hyphen of the keyboard (-), not with one of a document");
            }
            if (!option.StartsWith("-", StringComparison.Ordinal)) rest.Add(option);
            else if (!Regex.IsMatch(option, @"\A-[XHdf]\z") || n + 1 == args.Length) throw new MastersIndiaException(Usage);
            else if (option != "-H" && !given.Add(option)) throw new MastersIndiaException(option + ": is given twice");
            else if (option == "-X") method = args[++n];
            else if (option == "-d") body = args[++n];
            else if (option == "-f") field = args[++n];
            else
            {
                var header = args[++n].Split(new[] { ':' }, 2);
                if (headers.ContainsKey(header[0])) throw new MastersIndiaException("-H: a header is given twice");
                headers[header[0]] = header.Length == 2 ? header[1].Trim(' ') : "";
            }
        }
        if (rest.Count < 2) throw new MastersIndiaException(Usage);
        try
        {
            if (body != null && body.StartsWith("@", StringComparison.Ordinal) && Regex.IsMatch(body.Substring(1), BeginOfToken))
            {
                throw new MastersIndiaException("-d @: must be the name of a file, not a token");
            }
            if (body != null && body.StartsWith("@", StringComparison.Ordinal))
            {
                using (var content = body == "@-" ? Console.OpenStandardInput() : File.OpenRead(body.Substring(1)))
                {
                    body = await new StreamReader(content, Strict, false).ReadToEndAsync().ConfigureAwait(false);
                }
            }
            else if (body != null && body.Contains("\ufffd")) throw new DecoderFallbackException(); // of an argument nothing else can be seen
        }
        catch (DecoderFallbackException)
        {
            throw new MastersIndiaException("body: is not UTF-8");
        }
        // After the body was read, which nothing else would end. Under Mono this is for a terminal only.
        Console.CancelKeyPress += (_, key) => { key.Cancel = true; interrupted.Cancel(); };
        if (method == "") method = body == null ? "GET" : "POST";
        var client = new MastersIndiaClient(rest[0]);
        foreach (var url in rest.Skip(1)) Check(url, body, headers);
        if (InDoubt(method) != "" && rest.Skip(1).Distinct().Count() < rest.Count - 1) throw new MastersIndiaException("URL: is given twice");
        foreach (var url in rest.Skip(1))
        {
            var reply = await client.CallAsync(url, method, body, headers, field).ConfigureAwait(false);
            try
            {
                var line = Strict.GetBytes(reply + Environment.NewLine); // whatever the locale, such as that of cron
                using (var output = Console.OpenStandardOutput()) output.Write(line, 0, line.Length);
            }
            catch (IOException e)
            {
                throw new MastersIndiaException("the response cannot be written: " + e.Message, 0, InDoubt(method));
            }
            if (interrupted.IsCancellationRequested) throw new MastersIndiaException("interrupted, after the response was written");
        }
    }
}
