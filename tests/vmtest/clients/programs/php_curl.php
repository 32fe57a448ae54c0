<?php
// PHP's curl extension on one handle: without a token, for one, and with it or again without.
$curl = curl_init();

function ask(string $method, string $path, string ...$headers): string|false
{
    global $curl;
    curl_setopt_array($curl, [
        CURLOPT_URL => getenv('IMDS_URL') . $path,
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FAILONERROR => true,
        CURLOPT_TIMEOUT => (int) getenv('IMDS_TIMEOUT_S'),
    ]);
    return curl_exec($curl);
}

ask('GET', '/latest/meta-data/instance-id');
$token = ask('PUT', '/latest/api/token', 'X-aws-ec2-metadata-token-ttl-seconds: 60');
$token ? ask('GET', '/latest/meta-data/instance-id', "X-aws-ec2-metadata-token: $token")
       : ask('GET', '/latest/meta-data/instance-id');
