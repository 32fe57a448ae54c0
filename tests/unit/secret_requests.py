"""Ways in which a secret stands in a request, and requests without one."""

from __future__ import annotations

import base64

from tests.sends import TOKEN
from tests.unit.secret_samples import (
    BASIC,
    CREDENTIALS,
    GITHUB,
    GITLAB,
    GOOGLE,
    HEX32,
    HEX64,
    JWT,
    KEY,
    KEY_ID,
    PASSWORD,
    SLACK,
    STRANGE,
    STRIPE,
    STS,
    TOKEN_ALL_PERCENT,
    TOKEN_BASE64,
    TOKEN_HEX,
    TOKEN_PERCENT,
    TOKEN_TWICE,
    VAULT,
)

META = "/latest/meta-data/"
NAMED_BASE64 = base64.b64encode(f"password={PASSWORD}".encode()).decode()


def get(target: str, agent: str = "curl/8") -> bytes:
    """Return a request's head."""
    return f"GET {target} HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: {agent}\r\n\r\n".encode()


# Where the log shows text of a request: path, query, method, user agent.
REQUESTS: dict[str, bytes] = {
    "token in the path": get(f"/latest/{TOKEN}/x"),
    "token percent": get(f"/latest/{TOKEN_PERCENT}"),
    "token all percent": get(f"/latest/{TOKEN_ALL_PERCENT}"),
    "token percent twice": get(f"/latest/?t={TOKEN_TWICE}"),
    "token base64": get(f"/latest/?t={TOKEN_BASE64}"),
    "token hex": get(f"/latest/?t={TOKEN_HEX}"),
    "token short": get(f"/latest/{TOKEN[:9]}"),
    "token as the method": f"{TOKEN.rstrip('=')} / HTTP/1.1\r\n\r\n".encode(),
    "token in the query": get(f"{META}?X-aws-ec2-metadata-token={PASSWORD}"),
    "header in the query": get(f"{META}?h=X-aws-ec2-metadata-token:%20{PASSWORD}"),
    "api key": get(f"{META}?x-api-key={PASSWORD}"),
    "apikey": get(f"{META}?apikey={HEX32}"),
    "access token": get(f"{META}?access_token={PASSWORD}&a=b"),
    "password": get(f"{META}?user=bob&password={PASSWORD}"),
    "pwd": get(f"{META}?pwd={PASSWORD}"),
    "pass": get(f"{META}?pass={PASSWORD}"),
    "sid": get(f"{META}?sid={HEX32}"),
    "key": get(f"{META}?key={GOOGLE}"),
    "signature": get(f"{META}?X-Amz-Signature={HEX64}&X-Amz-Credential={KEY_ID}"),
    "secret key": get(f"{META}?k={KEY}"),
    "secret key beside its id": get(f"{META}?{KEY_ID}:{KEY}"),
    "sts": get(f"{META}?{STS}"),
    "jwt": get(f"{META}{JWT}"),
    "basic": get(f"{META}?b={BASIC}"),
    "connect": f"CONNECT bob:{PASSWORD}@169.254.169.254:80 HTTP/1.1\r\n\r\n".encode(),
    "connect, strange": f"CONNECT bob:{STRANGE}@169.254.169.254:80 HTTP/1.1\r\n\r\n".encode(),
    "whole url": get(f"http://bob:{PASSWORD}@169.254.169.254/latest"),
    "whole url, strange": get(f"http://bob:{STRANGE}@169.254.169.254/latest"),
    "old": f"GET /latest/{GITHUB}\r\n".encode(),
    "agent": get(META, f"curl/8 {GITHUB}"),
    "agent with a header": get(META, f"x Authorization: Basic {BASIC}"),
    "agent with a cookie": get(META, f"x Cookie: a=b; sid={PASSWORD}"),
    "agent with an api key": get(META, f"x X-Api-Key: {PASSWORD}"),
    "agent with a password": get(META, f"x password: {PASSWORD}"),
    "agent with credentials": get(META, CREDENTIALS),
    "agent folded": get(META, f"{TOKEN[:20]}\r\n\t{TOKEN[20:]}"),
    "agent with a tab": get(META, f"{TOKEN[:20]}\t{TOKEN[20:]}"),
    "agent cut": get(META, "x" * 500 + " " + TOKEN * 20),
    "in brackets": get(f"{META}?user[password]={PASSWORD}"),
    "in brackets, percent": get(f"{META}?password%5B%5D={PASSWORD}"),
    "session": get(f"{META};jsessionid={PASSWORD}"),
    "user and password": get(f"{META}?auth=bob:{PASSWORD}"),
    "name and value": get(f'{META}?x={{"name":"DB_PASSWORD","value":"{PASSWORD}"}}'),
    "name and value, percent": get(f"{META}?x=%7B%22name%22%3A%22A_TOKEN%22%2C%22value%22%3A%22{PASSWORD}%22%7D"),
    "xml, percent": get(f"{META}?x=%3Cpassword%3E{PASSWORD}%3C%2Fpassword%3E"),
    "second of a list": get(f'{META}?x={{"password":["a","{PASSWORD}"]}}'),
    "named, in base64, in the path": get(f"/latest/{NAMED_BASE64}/x"),
    "without a scheme": get(f"//bob:{PASSWORD}@169.254.169.254/latest"),
    "password as the method": f"{PASSWORD} / HTTP/1.1\r\n\r\n".encode(),
    "agent with an option": get(META, f"app --creds bob:{PASSWORD}"),
    "agent with a pair": get(META, f"app name=token,value={PASSWORD}"),
    "agent with a kind": get(META, f"x {SLACK} {VAULT} {STRIPE} {GITLAB}"),
}  # fmt: skip


