<?php
// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0
//
// Calls each URL with the token that a role of the mastersindia engine gives, and prints the answers. PHP 8.1, no extension but
// openssl:
//
//   VAULT_ADDR=... VAULT_TOKEN=... php mastersindia_client.php ROLE URL...
//
// Under PHP-FPM each request starts with an empty cache: keep $token in APCu there, for $token['keep_for'] seconds.

declare(strict_types=1);

final class MastersIndiaError extends RuntimeException {}

final class MastersIndiaClient
{
    private const MOUNT = 'mastersindia';

    private array $token = [];
    private float $keepUntil = 0;

    public function __construct(private readonly string $role) {}

    /** Returns what the API answers. A token that it refuses is replaced, and the call tried once more, never in a loop. */
    public function call(string $url): string
    {
        if (microtime(true) >= $this->keepUntil) {
            $this->readToken();
        }
        [$status, $body] = $this->get($url, ['Authorization: ' . $this->token['authorization']]);
        if ($status === 401) { // Upstream may have killed the token.
            $this->readToken($this->token['token_id']);
            [$status, $body] = $this->get($url, ['Authorization: ' . $this->token['authorization']]);
        }
        ['token_id' => $id, 'config' => $config] = $this->token;
        if ($status === 401) {
            throw new MastersIndiaError("$url refuses the token twice, the last time token_id $id. Is it the API of this "
                . 'account? Else ask an operator for: vault read ' . self::MOUNT . "/status/$config");
        }
        if ($status < 200 || $status > 299) {
            throw new MastersIndiaError("$url answers $status, which is not about the token (token_id $id): $body");
        }
        return $body;
    }

    /** Reads the token. $rejected is the token_id of a token that the API has refused. */
    private function readToken(string $rejected = ''): void
    {
        $path = self::MOUNT . '/token/' . rawurlencode($this->role);
        $url = rtrim($this->env('VAULT_ADDR'), '/') . "/v1/$path" . ($rejected === '' ? '' : "?rejected_token_id=$rejected");
        $headers = ['X-Vault-Token: ' . $this->env('VAULT_TOKEN'), 'X-Vault-Request: true'];
        if (getenv('VAULT_NAMESPACE')) {
            $headers[] = 'X-Vault-Namespace: ' . getenv('VAULT_NAMESPACE');
        }
        [$status, $body] = $this->get($url, $headers, getenv('VAULT_CACERT') ?: null);
        if ($status === 403) {
            throw new MastersIndiaError("Vault answers 403: does VAULT_TOKEN live (vault token lookup), and may it read $path?");
        }
        if ($status !== 200) {
            throw new MastersIndiaError("Vault answers $status to a read of $path: " . self::reasons($body));
        }
        ['data' => $this->token, 'lease_duration' => $lease] = json_decode($body, true, 512, JSON_THROW_ON_ERROR);
        // Until there may be a newer one, or until the lease ends. A role may be without leases: 0.
        $this->token['keep_for'] = $lease > 0 ? min($lease, $this->token['ttl']) : $this->token['ttl'];
        $this->keepUntil = microtime(true) + $this->token['keep_for'];
    }

    /** Returns the HTTP status and the body. No redirect is followed: it would take the token along. */
    private function get(string $url, array $headers, ?string $caFile = null): array
    {
        $context = stream_context_create([
            'http' => ['header' => $headers, 'timeout' => 60, 'ignore_errors' => true, 'follow_location' => 0],
            'ssl' => $caFile === null ? [] : ['cafile' => $caFile],
        ]);
        $body = @file_get_contents($url, false, $context);
        if ($body === false || !preg_match('~^HTTP/\S+ (\d{3})~', $http_response_header[0] ?? '', $found)) {
            throw new MastersIndiaError("calling $url failed: " . (error_get_last()['message'] ?? 'no answer'));
        }
        return [(int) $found[1], $body];
    }

    /** Returns what Vault says in words, or the body where something else has answered. */
    private static function reasons(string $body): string
    {
        $errors = json_decode($body, true)['errors'] ?? null;
        return is_array($errors) ? (implode('; ', $errors) ?: 'it gives no reason') : trim($body);
    }

    private function env(string $name): string
    {
        return getenv($name) ?: throw new MastersIndiaError("set $name in the environment");
    }
}

if (realpath($_SERVER['SCRIPT_FILENAME']) === __FILE__) {
    try {
        $argc > 2 || throw new MastersIndiaError('usage: mastersindia_client.php ROLE URL...');
        $client = new MastersIndiaClient($argv[1]);
        foreach (array_slice($argv, 2) as $url) {
            echo $client->call($url), "\n";
        }
    } catch (MastersIndiaError $error) {
        fwrite(STDERR, "mastersindia_client: {$error->getMessage()}\n");
        exit(1);
    }
}
