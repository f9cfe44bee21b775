<?php
// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0
//
// Calls an API with the token that a role of the mastersindia engine gives. PHP 8.2 or newer, with curl.
//
//   as a class:   $client = new MastersIndiaClient('billing');
//                 $reply = $client->call('https://...', 'POST', json_encode($invoice, JSON_THROW_ON_ERROR));
//   as a program: php mastersindia_client.php [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...
//
// README.md has the options and the environment. Under PHP-FPM the token is kept in APCu, if the extension is there, so that
// requests share it. All pools of one php-fpm master share APCu: do not run pools of other users under it.

declare(strict_types=1);

/**
 * Something that a person must look at; the message says what to do. The code is the HTTP status, 0 without one. Where inDoubt is
 * true, the call may have been executed: repeat nothing by program.
 */
final class MastersIndiaError extends RuntimeException
{
    public const VAULT_TOKEN = '/(?<![\w-])hv[sbr]\.[\w-]{20,}/';
    /** What a terminal would take for a command. */
    private const CONTROL = '/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/';

    public const DOUBT = '. It may have been issued: look it up before you repeat it';
    public readonly bool $inDoubt;

    public function __construct(string $message, int $code = 0, string $doubt = '', ?string $reply = null)
    {
        $message .= $doubt . ($reply === null ? '' : ": $reply");
        $this->inDoubt = str_contains($message, self::DOUBT); // also where a worker's error is made anew of its message
        parent::__construct(preg_replace([self::VAULT_TOKEN, self::CONTROL], ['<token>', '?'], $message) ?? $message, $code);
    }
}

/** What Vault gives, to be read as an array. What prints or encodes it shows no secret, but var_export, serialize and (array) do. */
final class MastersIndiaToken implements ArrayAccess, JsonSerializable
{
    public function __construct(#[\SensitiveParameter] private readonly array $data) {}
    public function __debugInfo(): array { return ['token_id' => $this['token_id']]; }
    public function jsonSerialize(): array { return $this->__debugInfo(); }
    public function offsetExists(mixed $name): bool { return isset($this->data[$name]); }
    public function offsetGet(mixed $name): mixed { return $this->data[$name]; }
    public function offsetSet(mixed $name, mixed $value): void { throw new MastersIndiaError('a token cannot be changed'); }
    public function offsetUnset(mixed $name): void { $this[$name] = null; }
}

final class MastersIndiaClient
{
    private const VAULT_TIMEOUT = 30; // seconds
    private const API_TIMEOUT = 60;
    private const OWN_HEADERS = 'accept-encoding|authorization|connection|content-length|expect|host|transfer-encoding|upgrade|x-vault-token'; // which nobody else may set

    private const FIELD = '/^([A-Za-z_][\w.-]{0,23})?\z/'; // what is longer may be a token
    private const BEGIN = '(^|/)(hv[sbr]\.|[sbr]\.[\w-]{20}|eyJ)';
    public const TOKEN = '~' . self::BEGIN . '~'; // how one begins: in a message it would be shown
    private const NO_FILE = '~' . self::BEGIN . '|^-----BEGIN|[\r\n]~'; // what should be in a file, in place of its name

    private const LOCAL = '~^https?://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?([/?#]|\z)~'; // nothing sent there leaves the machine
    private const PROXY = '~^(\w+://)?(([!"$&-.0->A-\~]|%[0-9A-Fa-f]{2})*@)?([\w.-]+|\[[\w:.]+\])(:\d+)?/?\z~'; // of another, a part of the password may be taken for its host
    private const NOT_VAULT = "is VAULT_ADDR Vault's? It was sent the Vault token";

    private readonly string $path;
    private string $vault;
    public static int $interrupted = 0; // the signal, where this is the program
    private static ?WeakMap $kept = null; // by object, and not in it: serialize and var_export do not find the token