def head(*fields: str, line: str = "GET /latest/ HTTP/1.1") -> bytes:
    """Return a head of these fields."""
    return "\r\n".join((line, *fields, "", "")).encode()


# In addition to those above: what only a packet would show.
PACKETS: dict[str, bytes] = {
    **REQUESTS,
    "cookie": head(f"Cookie: sid={PASSWORD}"),
    "unknown field": head(f"X-Custom: {PASSWORD}"),
    "folded": head("Host: x", f" {TOKEN}"),
    "folded by a tab": head("User-Agent: curl", f"\t{PASSWORD}"),
    "folded token": head("X-aws-ec2-metadata-token:", f"\t{TOKEN}"),
    "tab before": head(f"X-aws-ec2-metadata-token\t:\t{TOKEN}"),
    "tab within": head(f"User-Agent: x\t{PASSWORD}"),
    "tab within a token": head(f"Accept: {TOKEN[:20]}\t{TOKEN[20:]}"),
    "host with a password": head(f"Host: bob:{PASSWORD}@169.254.169.254"),
    "host with a strange password": head(f"Host: bob:{STRANGE}@169.254.169.254"),
    "date": head(f"Date: {HEX32}"),
    "content type": head(f"Content-Type: text/plain; boundary={HEX32}"),
    "accept": head(f"Accept: {GITHUB}"),
    "forwarded": head(f"X-Forwarded-For: {PASSWORD}"),
    "via": head(f"Via: 1.1 {BASIC}"),
    "agent with a short key": head("User-Agent: Xz9LdQ6FgH1jSoUa0EwI"),
    "metadata": head(f"Metadata: {PASSWORD}"),
    "lifetime": head(f"X-aws-ec2-metadata-token-ttl-seconds: {PASSWORD}"),
    "secret for a name": head(f"{GITHUB}: x"),
    "key for a name": head(f"{KEY.replace('/', '')}: x"),
    "no field": head(TOKEN),
    "body": head("Content-Length: 64", line="POST /x HTTP/1.1") + TOKEN[:56].encode() + b"12345678",
    "range": head(f"Range: bytes={PASSWORD}"),
    "length": head(f"Content-Length: {PASSWORD}"),
    "accept, one word": head(f"Accept: {PASSWORD}"),
    "accept-language, one word": head(f"Accept-Language: {PASSWORD}"),
    "connection": head(f"Connection: close, {PASSWORD}"),
    "expect": head(f"Expect: 100-continue, {PASSWORD}"),
    "te": head(f"TE: trailers, {PASSWORD};q=1"),
    "date, one word": head(f"Date: Sun, {PASSWORD}"),
    "pragma": head(f"Pragma: {PASSWORD}"),
    "cache": head(f"Cache-Control: {STRIPE}"),
    "language": head(f"Accept-Language: {TOKEN_BASE64}"),
}

INNOCENT_TARGETS = (
    META, "/latest/api/token", "/latest/user-data", "/latest/dynamic/instance-identity/document",
    f"{META}iam/security-credentials/", f"{META}iam/security-credentials/MyStack-InstanceRole-1A2B3C4D5E6F7",
    f"{META}iam/security-credentials/my-stack-InstanceRole-AbCdEf123xYz", f"{META}iam/info",
    f"{META}iam/security-credentials/AWSReservedSSO_AdministratorAccess_0123456789abcdef",
    f"{META}iam/security-credentials/AmazonSSMRoleForInstancesQuickSetup",
    f"{META}network/interfaces/macs/0e:49:61:0f:c3:11/vpc-ipv4-cidr-block",
    f"{META}identity-credentials/ec2/security-credentials/ec2-instance", f"{META}public-keys/0/openssh-key",
    f"{META}managed-ssh-keys/active-keys/ec2-user/", "/2021-07-15/meta-data/tags/instance/Name",
    "http://169.254.169.254/latest/meta-data/", "169.254.169.254:80", "*", "/openstack/2018-08-27/meta_data.json",
    "/metadata/instance?api-version=2021-02-01&format=json", "/metadata/identity/oauth2/token?resource=https://vault.azure.net",
    "/computeMetadata/v1/instance/service-accounts/default/token", "/computeMetadata/v1/?recursive=true&alt=json",
    "/opc/v2/instance/", "/latest/meta-data/%69nstance-id", "/v1/token?version=2022-03-01",
)  # fmt: skip
INNOCENT_AGENTS = (
    "curl/7.88.1", "Wget/1.21.3", "python-requests/2.31.0", "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253",
    "Boto3/1.34.106 md/Botocore#1.34.106 ua/2.0 os/linux#6.1.0-18-amd64 md/arch#x86_64 lang/python#3.11.2",
    "aws-sdk-go/1.44.100 (go1.19; linux; amd64) S3Manager", "Go-http-client/1.1", "Cloud-Init/23.4.1", "Java/17.0.9",
    "aws-sdk-java/2.20.56 Linux/5.10 OpenJDK_64-Bit_Server_VM/17.0.9+9 Java/17.0.9 vendor/Amazon.com_Inc. io/sync",
    "aws-cli/2.15.0 Python/3.11.6 Linux/6.1.61-85.141.amzn2023.x86_64 exe/x86_64.amzn.2023 prompt/off",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "amazon-ssm-agent/3.2.2016.0", "aws-sdk-nodejs/2.1500.0 linux/v18.19.0 promise", "Datadog Agent/7.50.3",
    "APN/1.0 HashiCorp/1.0 Terraform/1.6.6 (+https://www.terraform.io) terraform-provider-aws/5.31.0",
)  # fmt: skip
