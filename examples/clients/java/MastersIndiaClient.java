// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.ConnectException;
import java.net.IDN;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.MalformedInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.TrustManagerFactory;

/**
 * Hands out the token of a role of the mastersindia engine, and calls an API with it. Java 17 or newer, no library. One object
 * serves a whole program, and all its threads.
 *
 * <pre>
 *   as a class:   var client = new MastersIndiaClient("billing");
 *                 String reply = client.call("https://...", "POST", invoice, Map.of(), "");
 *   as a program: java MastersIndiaClient.java [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...
 * </pre>
 *
 * README.md has the options and the environment.
 */
public final class MastersIndiaClient {
    private static final Duration VAULT_TIMEOUT = Duration.ofSeconds(30), API_TIMEOUT = Duration.ofSeconds(60);
    private static final String OWN_HEADERS = // which nobody else may set
        "(?i)accept-encoding|authorization|connection|content-length|expect|host|transfer-encoding|upgrade|x-vault-token";
    private static final String LOCAL = "https?://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:\\d+)?([/?#].*)?"; // nothing sent there leaves the machine
    private static final String TOKEN = "(.*/)?(hv[sbr]\\.|[sbr]\\.[\\w-]{20}|eyJ).*"; // how one begins: in a message it would be shown
    private static final String NO_FILE = TOKEN + "|(?s)-----BEGIN.*|.*[\r\n].*"; // what should be in a file, in place of its name
    /** What a terminal would take for a command. */
    private static final String CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]|\\r(?!\\n)";
    private static final String USAGE =
        "usage: MastersIndiaClient.java [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...";

    /** Something that a person must look at; the message says what to do. */
    public static final class ClientException extends Exception {
        /** The HTTP status, 0 without one. */
        public final int status;
        private final boolean inDoubt;

        ClientException(String message, int status) { this(message, status, "", ""); }

        ClientException(String message, int status, String doubt, String reply) {
            super(VAULT_TOKEN.matcher(message + doubt + reply).replaceAll("<token>").replaceAll(CONTROL, "?"));
            this.status = status;
            this.inDoubt = getMessage().contains(DOUBT); // also where it is made anew of its message
        }

        /** Reports whether the call may have been executed: where it is true, repeat nothing by program. */
        public boolean inDoubt() { return inDoubt; }
    }

    /** What Vault gives; metadata are the role's. Text that Vault did not give is null. JSON of it shows the token: log the tokenId. */
    public record Token(String accessToken, String authorization, String tokenId, String config, String clientId,
            Map<String, String> metadata) {
        @Override public String toString() { return "token " + tokenId; } // out of logs. "';' expected" here: Java is older than 17
    }

    private static final Pattern VAULT_TOKEN = Pattern.compile("(?<![\\w-])hv[sbr]\\.[\\w-]{20,}");
    private static final String DOUBT = ". It may have been issued: look it up before you repeat it";
    private static final String NOT_VAULT = "is VAULT_ADDR Vault's? It was sent the Vault token";

    private record Kept(Token token, Instant keepUntil, Instant livesUntil) {}

    private record Answer(int status, String body) {}

    private final String path;
    private final HttpClient api = newHttpClient(null);
    private Kept kept = new Kept(null, Instant.MIN, Instant.MIN);
    private ClientException failed; // of the last read that failed
    private Instant failedAt = Instant.MIN;

    /** @param role a role of the mount mastersindia, or a full path such as gst/token/billing */
    public MastersIndiaClient(String role) throws ClientException {
        String trimmed = (role == null ? "" : role).strip().replaceAll("^/*(v1/)?|/+$", "");
        if (!trimmed.matches("\\w[\\w-]*([./][\\w-]+)*+") || trimmed.matches(TOKEN)) { // no token goes into a URL
            throw new ClientException("role: must be a name such as billing, or a path such as gst/token/billing; the URLs follow it", 0);
        }
        this.path = trimmed.contains("/") ? trimmed : "mastersindia/token/" + trimmed;
    }

    /** Returns the token of the role. It is kept until there may be a newer one. */
    public Token token() throws ClientException { return token(""); }

    /** @param rejected the token_id of a token that the API has refused */
    public Token token(String rejected) throws ClientException { return token(rejected, Instant.now()); }

    private synchronized Token token(String rejected, Instant came) throws ClientException {
        given("rejected", rejected);
        if (!rejected.matches("|[0-9a-f]{16}")) { // a token would come into Vault's audit log
            throw new ClientException("rejected: must be the token_id of a token, 16 hex digits", 0);
        }
        if (rejected.isEmpty() && Instant.now().isBefore(kept.keepUntil)) {
            return kept.token;
        }
        if (came.isBefore(failedAt) && (!rejected.isEmpty() || !Instant.now().isBefore(kept.livesUntil))) {
            throw failed; // of the read that this one has waited for
        }
        try {
            kept = read(rejected);
        } catch (ClientException e) {
            boolean refused = e.status >= 400 && e.status < 500 && e.status != 429;
            if (!rejected.isEmpty() || refused || !Instant.now().isBefore(kept.livesUntil)) {
                failed = e;
                failedAt = Instant.now();
                throw e;
            }
            // A Vault that is down is not felt while the token lives.
            Instant again = Instant.now().plusSeconds(60);
            kept = new Kept(kept.token, again.isBefore(kept.livesUntil) ? again : kept.livesUntil, kept.livesUntil);
        }
        return kept.token;
    }

    /**
     * Returns the response of the API. A token that the API refuses is replaced, and the call tried once more, never in a loop.
     *
     * @param method empty for GET, or POST with a body
     * @param body null for none
     * @param field the field of the JSON body that the token goes into; empty for the header Authorization
     */
    public String call(String url, String method, String body, Map<String, String> headers, String field) throws ClientException {
        check(url, body, headers);
        given("method", method);
        given("field", field);
        if (!method.matches("[A-Z]*")) {
            throw new ClientException("method: must be a word in capitals such as POST; the body comes after it", 0);
        }
        if (!field.matches("|[A-Za-z_][\\w.-]{0,23}") || field.matches(TOKEN)) { // what is longer may be a token
            throw new ClientException("field: must be a name such as access_token: the client itself puts the token there", 0);
        }
        String verb = method.isEmpty() ? (body == null ? "GET" : "POST") : method;
        Token token = token();
        Answer answer = send(api, request(token, url, verb, body, headers, field), token.accessToken);
        String left = inDoubt(verb, answer.status);
        if (refused(answer, verb, url)) {
            String rejected = token.tokenId, returned = ". It returned " + answer.status, reply = ": " + hide(token, answer.body);
            try {
                token = token(rejected);
            } catch (ClientException e) {
                throw new ClientException(e.getMessage() + returned, e.status, left, reply);
            }
            if (token.tokenId.equals(rejected)) {
                throw new ClientException(shown(url) + " refuses token_id " + rejected + ", and Vault has no newer token yet: it replaces "
                    + "a refused one that is a minute old, one every 5 minutes. Try again then. If it lasts: " + doubt(token, field)
                    + returned, answer.status, left, reply);
            }
            answer = send(api, request(token, url, verb, body, headers, field), token.accessToken);
            left = inDoubt(verb, answer.status).isEmpty() ? left : inDoubt(verb, answer.status); // of the first call, too
        }
        if (refused(answer, verb, url)) {
            throw new ClientException(shown(url) + " refuses a second token, token_id " + token.tokenId + ": " + doubt(token, field)
                + ". It returned " + answer.status, answer.status, left, ": " + hide(token, answer.body));
        }
        boolean done = answer.status >= 200 && answer.status <= 299 && answer.status != 204;
        boolean expectsJson = done && !inDoubt(verb).isEmpty() && !ownType(headers);
        if (expectsJson && !(isJson(answer.body) && isObject(answer.body))) {
            throw new ClientException(shown(url) + " returned " + answer.status + ", but with no JSON object (token_id "
                + token.tokenId + ")", answer.status, inDoubt(verb), ": " + hide(token, answer.body));
        }
        if (answer.status < 200 || answer.status > 299) {
            throw new ClientException(shown(url) + " returned " + answer.status + ", which is not about the token (token_id "
                + token.tokenId + ")", answer.status, left, ": " + hide(token, answer.body));
        }
        return answer.body;
    }

    private String doubt(Token token, String field) {
        return "it was sent in the " + (field.isEmpty() ? "header Authorization" : "body field " + field)
            + ": is that the right place (-f), and is it the API of this account? Else ask an operator for: vault read "
            + path.split("/token/")[0] + "/status/" + token.config;
    }

    /** An API may repeat in its error what it was sent. */
    private static String hide(Token token, String text) { return text.replace(token.accessToken, "<token>"); }

    private static void given(String name, Object value) {
        if (value == null) {
            throw new IllegalArgumentException(name + ": must be given");
        }
    }

    /** Refuses what must not be sent, before anything is. The messages do not repeat it, since it may be secret. */
    public static void check(String url, String body, Map<String, String> headers) throws ClientException {
        given("url", url);
        given("headers", headers);
        checkUrl("URL", url);
        if (url.startsWith("http:") && !url.matches(LOCAL)) {
            throw new ClientException("URL: http:// would send the token in clear text: use https://; only localhost may be http://", 0);
        }
        for (Map.Entry<String, String> header : headers.entrySet()) {
            if (header.getKey() == null || !header.getKey().matches("[\\w-]+") || header.getValue() == null
                    || !header.getValue().matches("[!-~][ -~]*")) {
                throw new ClientException("header: must be one line, NAME: VALUE, with a name of letters, digits, _ and -", 0);
            }
            if (header.getKey().matches(OWN_HEADERS + "|client_id")) {
                throw new ClientException("header: the client itself sends Authorization, client_id, Host, Content-Length and the like", 0);
            }
        }
        String sent = url + " " + String.join(" ", headers.values()) + " " + body, own = "";
        try {
            own = vaultToken(vaultTokenSource());
        } catch (ClientException e) {
            own = ""; // said where it is needed
        }
        if (VAULT_TOKEN.matcher(sent).find() || own.length() > 20 && sent.contains(own)) { // one of OpenBao has another form
            throw new ClientException("a Vault token is for Vault alone: take it out of URL, headers and body", 0);
        }
        if (body != null && body.isEmpty()) {
            throw new ClientException("body: is empty", 0);
        }
        if (body != null && !StandardCharsets.UTF_8.newEncoder().canEncode(body)) {
            throw new ClientException("body: is not UTF-8", 0);
        }
        if (body != null && !ownType(headers) && !isJson(body)) {
            throw new ClientException("body: is not JSON: for a file give -d @FILE, saved without a byte order mark; "
                + "for another format give -H 'Content-Type: ...'", 0);
        }
        if (body != null && !ownType(headers) && !isObject(body)) {
            throw new ClientException("body: is JSON, but no object: is it encoded twice?", 0);
        }
    }

    /** Reports whether the caller sends, and so expects, something other than JSON. */
    private static boolean ownType(Map<String, String> headers) {
        return headers.entrySet().stream().anyMatch(header -> header.getKey().equalsIgnoreCase("Content-Type")
            && !header.getValue().matches("(?i).*json.*"));
    }

    private static boolean isObject(String json) {
        return json.stripLeading().startsWith("{") || json.stripLeading().startsWith("[");
    }

    /** The JDK has no reader of JSON: what is whole becomes a value, from the inside out, until one is left. */
    private static boolean isJson(String text) {
        String rest = text.replaceAll("\"(?:[^\"\\\\\\x00-\\x1f]++|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4})*+\"", "\"\"")
            .replaceAll("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?|true|false|null", "0").replaceAll("[ \t\r\n]", "");
        for (String before = ""; !rest.equals(before); ) {
            before = rest;
            rest = rest.replaceAll("\\[((\"\"|0)(,(\"\"|0))*+)?\\]|\\{(\"\":(\"\"|0)(,\"\":(\"\"|0))*+)?\\}", "0");
        }
        return rest.matches("\"\"|0");
    }

    private static void checkUrl(String what, String url) throws ClientException {
        if (!url.matches("https?://[\\w.:\\[\\]-]+([/?#][!-~]*)?") || Pattern.compile("%(?![0-9A-Fa-f]{2})").matcher(url).find()) {
            throw new ClientException(what + ": must begin with http:// or https:// and a host, without user name or line break; "
                + "percent-encode blanks, accents and %", 0);
        }
    }

    /** A URL for messages: there may be a token in its query. */
    private static String shown(String url) { return url.replaceAll("[?#].*", ""); }

    private static HttpRequest request(Token token, String url, String verb, String body, Map<String, String> headers, String field)
            throws ClientException {
        Map<String, String> sent = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        if (body != null) {
            sent.put("Content-Type", "application/json");
        }
        for (Map.Entry<String, String> pair : token.metadata.entrySet()) { // the role's: headers that each call needs
            if (pair.getKey().matches(OWN_HEADERS) || !pair.getValue().matches("[ -~]*")) {
                throw new ClientException("metadata: " + pair.getKey() + " of the role cannot be sent as a header: an operator must change "
                    + "the role", 0);
            }
            sent.put(pair.getKey(), pair.getValue());
        }
        String text = body;
        if (!field.isEmpty()) {
            text = withField(body == null ? "" : body, field, token.accessToken);
        } else {
            sent.put("Authorization", token.authorization);
            if (token.clientId != null) { // the verification APIs want it
                sent.put("client_id", token.clientId);
            }
        }
        sent.putAll(headers); // a header of the caller replaces ours, however it is written
        return newRequest(url, API_TIMEOUT, sent)
            .method(verb, text == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(text)).build();
    }

    /** Puts a field in front of the others of a JSON object, and leaves these as they are. */
    private static String withField(String body, String field, String value) throws ClientException {
        String rest = body.stripLeading();
        if (!rest.startsWith("{")) {
            throw new ClientException("the token goes into the field " + field + " of the body, which must be a JSON object", 0);
        }
        if (Pattern.compile(Pattern.quote(quote(field)) + "\\s*:").matcher(rest).find()) {
            throw new ClientException("the body has a field " + field + " already: take it out", 0);
        }
        rest = rest.substring(1).stripLeading();
        return "{" + quote(field) + ": " + quote(value) + (rest.startsWith("}") ? "" : ", ") + rest;
    }

    private static String quote(String text) { return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"'; }

    private static final Pattern SAYS_REFUSED = Pattern.compile(
        "\"(error|error_description|message)\"\\s*:\\s*\"[^\"]*(access token|invalid[_ ]grant)", Pattern.CASE_INSENSITIVE);
    private static final Pattern SAYS_FINE = Pattern.compile("\"error\"\\s*:\\s*\"?false", Pattern.CASE_INSENSITIVE);

    /** Reports whether a response means that the token is invalid. A wrong path returns 401 too, api-platform 403. */
    private static boolean refused(Answer answer, String verb, String url) {
        if (answer.status >= 400 && !inDoubt(verb, answer.status).isEmpty()) {
            return false; // whatever it says: the call may have been executed
        }
        if (answer.status == 401) {
            return !answer.body.contains("Invalid Product");
        }
        if (answer.status == 403 && url.contains("//api-platform.")) {
            return true;
        }
        return answer.status == 498 || SAYS_REFUSED.matcher(answer.body).find() && !SAYS_FINE.matcher(answer.body).find();
    }

    private Kept read(String rejected) throws ClientException {
        String address = env("VAULT_ADDR").replaceAll("([^:/])/+((v1|ui)(/.*)?)?$", "$1");
        if (address.isEmpty()) {
            throw new ClientException("set VAULT_ADDR to the URL of Vault", 0);
        }
        checkUrl("VAULT_ADDR", address);
        if (!env("VAULT_SKIP_VERIFY").isEmpty()) {
            throw new ClientException("VAULT_SKIP_VERIFY is not supported: unset it, and set VAULT_CACERT to the CA of your Vault", 0);
        }
        refuse("jdk.httpclient.enableAllMethodRetry", "it would send a POST again, and issue an invoice twice");
        refuse("jdk.internal.httpclient.disableHostnameVerification", "it would send the tokens to a server with the certificate of another");
        if (env("VAULT_CACERT").matches(NO_FILE)) {
            throw new ClientException("VAULT_CACERT: must be the name of a file", 0);
        }
        String source = vaultTokenSource();
        String own = vaultToken(source);
        Map<String, String> headers = new HashMap<>(Map.of("X-Vault-Token", own, "X-Vault-Request", "true"));
        if (!env("VAULT_NAMESPACE").isEmpty()) {
            headers.put("X-Vault-Namespace", env("VAULT_NAMESPACE"));
        }
        String query = rejected.isEmpty() ? "" : "?rejected_token_id=" + rejected;
        HttpRequest request = newRequest(address + "/v1/" + path + query, VAULT_TIMEOUT, headers).build();
        Answer answer = send(newHttpClient(env("VAULT_CACERT")), request, own);
        if (answer.status != 200) {
            String hint = !answer.body.contains("\"errors\"") ? ": " + NOT_VAULT : answer.status == 403 ? ": is the Vault token in " + source + " valid, and may it read " + path + "?"
                : answer.body.matches("(?s).*(no namespace|internal error).*")
                    ? ": is what is in " + source + " a Vault token (hvs.…)?" : "";
            throw new ClientException("Vault returned " + answer.status + " to a read of " + address + "/v1/" + path + ": "
                + reasons(answer.body.replace(own, "<token>")) + hint, answer.status);
        }
        if (!isJson(answer.body)) {
            throw new ClientException("Vault returned 200 to a read of " + address + "/v1/" + path
                + ", but with no JSON: " + NOT_VAULT, 0);
        }
        String body = METADATA.matcher(answer.body).replaceFirst(""); // whose names may be any
        if (text(body, "authorization") == null || text(body, "token_id") == null) {
            throw new ClientException("what is read at " + path + " is no token: is the path MOUNT/token/ROLE, and VAULT_ADDR Vault's?", 400);
        }
        Token token = new Token(text(body, "access_token"), text(body, "authorization"), text(body, "token_id"), text(body, "config"),
            text(body, "client_id"), Map.copyOf(metadata(answer.body)));
        // A newer token is there after ttl seconds. A role may be without leases: 0.
        long ttl = number(body, "ttl"), lease = number(body, "lease_duration");
        Instant now = Instant.now();
        return new Kept(token, now.plusSeconds(lease > 0 ? Math.min(lease, ttl) : ttl), now.plusSeconds(number(body, "expires_in") - 5));
    }

    /** Refuses a property of the JDK: it is set where it is empty, too. */
    private static void refuse(String property, String reason) throws ClientException {
        if (!System.getProperty(property, "false").equals("false")) {
            throw new ClientException(property + " is not supported: " + reason + ": unset it", 0);
        }
    }

    // The JDK has no reader of JSON. Of Vault's response a few fields are needed, whose names occur once; text may be escaped.
    private static final String STRING = "\"((?:[^\"\\\\]++|\\\\.)*+)\"";
    private static final Pattern METADATA = Pattern.compile("\"metadata\"\\s*:\\s*\\{((?:\\s|[:,]|" + STRING + ")*+)\\}");

    /** The error text of Vault in one line, or the body if the response is not from Vault. */
    private static String reasons(String json) {
        Matcher errors = Pattern.compile("\"errors\"\\s*:\\s*\\[((?:\\s|,|" + STRING + ")*+)\\]").matcher(json);
        if (!errors.find()) {
            return json.strip().substring(0, Math.min(200, json.strip().length()));
        }
        List<String> reasons = new ArrayList<>();
        Pattern.compile(STRING).matcher(errors.group(1)).results().forEach(found -> reasons.add(unescape(found.group(1))));
        return reasons.isEmpty() ? "it gives no reason" : String.join("; ", reasons).replaceAll("\\s+", " ").strip();
    }

    private static String text(String json, String field) {
        Matcher found = Pattern.compile("\"" + field + "\"\\s*:\\s*" + STRING).matcher(json);
        return found.find() ? unescape(found.group(1)) : null;
    }

    private static long number(String json, String field) {
        Matcher found = Pattern.compile("\"" + field + "\"\\s*:\\s*(\\d+)").matcher(json);
        return found.find() ? Long.parseLong(found.group(1)) : 0;
    }

    private static Map<String, String> metadata(String json) {
        Map<String, String> pairs = new HashMap<>();
        Matcher object = METADATA.matcher(json);
        if (object.find()) {
            Matcher pair = Pattern.compile(STRING + "\\s*:\\s*" + STRING).matcher(object.group(1));
            while (pair.find()) {
                pairs.put(unescape(pair.group(1)), unescape(pair.group(2)));
            }
        }
        return pairs;
    }

    private static String unescape(String text) {
        String simple = Pattern.compile("\\\\u([0-9a-fA-F]{4})").matcher(text)
            .replaceAll(m -> Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(m.group(1), 16))));
        return simple.replace("\\n", " ").replace("\\t", " ").replaceAll("\\\\([\"\\\\/])", "$1");
    }

    private static String env(String name) {
        String value = System.getenv(name);
        return value == null ? "" : value.strip(); // many a variable ends in a newline
    }

    /** The variable that gives the Vault token. */
    private static String vaultTokenSource() {
        return env("VAULT_TOKEN").isEmpty() && !env("VAULT_TOKEN_FILE").isEmpty() ? "VAULT_TOKEN_FILE" : "VAULT_TOKEN";
    }

    /** The Vault token, from VAULT_TOKEN or from the file that Vault Agent keeps; it is in no message. */
    private static String vaultToken(String name) throws ClientException {
        String token = env(name);
        if (name.equals("VAULT_TOKEN_FILE") && token.matches(NO_FILE)) {
            throw new ClientException("VAULT_TOKEN_FILE: must be the name of a file; a token goes into VAULT_TOKEN", 0);
        }
        if (name.equals("VAULT_TOKEN_FILE")) {
            try {
                token = Files.readString(Path.of(env(name)), StandardCharsets.ISO_8859_1).strip();
            } catch (InvalidPathException e) {
                throw new ClientException(name + ": no file has such a name in this locale (LC_ALL): " + e.getMessage(), 0);
            } catch (IOException e) {
                String reason = Files.isDirectory(Path.of(env(name))) ? "it is a directory" : e.toString();
                throw new ClientException(name + " cannot be read: " + reason + ": is Vault Agent running?", 0);
            }
        }
        if (token.isEmpty() && name.equals("VAULT_TOKEN_FILE")) {
            throw new ClientException(name + " is empty: " + env(name) + ": is Vault Agent running? A pipe can be read only once", 0);
        }
        if (token.isEmpty()) {
            throw new ClientException("set VAULT_TOKEN, or VAULT_TOKEN_FILE to the file that Vault Agent writes", 0);
        }
        if (!token.matches("[\\w.-]+")) {
            throw new ClientException(name + " has a blank, quote, slash, byte order mark or another character in it that no Vault token has", 0);
        }
        return token;
    }

    private static HttpRequest.Builder newRequest(String url, Duration timeout, Map<String, String> headers) throws ClientException {
        HttpRequest.Builder request;
        try {
            URI uri = URI.create(url);
            if (uri.getPort() > 65535) {
                throw new IllegalArgumentException();
            }
            request = HttpRequest.newBuilder(uri).timeout(timeout);
            IDN.toASCII(uri.getHost()); // fails for a label too long, as sending would
        } catch (IllegalArgumentException e) {
            throw new ClientException(shown(url) + " is no URL", 0);
        }
        for (Map.Entry<String, String> header : headers.entrySet()) {
            try {
                request.setHeader(header.getKey(), header.getValue());
            } catch (IllegalArgumentException e) { // its message has the value
                throw new ClientException("header " + header.getKey() + " cannot be sent: give one line of text, as NAME: VALUE", 0);
            }
        }
        return request;
    }

    /** The proxies of the runtime, but none for this machine, whatever http.nonProxyHosts says. */
    private static final class Proxies extends ProxySelector {
        @Override public List<Proxy> select(URI uri) {
            return uri.toString().matches(LOCAL) || getDefault() == null ? List.of(Proxy.NO_PROXY) : getDefault().select(uri);
        }

        @Override public void connectFailed(URI uri, SocketAddress address, IOException e) { getDefault().connectFailed(uri, address, e); }
    }

    /** It follows no redirect, which would take the token along. */
    private static HttpClient newHttpClient(String caFile) throws ClientException {
        HttpClient.Builder client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER)
            .proxy(new Proxies()).connectTimeout(Duration.ofSeconds(10));
        if (caFile == null || caFile.isEmpty()) {
            return client.build();
        }
        try (InputStream file = new FileInputStream(caFile)) {
            KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
            trusted.load(null, null);
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                trusted.setCertificateEntry("ca-" + trusted.size(), certificate);
            }
            if (trusted.size() == 0) {
                throw new IOException("it has no certificate");
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(trusted);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, factory.getTrustManagers(), null);
            return client.sslContext(context).build();
        } catch (IOException | GeneralSecurityException e) {
            throw new ClientException("VAULT_CACERT cannot be used: " + caFile + ": " + e.getMessage(), 0);
        }
    }

    private static String inDoubt(String verb) {
        return inDoubt(verb, 0);
    }

    /** Says that a call may have been made. A gateway fails with 5xx or 408 where the server behind it may not have. */
    private static String inDoubt(String verb, int status) {
        return status >= 400 && status < 500 && status != 408 || verb.matches("GET|HEAD|OPTIONS") ? "" : DOUBT;
    }

    /** @param secret the token that is sent: what is no HTTP may repeat it */
    private static Answer send(HttpClient client, HttpRequest request, String secret) throws ClientException {
        String where = shown(request.uri().toString());
        String doubt = inDoubt(request.method());
        long seconds = request.timeout().orElse(API_TIMEOUT).toSeconds(); // which the client itself counts to the headers only
        CompletableFuture<HttpResponse<String>> sending;
        if (Thread.currentThread().isInterrupted()) {
            throw new ClientException("calling " + where + " failed: this thread is interrupted, and nothing was sent", 0);
        }
        try {
            sending = client.sendAsync(request, HttpResponse.BodyHandlers.ofString());
        } catch (IllegalArgumentException e) { // such as a port that is none
            throw new ClientException(where + " is no URL: " + e.getMessage(), 0);
        }
        try {
            HttpResponse<String> response = sending.get(seconds, TimeUnit.SECONDS);
            Answer answer = new Answer(response.statusCode(), response.body());
            String place = response.headers().firstValue("Location").orElse("");
            boolean ofVault = request.headers().firstValue("X-Vault-Token").isPresent();
            if (answer.status < 300 || answer.status > 399 || place.isEmpty() || ofVault || refused(answer, "", "")) {
                return answer;
            }
            try {
                String to = shown(request.uri().resolve(place).toString()).replaceFirst("//[^/]*@", "//"); // without what may be secret
                return new Answer(answer.status, "it redirects to " + to);
            } catch (IllegalArgumentException e) {
                return answer;
            }
        } catch (TimeoutException e) {
            sending.cancel(true);
            throw new ClientException("calling " + where + " failed: no response within " + seconds + " s", 0, doubt, "");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ClientException("calling " + where + " failed: interrupted", 0, doubt, "");
        } catch (ExecutionException failed) {
            Throwable e = failed.getCause();
            boolean unsent = e instanceof ConnectException || e instanceof HttpConnectTimeoutException || e instanceof SSLHandshakeException
                || String.valueOf(e.getMessage()).contains("nrecognized SSL message"); // a server that has no TLS
            throw new ClientException("calling " + where + " failed: " + (e.getMessage() == null ? "cannot connect: " : "")
                + e.toString().replace(secret, "<token>"), 0, unsent ? "" : doubt, "");
        }
    }

    private static volatile boolean reading; // standard input: nothing was sent, and no interrupt comes through

    public static void main(String[] args) {
        CountDownLatch ended = new CountDownLatch(1);
        Thread program = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> { // Ctrl-C or SIGTERM: the program may have something to say
            if (ended.getCount() == 0) {
                return;
            }
            program.interrupt();
            try {
                ended.await(reading ? 0 : 5, TimeUnit.SECONDS);
                endByInterrupt();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        int code = 0;
        try {
            run(args);
        } catch (ClientException e) {
            System.err.println("MastersIndiaClient: " + e.getMessage());
            code = e.inDoubt ? 3 : 1;
        } finally {
            ended.countDown();
        }
        System.exit(code);
    }

    /**
     * Ends the program as Ctrl-C does: a shell goes on with a loop where it ends in another way, as Java itself does. By reflection,
     * because javac warns of sun.misc.
     */
    private static void endByInterrupt() throws InterruptedException {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal"), handler = Class.forName("sun.misc.SignalHandler");
            signal.getMethod("handle", signal, handler)
                .invoke(null, signal.getConstructor(String.class).newInstance("INT"), handler.getField("SIG_DFL").get(null));
            new ProcessBuilder("kill", "-INT", Long.toString(ProcessHandle.current().pid())).start().waitFor();
        } catch (ReflectiveOperationException | IOException e) {
            return; // without signals, as on Windows
        }
    }

    /** Java opens a file of its own in the place of a standard output that is closed, for reading. It can be seen under Linux. */
    private static boolean outputIsClosed() {
        try {
            return Files.readString(Path.of("/proc/self/fdinfo/1")).matches("(?s).*flags:[^\n]*0\n.*");
        } catch (IOException e) {
            return false;
        }
    }

    private static void run(String[] args) throws ClientException {
        // Whatever the locale, such as that of cron.
        System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8));
        Map<String, String> options = new HashMap<>(), headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        List<String> rest = new ArrayList<>();
        for (int n = 0; n < args.length; n++) {
            if (args[n].matches("(?s)[\u2010-\u2015\u2212].*")) {
                throw new ClientException("an option begins with the hyphen of the keyboard (-), not with one of a document", 0);
            } else if (!args[n].startsWith("-")) {
                rest.add(args[n]);
            } else if (!args[n].matches("-[XHdf]") || n + 1 == args.length) {
                throw new ClientException(USAGE, 0);
            } else if (args[n++].equals("-H")) {
                String[] header = args[n].split(":", 2);
                if (headers.put(header[0], header.length == 2 ? header[1].replaceAll("^ +| +$", "") : "") != null) {
                    throw new ClientException("-H: a header is given twice", 0);
                }
            } else if (options.put(args[n - 1], args[n]) != null) {
                throw new ClientException(args[n - 1] + ": is given twice", 0);
            }
        }
        if (rest.size() < 2) {
            throw new ClientException(USAGE, 0);
        }
        String body = options.get("-d");
        try {
            if ("@-".equals(body)) {
                reading = true;
                byte[] content = System.in.readAllBytes();
                reading = false;
                body = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
            } else if (body != null && body.startsWith("@")) {
                if (body.substring(1).matches(TOKEN)) {
                    throw new ClientException("-d @: must be the name of a file, not a token", 0);
                }
                body = Files.readString(Path.of(body.substring(1)));
            } else if (body != null && body.contains("\ufffd")) { // of an argument nothing else can be seen
                if (!"UTF-8".equals(System.getProperty("sun.jnu.encoding"))) {
                    throw new ClientException("body: the argument cannot be read in this locale; -d @FILE works", 0);
                }
                throw new MalformedInputException(1);
            }
        } catch (CharacterCodingException e) {
            throw new ClientException("body: is not UTF-8", 0);
        } catch (InvalidPathException e) {
            throw new ClientException("-d @: no file has such a name in this locale (LC_ALL): " + e.getMessage(), 0);
        } catch (IOException e) {
            throw new ClientException("the file of -d cannot be read: " + body.substring(1) + ": " + e, 0);
        }
        String verb = options.getOrDefault("-X", body == null ? "GET" : "POST");
        if (outputIsClosed()) {
            throw new ClientException("standard output is closed: the response would be lost", 0);
        }
        MastersIndiaClient client = new MastersIndiaClient(rest.get(0));
        for (String url : rest.subList(1, rest.size())) {
            check(url, body, headers);
        }
        if (!inDoubt(verb).isEmpty() && rest.stream().skip(1).distinct().count() < rest.size() - 1) {
            throw new ClientException("URL: is given twice", 0);
        }
        for (String url : rest.subList(1, rest.size())) {
            System.out.println(client.call(url, verb, body, headers, options.getOrDefault("-f", "")));
            if (System.out.checkError()) {
                throw new ClientException("the response cannot be written", 0, inDoubt(verb), "");
            }
        }
    }
}