    /** The role is one of the mount mastersindia, or a full path such as gst/token/billing. */
    public function __construct(#[\SensitiveParameter] string $role)
    {
        $role = preg_replace('~^/*(v1/)?|/+$~', '', trim($role));
        preg_match('~^\w[\w-]*([./][\w-]+)*\z~', $role) && !preg_match(self::TOKEN, $role) // no token goes into a URL
            || throw new MastersIndiaError('role: must be a name such as billing, or a path such as gst/token/billing; the URLs follow it');
        PHP_VERSION_ID >= 80200 || throw new MastersIndiaError('PHP is ' . PHP_VERSION . ': an error of one before 8.2 has the token in its trace; install a newer one');
        function_exists('curl_init') || throw new MastersIndiaError('PHP has no curl extension: apt-get install php-curl');
        function_exists('curl_exec') || throw new MastersIndiaError('curl_exec is in disable_functions of php.ini: have it taken out there');
        $this->vault = self::vault();
        $this->path = str_contains($role, '/') ? $role : "mastersindia/token/$role";
    }

    /** What var_dump shows: no token. */
    public function __debugInfo(): array
    {
        return ['path' => $this->path];
    }

    /**
     * Returns what Vault gives: access_token, authorization, metadata and so on. It is kept until there may be a newer one.
     * $rejected is the token_id of a token that the API has refused. In logs, name a token by its token_id.
     */
    public function token(#[\SensitiveParameter] string $rejected = ''): MastersIndiaToken
    {
        $rejected === '' || preg_match('/^[0-9a-f]{16}\z/', $rejected) // a token would come into Vault's audit log
            || throw new MastersIndiaError('rejected: must be the token_id of a token, 16 hex digits');
        $this->vault = $this->vault[0] === ' ' ? self::vault() : $this->vault; // a framework may set it late
        $this->vault === self::vault() || throw new MastersIndiaError(
            'VAULT_ADDR or VAULT_NAMESPACE has changed since this client was made: a process has one Vault and namespace', 400);
        $kept = $this->recall();
        if ($rejected === '' && time() < $kept['keep_until']) {
            return $kept['token'];
        }
        try {
            $kept = $this->read($rejected);
        } catch (MastersIndiaError $error) {
            // A Vault that is down is not felt while the token lives.
            $code = $error->getCode();
            if ($rejected !== '' || time() >= $kept['lives_until'] || $code >= 400 && $code < 500 && $code !== 429) {
                throw $error;
            }
            $kept['keep_until'] = min(time() + 60, $kept['lives_until']);
        }
        $this->remember($kept);
        return $kept['token'];
    }

    /**
     * Returns the response of the API. With $field the token goes into that field of the JSON body, and else into the header
     * Authorization. A token that the API refuses is replaced, and the call tried once more, never in a loop.
     */
    public function call(#[\SensitiveParameter] string $url, #[\SensitiveParameter] string $method = '',
        #[\SensitiveParameter] string|false|null $body = null, #[\SensitiveParameter] array $headers = [],
        #[\SensitiveParameter] string $field = ''): string
    {
        self::check($url, $body, $headers);
        preg_match('/^[A-Z]*\z/', $method) || throw new MastersIndiaError('method: must be a word in capitals such as POST; the body comes after it');
        preg_match(self::FIELD, $field) && !preg_match(self::TOKEN, $field)
            || throw new MastersIndiaError('field: must be a name such as access_token: the client itself puts the token there');
        $method = $method ?: ($body === null ? 'GET' : 'POST');
        $token = $this->token();
        [$status, $reply] = $this->callWith($token, $url, $method, $body, $headers, $field);
        $earlier = ''; // the doubt that the first of two calls leaves
        if (self::refused($status, $reply, $method, $url)) {
            [$rejected, $earlier, $said] = [$token['token_id'], self::inDoubt($method, $status), self::hide($token, $reply)];
            try {
                $token = $this->token($rejected);
            } catch (MastersIndiaError $error) {
                throw new MastersIndiaError($error->getMessage() . ". It returned $status", $error->getCode(), $earlier, $said);
            }
            if ($token['token_id'] === $rejected) {
                throw new MastersIndiaError(self::shown($url) . " refuses token_id $rejected, and Vault has no newer token yet: it replaces "
                    . 'a refused one that is a minute old, one every 5 minutes. Try again then. If it lasts: ' . $this->doubt($token, $field)
                    . ". It returned $status", $status, $earlier, $said);
            }
            [$status, $reply] = $this->callWith($token, $url, $method, $body, $headers, $field);
        }
        $id = $token['token_id'];
        if (self::refused($status, $reply, $method, $url)) {
            throw new MastersIndiaError(self::shown($url) . " refuses a second token, token_id $id: " . $this->doubt($token, $field)
                . ". It returned $status", $status, self::inDoubt($method, $status) ?: $earlier, self::hide($token, $reply));
        }
        $expectsJSON = self::inDoubt($method) !== '' && $status >= 200 && $status <= 299 && $status !== 204 && !self::ownType($headers);
        if ($expectsJSON && !(self::isJSON($reply) && self::isObject($reply))) {
            throw new MastersIndiaError(self::shown($url) . " returned $status, but with no JSON object (token_id $id)",
                $status, self::inDoubt($method), self::hide($token, $reply));
        }
        if ($status < 200 || $status > 299) {
            throw new MastersIndiaError(self::shown($url) . " returned $status, which is not about the token (token_id $id)",
                $status, self::inDoubt($method, $status) ?: $earlier, self::hide($token, $reply));
        }
        return $reply;
    }

    private function doubt(#[\SensitiveParameter] MastersIndiaToken $token, string $field): string
    {
        $place = $field === '' ? 'header Authorization' : "body field $field";
        return "it was sent in the $place: is that the right place (-f), and is it the API of this account? "
            . 'Else ask an operator for: vault read ' . strstr($this->path, '/token/', true) . "/status/{$token['config']}";
    }

    /** An API may repeat in its error what it was sent. */
    private static function hide(#[\SensitiveParameter] MastersIndiaToken $token, string $reply): string
    {
        return str_replace($token['access_token'], '<token>', $reply);
    }

    /** Refuses what must not be sent, before anything is. The messages do not repeat it, since it may be secret. */
    public static function check(#[\SensitiveParameter] string $url, #[\SensitiveParameter] string|false|null $body = null,
        #[\SensitiveParameter] array $headers = []): void
    {
        self::checkURL('URL', $url);
        !str_starts_with($url, 'http:') || preg_match(self::LOCAL, $url)
            || throw new MastersIndiaError('URL: http:// would send the token in clear text: use https://; only localhost may be http://');
        $headers === [] || !array_is_list($headers) || throw new MastersIndiaError("header: must be given as ['NAME' => 'VALUE']");
        foreach ($headers as $name => $value) { // a name of digits is an integer here, as is the place in a list
            !is_int($name) || !str_contains((string) $value, ':') || throw new MastersIndiaError("header: must be given as ['NAME' => 'VALUE']");
            preg_match('/^[\w-]+\z/', (string) $name) && (is_string($value) || is_int($value)) && preg_match('/^[!-~][ -~]*\z/', (string) $value)
                || throw new MastersIndiaError('header: must be one line, NAME: VALUE, with a name of letters, digits, _ and -');
        }
        preg_grep('/^(' . self::OWN_HEADERS . '|client_id)\z/i', array_keys($headers)) === []
            || throw new MastersIndiaError('header: the client itself sends Authorization, client_id, Host, Content-Length and the like');
        $sent = implode(' ', [$url, ...array_values($headers), $body ?: '']);
        try {
            $own = self::vaultToken()[0];
        } catch (MastersIndiaError) { // said where it is needed
            $own = '';
        }
        !preg_match(MastersIndiaError::VAULT_TOKEN, $sent) && (strlen($own) <= 20 || !str_contains($sent, $own)) // one of OpenBao has another form
            || throw new MastersIndiaError('a Vault token is for Vault alone: take it out of URL, headers and body');
        $body !== false || throw new MastersIndiaError('body: is false: json_encode failed: ' . json_last_error_msg());
        $body !== '' || throw new MastersIndiaError('body: is empty');
        preg_match('//u', $body ?? '') || throw new MastersIndiaError('body: is not UTF-8');
        $body === null || self::ownType($headers) || self::isJSON($body) || throw new MastersIndiaError(
            'body: is not JSON: give json_encode(...), or for a file -d @FILE, saved without a byte order mark; '
            . 'for another format give the header Content-Type (-H)');
        $body === null || self::ownType($headers) || self::isObject($body)
            || throw new MastersIndiaError('body: is JSON, but no object: is it encoded twice?');
    }

    /** Reports whether the caller sends, and so expects, something other than JSON. */
    private static function ownType(#[\SensitiveParameter] array $headers): bool
    {
        $types = preg_grep('/^content-type\z/i', array_keys($headers));
        return $types !== [] && stripos((string) $headers[end($types)], 'json') === false;
    }

    private static function isObject(#[\SensitiveParameter] string $json): bool { return (bool) preg_match('/^\s*[{[]/', $json); }

    private static function isJSON(#[\SensitiveParameter] string $text): bool
    {
        json_decode($text);
        return json_last_error() === JSON_ERROR_NONE;
    }

    private static function checkURL(string $what, #[\SensitiveParameter] string $url): void
    {
        preg_match('~^https?://[\w.:\[\]-]+([/?#]([!-$&-\~]|%[0-9A-Fa-f]{2})*)?\z~', $url) || throw new MastersIndiaError(
            "$what: must begin with http:// or https:// and a host, without user name or line break; percent-encode blanks, accents and %");
        [$name, $proxy] = self::proxy($url);
        $name === '' || preg_match(self::PROXY, $proxy)
            || throw new MastersIndiaError("$name is not a URL that can be used; percent-encode its user name and password");
    }

    /** The variable that names the proxy which curl takes, where no_proxy does not exclude the host, and its URL. Messages have the first. */
    private static function proxy(#[\SensitiveParameter] string $url): array
    {
        $names = str_starts_with($url, 'https:') ? ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'] : ['http_proxy', 'all_proxy', 'ALL_PROXY'];
        foreach (preg_match(self::LOCAL, $url) ? [] : $names as $name) {
            $proxy = trim((string) getenv($name, true));
            if ($proxy !== '') {
                return [$name, $proxy];
            }
        }
        return ['', ''];
    }

    /** A URL for messages: there may be a token in its query. */
    private static function shown(#[\SensitiveParameter] string $url): string
    {
        return preg_replace('/[?#].*/', '', $url);
    }

    /** The same, with the proxy that it is called through: a response may be that proxy's. */
    private static function where(#[\SensitiveParameter] string $url): string
    {
        [$name] = self::proxy($url);
        return self::shown($url) . ($name === '' ? '' : " through the proxy of $name, unless no_proxy has its host,");
    }

    private function callWith(#[\SensitiveParameter] MastersIndiaToken $token, #[\SensitiveParameter] string $url, string $method,
        #[\SensitiveParameter] ?string $body, #[\SensitiveParameter] array $headers, string $field): array
    {
        $sent = $body === null ? [] : ['Content-Type' => 'application/json'];
        foreach ($token['metadata'] ?? [] as $name => $value) { // the role's: headers that each call needs
            if (preg_match('/^(' . self::OWN_HEADERS . ')\z/i', $name) || !preg_match('/^[ -~]*\z/', $value)) {
                throw new MastersIndiaError("metadata: $name of the role cannot be sent as a header: an operator must change the role");
            }
            $sent[$name] = $value;
        }
        if ($field !== '') {
            $body = self::withField($body ?? '', $field, $token['access_token']);
        } else {
            $sent['Authorization'] = $token['authorization'];
            if (isset($token['client_id'])) { // the verification APIs want it
                $sent['client_id'] = $token['client_id'];
            }
        }
        foreach ($headers as $name => $value) { // a header of the caller replaces ours, however it is written
            $sent = array_filter($sent, fn ($ours) => strcasecmp((string) $ours, (string) $name) !== 0, ARRAY_FILTER_USE_KEY);
            $sent[$name] = $value;
        }
        return $this->send($url, $method, $body, $sent, self::API_TIMEOUT);
    }

    /** Puts a field in front of the others of a JSON object, and leaves these as they are. */
    private static function withField(#[\SensitiveParameter] string $body, string $field, #[\SensitiveParameter] string $value): string
    {
        $rest = ltrim($body);
        if (!str_starts_with($rest, '{')) {
            throw new MastersIndiaError("the token goes into the field $field of the body, which must be a JSON object");
        }
        if (preg_match('/' . preg_quote((string) json_encode($field), '/') . '\s*:/', $rest)) {
            throw new MastersIndiaError("the body has a field $field already: take it out");
        }
        $rest = ltrim(substr($rest, 1));
        return '{' . json_encode($field) . ': ' . json_encode($value) . (str_starts_with($rest, '}') ? '' : ', ') . $rest;
    }

    /** Reports whether a response means that the token is invalid. A wrong path returns 401 too, api-platform 403, and some APIs say it in words. */
    private static function refused(int $status, string $reply, string $method, #[\SensitiveParameter] string $url): bool
    {
        if ($status >= 400 && self::inDoubt($method, $status) !== '') {
            return false; // whatever it says: the call may have been executed
        }
        if ($status === 401) {
            return !str_contains($reply, 'Invalid Product');
        }
        if ($status === 403 && str_contains($url, '//api-platform.')) {
            return true;
        }
        return $status === 498
            || preg_match('/"(error|error_description|message)"\s*:\s*"[^"]*(access token|invalid[_ ]grant)/i', $reply)
            && !preg_match('/"error"\s*:\s*"?false/i', $reply);
    }

    private static function vault(): string
    {
        return self::env('VAULT_ADDR') . ' ' . self::env('VAULT_NAMESPACE');
    }

    private function read(string $rejected): array
    {
        $address = preg_replace('~([^:/])/+((v1|ui)(/.*)?)?$~', '$1', self::env('VAULT_ADDR'));
        $address !== '' || throw new MastersIndiaError('set VAULT_ADDR to the URL of Vault');
        self::checkURL('VAULT_ADDR', $address);
        self::env('VAULT_SKIP_VERIFY') && throw new MastersIndiaError(
            'VAULT_SKIP_VERIFY is not supported: unset it, and set VAULT_CACERT to the CA of your Vault');
        $ca = self::env('VAULT_CACERT') ?: null;
        !preg_match(self::NO_FILE, $ca ?? '') || throw new MastersIndiaError('VAULT_CACERT: must be the name of a file');
        $ca === null || str_contains(self::contents('VAULT_CACERT cannot be used', $ca), 'BEGIN CERTIFICATE')
            || throw new MastersIndiaError("VAULT_CACERT cannot be used: $ca: it has no certificate");
        [$vaultToken, $source] = self::vaultToken();
        $headers = ['X-Vault-Token' => $vaultToken, 'X-Vault-Request' => 'true'];
        if (self::env('VAULT_NAMESPACE')) {
            $headers['X-Vault-Namespace'] = self::env('VAULT_NAMESPACE');
        }
        $path = implode('/', array_map('rawurlencode', explode('/', $this->path)));
        $url = "$address/v1/$path" . ($rejected === '' ? '' : "?rejected_token_id=$rejected");
        [$status, $reply] = $this->send($url, 'GET', null, $headers, self::VAULT_TIMEOUT, $ca);
        $where = rtrim(self::where($url), ',');
        if ($status !== 200) {
            $reply = str_replace($vaultToken, '<token>', $reply); // a proxy may repeat it
        }
        $answer = json_decode($reply, true);
        if ($status !== 200) {
            $errors = $answer['errors'] ?? null;
            $reasons = is_array($errors) ? (trim(preg_replace('/\s+/', ' ', implode('; ', $errors))) ?: 'it gives no reason') : substr(trim($reply), 0, 200);
            $hint = match (true) {
                $errors === null => ': ' . self::NOT_VAULT,
                $status === 403 => ": is the Vault token in $source valid, and may it read {$this->path}?",
                preg_match('/no namespace|internal error/', $reply) === 1 => ": is what is in $source a Vault token (hvs.…)?",
                default => '',
            };
            throw new MastersIndiaError("Vault returned $status to a read of $where: $reasons$hint", $status);
        }
        self::isJSON($reply) || throw new MastersIndiaError(
            "Vault returned 200 to a read of $where, but with no JSON: " . self::NOT_VAULT);
        $token = $answer['data'] ?? [];
        if (!isset($token['authorization'], $token['ttl'], $token['expires_in'])) {
            throw new MastersIndiaError("what is read at {$this->path} is no token: is the path MOUNT/token/ROLE, and VAULT_ADDR Vault's?", 400);
        }
        // A newer token is there after ttl seconds. A role may be without leases: 0.
        $keep = min($token['ttl'], $answer['lease_duration'] ?: $token['ttl']);
        return ['token' => new MastersIndiaToken($token), 'keep_until' => time() + $keep, 'lives_until' => time() + $token['expires_in'] - 5];
    }

    /** A variable of the environment, or of a .env file, which frameworks put into $_ENV alone. Many end in a newline. */
    private static function env(string $name): string
    {
        return trim((string) (getenv($name) ?: $_ENV[$name] ?? ''));
    }

    /** Reads a file; its name and the system's reason are in the error. */
    public static function contents(string $what, #[\SensitiveParameter] string $file, string $hint = ''): string
    {
        $reason = $file === '' ? 'the name is empty' : null;
        set_error_handler(function (int $level, string $message) use (&$reason): bool { // that of a program may throw
            $reason ??= str_contains($message, 'open_basedir') ? 'open_basedir forbids it' : preg_replace('/.*: /', '', $message);
            return true;
        });
        $isDirectory = is_dir($file);
        $content = $file === '' || $isDirectory ? false : file_get_contents($file);
        restore_error_handler();
        $reason = $isDirectory ? 'it is a directory' : $reason ?? 'no reason given';
        return $content !== false ? $content : throw new MastersIndiaError("$what: $file: $reason$hint");
    }

    /** The Vault token, from VAULT_TOKEN or from the file that Vault Agent keeps, and which of them; it is in no message. */
    private static function vaultToken(): array
    {
        [$name, $token] = ['VAULT_TOKEN', self::env('VAULT_TOKEN')];
        if ($token === '' && self::env('VAULT_TOKEN_FILE')) {
            [$name, $file] = ['VAULT_TOKEN_FILE', self::env('VAULT_TOKEN_FILE')];
            !preg_match(self::NO_FILE, $file) || throw new MastersIndiaError('VAULT_TOKEN_FILE: must be the name of a file; a token goes into VAULT_TOKEN');
            $token = trim(self::contents("$name cannot be read", $file, ': is Vault Agent running?'));
            $token !== '' || throw new MastersIndiaError("$name is empty: $file: is Vault Agent running? A pipe can be read only once");
        }
        $token !== '' || throw new MastersIndiaError('set VAULT_TOKEN, or VAULT_TOKEN_FILE to the file that Vault Agent writes');
        preg_match('/^[\w.-]+\z/', $token)
            || throw new MastersIndiaError("$name has a blank, quote, slash, byte order mark or another character in it that no Vault token has");
        return [$token, $name];
    }

    /** Returns the HTTP status and the body. No redirect is followed: it would take the token along. */
    private function send(#[\SensitiveParameter] string $url, string $method, #[\SensitiveParameter] ?string $body,
        #[\SensitiveParameter] array $headers, int $timeout, ?string $caFile = null): array
    {
        $lines = [];
        foreach ($headers as $name => $value) {
            if (!preg_match('/^[\w-]+\z/', (string) $name) || preg_match('/[\r\n\0]/', (string) $value)) {
                throw new MastersIndiaError("header $name cannot be sent: give one line of text, as NAME: VALUE");
            }
            $lines[] = "$name: $value";
        }
        $proxy = self::proxy($url)[1];
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1, CURLOPT_CUSTOMREQUEST => $method, CURLOPT_HTTPHEADER => [...$lines, 'Expect:'], CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => $timeout, CURLOPT_CONNECTTIMEOUT => 10, CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_NOBODY => $method === 'HEAD', CURLOPT_NOPROGRESS => false, CURLOPT_PROGRESSFUNCTION => fn () => self::$interrupted,
            CURLOPT_PROXY => $proxy,
        ] + ($body === null ? [] : [CURLOPT_POSTFIELDS => $body]) + ($caFile === null ? [] : [CURLOPT_CAINFO => $caFile]));
        $reply = curl_exec($curl);
        if ($reply === false) {
            $host = preg_quote(preg_replace('~^(.*@|\w+://)|(:\d+)?/?$|[\[\]]~', '', $proxy), '~') ?: '(?!)';
            $reason = self::$interrupted ? 'interrupted' : preg_replace(["~('|//).*@~", "~(?<![\w.-])$host( port \d+)?(?![\w-])~i"], ['$1<hidden>@', '<proxy>'], curl_error($curl));
            // Of a request by https, nothing was sent without the handshake; before it there may be a CONNECT to the proxy.
            $unsent = curl_getinfo($curl, CURLINFO_REQUEST_SIZE) === 0 || str_starts_with($url, 'https:') && curl_getinfo($curl, CURLINFO_APPCONNECT_TIME) == 0;
            throw new MastersIndiaError('calling ' . self::where($url) . " failed: $reason", 0, $unsent ? '' : self::inDoubt($method));
        }
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $location = preg_replace('~[?#].*|(?<=//)[^/?#]*@~', '', (string) curl_getinfo($curl, CURLINFO_REDIRECT_URL)); // its query may have a token in it
        return [$status, ($status < 300 || $status > 399 || $location === '' ? '' : "it redirects to $location. ") . $reply];
    }

    /** Says that a call may have been executed. A gateway fails with 5xx or 408 where the server behind it may not have. */
    public static function inDoubt(string $method, int $status = 0): string
    {
        return in_array($method, ['GET', 'HEAD', 'OPTIONS'], true) || $status >= 400 && $status < 500 && $status !== 408 ? '' : MastersIndiaError::DOUBT;
    }

    private function recall(): array
    {
        $kept = self::$kept[$this] ?? ['token' => null, 'keep_until' => 0, 'lives_until' => 0];
        return self::shared() ? (apcu_fetch($this->cacheKey()) ?: $kept) : $kept;
    }

    private function remember(#[\SensitiveParameter] array $kept): void
    {
        self::$kept ??= new WeakMap();
        self::$kept[$this] = $kept;
        if (self::shared()) {
            apcu_store($this->cacheKey(), $kept, max(1, (int) ($kept['lives_until'] - time())));
        }
    }

    private static function shared(): bool
    {
        return function_exists('apcu_enabled') && apcu_enabled();
    }

    /** Who may not read the role in Vault does not find it here either: the Vault token is part of the key. */
    private function cacheKey(): string
    {
        $whose = [self::env('VAULT_ADDR'), self::env('VAULT_NAMESPACE'), self::vaultToken()[0], $this->path];
        return 'mastersindia-token:' . hash('sha256', implode("\n", $whose));
    }
}

// Required by no other file, and neither preloaded nor prepended; '' is standard input.
$started = $_SERVER['SCRIPT_FILENAME'] ?? null;
if (debug_backtrace() === [] && ($started === '' || $started !== null && realpath($started) === __FILE__)) {
    if (PHP_SAPI !== 'cli' || !is_file(__FILE__)) {
        file_put_contents('php://stderr', "mastersindia_client: run it with the php of the command line (php-cli), not as a page, and not from standard input\n");
        http_response_code(500);
        exit(1);
    }
    try {
        $own = array_slice(stat(__FILE__), 0, 2); // where standard output is closed, this file has been opened in its place
        array_slice(fstat(STDOUT) ?: $own, 0, 2) !== $own
            || throw new MastersIndiaError('standard output is closed: the response would be lost');
        $usage = "usage: mastersindia_client.php [-X METHOD] [-H 'NAME: VALUE']... [-d BODY|@FILE] [-f FIELD] ROLE URL...";
        [$options, $headers, $urls] = [[], [], []];
        for ($n = 1; $n < $argc; $n++) {
            $option = $argv[$n];
            if (preg_match('/^[\x{2010}-\x{2015}\x{2212}]/u', $option)) {
                throw new MastersIndiaError('an option begins with the hyphen of the keyboard (-), not with one of a document');
            } elseif (!str_starts_with($option, '-')) {
                $urls[] = $option;
            } elseif (!in_array($option, ['-X', '-H', '-d', '-f'], true) || ++$n === $argc) {
                throw new MastersIndiaError($usage);
            } elseif ($option === '-H') {
                [$name, $value] = explode(':', $argv[$n], 2) + [1 => ''];
                !isset(array_change_key_case($headers)[strtolower($name)]) || throw new MastersIndiaError('-H: a header is given twice');
                $headers[$name] = trim($value, ' ');
            } elseif (isset($options[$option[1]])) {
                throw new MastersIndiaError("$option: is given twice");
            } else {
                $options[$option[1]] = $argv[$n];
            }
        }
        count($urls) > 1 || throw new MastersIndiaError($usage);
        $client = new MastersIndiaClient(array_shift($urls));
        $body = $options['d'] ?? null;
        if ($body !== null && str_starts_with($body, '@')) {
            !preg_match(MastersIndiaClient::TOKEN, substr($body, 1)) || throw new MastersIndiaError('-d @: must be the name of a file, not a token');
            $body = MastersIndiaClient::contents('the file of -d cannot be read', preg_replace(['~^(-|/dev/stdin)$~D', '~^/dev/fd/(\d+)$~D'], ['php://stdin', 'php://fd/$1'], substr($body, 1)));
        }
        if (function_exists('pcntl_signal')) { // now: the read of a body would go on in spite of a signal that is handled
            pcntl_async_signals(true);
            foreach ([SIGINT, SIGTERM] as $signal) {
                pcntl_signal($signal, function (int $signal) { MastersIndiaClient::$interrupted = $signal; });
            }
            pcntl_signal(SIGHUP, SIG_IGN); // where the terminal is lost, the call goes on to its end
            pcntl_signal(SIGXFSZ, SIG_IGN); // a response beyond the limit of a file's size cannot be written, and that is said
        }
        $method = ($options['X'] ?? '') ?: ($body === null ? 'GET' : 'POST');
        foreach ($urls as $url) {
            MastersIndiaClient::check($url, $body, $headers);
        }
        MastersIndiaClient::inDoubt($method) === '' || array_unique($urls) === $urls || throw new MastersIndiaError('URL: is given twice');
        foreach ($urls as $url) {
            $reply = $client->call($url, $method, $body, $headers, $options['f'] ?? '') . "\n";
            @fwrite(STDOUT, $reply) === strlen($reply)
                || throw new MastersIndiaError('the response cannot be written', 0, MastersIndiaClient::inDoubt($method));
            !MastersIndiaClient::$interrupted || throw new MastersIndiaError('interrupted, after the response was written');
        }
    } catch (MastersIndiaError $error) {
        fwrite(STDERR, "mastersindia_client: {$error->getMessage()}\n");
        if (MastersIndiaClient::$interrupted && function_exists('posix_kill')) {
            pcntl_signal(MastersIndiaClient::$interrupted, SIG_DFL);
            posix_kill(getmypid(), MastersIndiaClient::$interrupted); // a shell ends a loop around this only so
        }
        exit($error->inDoubt ? 3 : 1);
    }
}
