"""Made-up secrets of known kinds, and the ways they stand in arguments. None opens anything."""

from __future__ import annotations

import base64
import urllib.parse

from tests.sends import TOKEN

# Prefixes stand apart, so that nobody who searches for real ones takes these for such.
KEY_ID = "AKIA" + "3XQ7LPNZ5RTVW2DM"
ROLE_KEY_ID = "ASIA" + "3XQ7LPNZ5RTVW2DM"
KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example
STS = "IQoJb3JpZ2luX2Vj" + "EDkaCXVzLWVhc3QtMSJHMEUCIQDx7Qb2Zk9VnT4c"
PASSWORD = "Tr0ub4dor3"
STRANGE = "p@ss/w0rD9"
HEX32, HEX40 = "9f86d081884c7d659a2feaa0c55ad015", "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"
HEX64 = "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"
GITHUB = "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a"
GITHUB_FINE = "github" + "_pat_11ABCDEFG0Kx9vQ2mZ4LrT_8uYw3eXcVbN6aSdFgHjKlPoIuYtReWqZ"
GITLAB = "glpat" + "-Zx8Kq3Wm5Ty7Pn2Rb4Vc"
SLACK = "xoxb" + "-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"
STRIPE = "sk" + "_live_4eC39HqLyjWDarjtT1zdp7dc"
GOOGLE = "AIza" + "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"
GOOGLE_OAUTH = "ya29" + ".a0AfH6SMBx7Qb2Zk9VnT4cR1mPwK8sLdYe3uHjXo5iGvNqFzBt"
VAULT = "hvs" + ".CAESIJ8Kq3Wm5Ty7Pn2Rb4VcXz9LdQ6FgH1jSoUa0EwIvNt"
NPM = "npm" + "_Zx8Kq3Wm5Ty7Pn2Rb4VcXz9LdQ6FgH1jSoUa"
OPENAI = "sk" + "-proj-Zx8Kq3Wm5Ty7Pn2Rb4VcXz9LdQ6FgH1jSoUa0EwI"
SENDGRID = "SG" + ".Zx8Kq3Wm5Ty7Pn2Rb4VcXz.9LdQ6FgH1jSoUa0EwIvNt8Kq3Wm5Ty7Pn2Rb4Vc"
TELEGRAM = "110201543" + ":AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
SLACK_HOOK = "https://hooks.slack.com/services/" + "T00000000/B00000000/Xz9LdQ6FgH1jSoUa0EwIvNt8"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
BASIC = base64.b64encode(f"bob:{PASSWORD}".encode()).decode()
TOKEN_BASE64 = base64.b64encode(TOKEN.encode()).decode()
TOKEN_HEX = TOKEN.encode().hex()
TOKEN_PERCENT = "%41" + TOKEN[1:]
TOKEN_ALL_PERCENT = "".join(f"%{each:02X}" for each in TOKEN.encode())
TOKEN_TWICE = urllib.parse.quote(TOKEN_PERCENT)
TOKEN_BACKSLASH = "\\x41" + TOKEN[1:]
CRYPT = "$6$" + "rounds=5000$Xz9LdQ6FgH1jSoUa$0EwIvNt8Kq3Wm5Ty7Pn2Rb4VcXz9LdQ6FgH1jSoUa"
AGE = "AGE-SECRET-KEY-1" + "QL3Z7HJY54PW3HYWW5AYYFG7ZQGVC7W3J2ELW8ZMRJ2KG5SFN9AQMCAC8P"
KEY_LINES = ("MIIEpAIBAAKCAQEA7Qb2Zk9VnT4cR1mPwK8s", "LdYe3uHjXo5iGvNqFzBtx8Kq3Wm5Ty7Pn2Rb")
PRIVATE_KEY = "\n".join(
    ("-----BEGIN RSA PRIVATE KEY-----", *KEY_LINES, "-----END RSA PRIVATE KEY-----")
)
CREDENTIALS = (
    f'{{"Code":"Success","AccessKeyId":"{ROLE_KEY_ID}","SecretAccessKey":"{KEY}","Token":"{STS}"}}'
)

SECRETS = (
    TOKEN, KEY, STS, PASSWORD, STRANGE, HEX32, HEX40, HEX64, GITHUB, GITHUB_FINE, GITLAB, SLACK, STRIPE, GOOGLE,
    GOOGLE_OAUTH, VAULT, NPM, OPENAI, SENDGRID, TELEGRAM, SLACK_HOOK[33:], JWT, BASIC, TOKEN_BASE64, TOKEN_HEX,
    TOKEN_ALL_PERCENT, TOKEN_TWICE, CRYPT, AGE, *KEY_LINES,
)  # fmt: skip
# No longer piece of a secret may be shown. A name such as ghp_ is none.
PIECE = 6
_PIECES = frozenset(
    each[at : at + PIECE]
    for secret in SECRETS
    for each in (secret, secret.replace("_", " ").split()[-1])
    for at in range(len(each) - PIECE + 1)
) - {"services"[:PIECE], "AGE-SE", "GE-SEC", "E-SECR", "-SECRE", "SECRET", "ECRET-", "CRET-K", "RET-KE", "ET-KEY",
     "T-KEY-", "-KEY-1", "github", "ithub_", "thub_p", "hub_pa", "ub_pat", "b_pat_", "glpat-", "k_live",
     "sk_liv", "_live_", "sk-pro", "k-proj", "-proj-"}  # fmt: skip


def leaks(text: str) -> list[str]:
    """Return the pieces of a secret that a text shows."""
    return [
        text[at : at + PIECE]
        for at in range(len(text) - PIECE + 1)
        if text[at : at + PIECE] in _PIECES
    ]


URL = "http://169.254.169.254/latest/meta-data/"
S3 = "https://s3.amazonaws.com/bucket/key"

# A command line each; every secret in it must go, and the program's name must stay.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    # AWS: keys beside their ids, in either order, by any name or none
    "id and key": ("x", KEY_ID, KEY),
    "key and id": ("x", KEY, KEY_ID),
    "key and id in one": ("x", f"{KEY}:{KEY_ID}"),
    "key far before id": ("x", KEY, "-v", "--region", "eu-west-1", KEY_ID),
    "key alone": ("x", KEY),
    "key with an option's letter": ("x", "-s" + KEY),
    "--sk": ("tool", "--ak", KEY_ID, "--sk", KEY),
    "--sk of another kind": ("tool", "--ak", "LTAI5t", "--sk", PASSWORD),
    "--sk=": ("tool", f"--sk={PASSWORD}"),
    "--secretkey": ("minio", "--secretkey", PASSWORD),
    "--access-key-secret": ("ossutil", "--access-key-secret", PASSWORD),
    "environment": ("env", f"AWS_SECRET_ACCESS_KEY={KEY}", f"AWS_SESSION_TOKEN={STS}", "aws", "s3", "ls"),
    "export": ("sh", "-c", f"export AWS_SECRET_ACCESS_KEY='{KEY}' AWS_SESSION_TOKEN=\"{STS}\"; aws s3 ls"),
    "configure": ("aws", "configure", "set", "aws_secret_access_key", KEY),
    "role's credentials": ("echo", CREDENTIALS),
    "role's credentials in a script": ("sh", "-c", f"echo '{CREDENTIALS}' > /tmp/c"),
    "role's credentials in base64": ("x", base64.b64encode(CREDENTIALS.encode()).decode()),
    "credentials file": ("sh", "-c", f"printf '[default]\naws_secret_access_key = {KEY}\n' > ~/.aws/credentials"),
    "aws-sigv4": ("curl", "--aws-sigv4", "aws:amz:eu-west-1:s3", "--user", f"{KEY_ID}:{KEY}", S3),
    "presigned": ("curl", f"{S3}?X-Amz-Credential={KEY_ID}%2F2026&X-Amz-Signature={HEX64}"),
    "old signature": ("wget", f"{S3}?AWSAccessKeyId={KEY_ID}&Expires=1&Signature=Zx8Kq3Wm5Ty7Pn2Rb4VcXz9Ld%3D"),
    "s3 url": ("hadoop", "distcp", f"s3n://{KEY_ID}:{KEY}@bucket/x", "/y"),
    # IMDS's session token
    "token header": ("curl", "-H", f"X-aws-ec2-metadata-token: {TOKEN}", URL),
    "token bare": ("imds-get", TOKEN, URL),
    "token as a path": ("curl", f"{URL}{TOKEN}"),
    "token percent": ("curl", f"{URL}?t={TOKEN_PERCENT}"),
    "token all percent": ("curl", f"{URL}?t={TOKEN_ALL_PERCENT}"),
    "token percent twice": ("curl", f"{URL}?t={TOKEN_TWICE}"),
    "token backslash": ("bash", "-c", f"curl -H $'X-T: {TOKEN_BACKSLASH}' {URL}"),
    "token base64": ("sh", "-c", f"echo {TOKEN_BASE64} | base64 -d"),
    "token hex": ("sh", "-c", f"echo {TOKEN_HEX} | xxd -r -p"),
    "token hex bare": ("x", TOKEN_HEX),
    "token hex upper": ("x", TOKEN_HEX.upper()),
    "token in two arguments": ("x", TOKEN[:20], TOKEN[20:]),
    "token in three arguments": ("x", TOKEN[:15], TOKEN[15:30], TOKEN[30:]),
    "token in two strings": ("python3", "-c", f"t = '{TOKEN[:20]}' + '{TOKEN[20:]}'"),
    "token in adjacent strings": ("sh", "-c", f"t='{TOKEN[:20]}'\"{TOKEN[20:]}\""),
    "token quoted apart": ("sh", "-c", f"t=A\"Q\"AE'{TOKEN[4:20]}'{TOKEN[20:]}"),
    "token over two lines": ("sh", "-c", f"t={TOKEN[:20]}\\\n{TOKEN[20:]}"),
    "token short": ("x", TOKEN[:12]),
    "here-string": ("bash", "-c", f"read t <<< {TOKEN[:8]}; use"),
    "here-string with a password": ("bash", "-c", f"sudo -S true <<< '{PASSWORD}'"),
    "here-string of a user": ("bash", "-c", f'chpasswd <<<"bob:{PASSWORD}"'),
    "echo to sudo": ("sh", "-c", f"echo {PASSWORD} | sudo -S id"),
    "echo to chpasswd": ("sh", "-c", f"echo 'bob:{PASSWORD}' | chpasswd"),
    "printf to docker": ("sh", "-c", f"printf '%s' {PASSWORD} | docker login -u bob --password-stdin"),
    # headers and curl
    "cookie": ("curl", "-H", f"Cookie: a=b; sid={PASSWORD}", URL),
    "cookie option": ("curl", "-b", f"sid={PASSWORD}; x={HEX32}", URL),
    "--cookie": ("curl", f"--cookie=sid={PASSWORD}", URL),
    "--cookie, apart": ("curl", "--cookie", f"sid={PASSWORD}", URL),
    "cookie in a script": ("sh", "-c", f"curl -H 'Cookie: a=b; sid={PASSWORD}' {URL}"),
    "set-cookie": ("x", f"Set-Cookie: sid={PASSWORD}; Path=/"),
    "x-api-key": ("curl", "-H", f"X-Api-Key: {PASSWORD}", URL),
    "x-api-key glued": ("curl", f"-HX-API-Key:{PASSWORD}", URL),
    "x-auth-key": ("curl", "-H", f"X-Auth-Key: {PASSWORD}", URL),
    "api-key": ("curl", "-H", f"api-key: {PASSWORD}", URL),
    "subscription key": ("curl", "-H", f"Ocp-Apim-Subscription-Key: {HEX32}", URL),
    "basic": ("curl", "-H", f"Authorization: Basic {BASIC}", URL),
    "basic under another name": ("curl", "-H", f"X-Upstream: Basic {BASIC}", URL),
    "basic bare": ("x", BASIC),
    "user": ("curl", "-u", f"bob:{PASSWORD}", URL),
    "user glued": ("curl", f"-ubob:{PASSWORD}", URL),
    "user with another option": ("curl", "-sSu", f"bob:{PASSWORD}", URL),
    "proxy user": ("curl", "-U", f"bob:{PASSWORD}", "-x", "proxy:3128", URL),
    "certificate": ("curl", "--cert", f"/etc/x.pem:{PASSWORD}", URL),
    "form": ("curl", "-d", f"grant_type=password&username=bob&password={PASSWORD}", URL),
    "form with a key": ("curl", "--data-urlencode", f"apikey={PASSWORD}", URL),
    "json": ("curl", "--json", f'{{"user":"bob","password":"{PASSWORD}"}}', URL),
    "query": ("curl", f"https://api.example.com/v1?api_key={HEX32}&q=1"),
    "access_token": ("curl", f"https://api.example.com/v1?access_token={PASSWORD}"),
    "httpie": ("http", "-a", f"bob:{PASSWORD}", URL),
    "lftp": ("lftp", "-u", f"bob,{PASSWORD}", "host"),
    # URLs
    "git": ("git", "clone", f"https://bob:{PASSWORD}@github.com/a/b.git"),
    "git with a token": ("git", "clone", f"https://{GITHUB}@github.com/a/b.git"),
    "git with a hex token": ("git", "clone", f"https://{HEX40}@github.com/a/b.git"),
    "git with a user and a token": ("git", "remote", "add", "o", f"https://x-access-token:{GITHUB}@github.com/a/b"),
    "password with @ and /": ("x", f"postgres://bob:{STRANGE}@db/app"),
    "password with @": ("x", f"redis://:x@{PASSWORD}@db:6379/0"),
    "mongo": ("mongosh", f"mongodb+srv://bob:{PASSWORD}@c.example.net/db"),
    "connect": ("x", f"CONNECT bob:{PASSWORD}@169.254.169.254:80 HTTP/1.1"),
    "user without a scheme": ("curl", f"bob:{PASSWORD}@proxy.example.com:3128"),
    "slack hook": ("curl", "-d", "{}", SLACK_HOOK),
    # databases and the like, by their options
    "sshpass": ("sshpass", "-p", PASSWORD, "ssh", "host"),
    "sshpass glued": ("sshpass", f"-p{PASSWORD}", "ssh", "host"),
    "sshpass in a script": ("sh", "-c", f"sshpass -p {PASSWORD} ssh host; sshpass -p '{PASSWORD}' scp a b"),
    "mysql": ("mysql", "-uroot", f"-p{PASSWORD}", "db"),
    "mysql apart": ("/usr/bin/mysql", "-u", "root", "-p", PASSWORD),
    "mysql behind sudo": ("sudo", "mysql", "-uroot", f"-p{PASSWORD}"),
    "mysqldump in a script": ("bash", "-c", f"mysqldump -u root -p{PASSWORD} db | gzip > x.gz"),
    "mysql rewrote its title": (f"mysql -uroot -p{PASSWORD} db",),
    "psql": ("env", f"PGPASSWORD={PASSWORD}", "psql", "-h", "db"),
    "psql's string": ("psql", f"host=db user=bob password={PASSWORD} dbname=x"),
    "mysql's variable": ("env", f"MYSQL_PWD={PASSWORD}", "mysql"),
    "DB_PWD": ("sh", "-c", f"DB_PWD={PASSWORD} ./run"),
    "DB_PASS": ("sh", "-c", f"export DB_PASS={PASSWORD}"),
    "SSHPASS": ("env", f"SSHPASS={PASSWORD}", "sshpass", "-e", "ssh", "h"),
    "connection string": ("dotnet", "x.dll", f"Server=db;User Id=sa;Pwd={PASSWORD};Encrypt=true"),
    "redis": ("redis-cli", "-h", "db", "-a", PASSWORD, "ping"),
    "mongo's option": ("mongodump", "-u", "bob", "-p", PASSWORD),
    "sqlcmd": ("sqlcmd", "-S", "db", "-U", "sa", "-P", PASSWORD),
    "sqlplus": ("sqlplus", f"scott/{PASSWORD}@orcl"),
    "ldap": ("ldapsearch", "-x", "-D", "cn=admin", "-w", PASSWORD),
    "smb": ("smbclient", "-U", f"bob%{PASSWORD}", "//h/s"),
    "mount": ("mount", "-t", "cifs", "-o", f"username=bob,password={PASSWORD}", "//h/s", "/m"),
    "identified by": ("mysql", "-e", f"CREATE USER x IDENTIFIED BY '{PASSWORD}'"),
    "netrc": ("sh", "-c", f"echo machine h login bob password {PASSWORD} > ~/.netrc"),
    "docker login": ("docker", "login", "-u", "bob", "-p", PASSWORD, "registry.example.com"),
    "docker's environment": ("docker", "run", "-e", f"DB_PASSWORD={PASSWORD}", "app:1"),
    "kubectl": ("kubectl", "create", "secret", "generic", "x", f"--from-literal=anything={PASSWORD}"),
    "kubectl token": ("kubectl", "--token", JWT, "get", "pods"),
    "helm": ("helm", "install", "x", "y", "--set", f"auth.rootPassword={PASSWORD},b=c"),
    "openssl": ("openssl", "rsa", "-in", "k.pem", "-passin", f"pass:{PASSWORD}"),
    "openssl enc": ("openssl", "enc", "-aes-256-cbc", "-k", PASSWORD, "-in", "x"),
    "gpg": ("gpg", "--batch", "--passphrase", PASSWORD, "-d", "x.gpg"),
    "ssh-keygen": ("ssh-keygen", "-t", "rsa", "-N", PASSWORD, "-f", "id"),
    "zip": ("zip", "-P", PASSWORD, "a.zip", "b"),
    "7z": ("7z", "a", f"-p{PASSWORD}", "x.7z", "y"),
    "keytool": ("keytool", "-list", "-keystore", "k.jks", "-storepass", PASSWORD),
    "java": ("java", f"-Djavax.net.ssl.keyStorePassword={PASSWORD}", "-jar", "/srv/app.jar"),
    "htpasswd": ("htpasswd", "-nb", "bob", PASSWORD),
    "useradd": ("useradd", "-p", CRYPT, "bob"),
    "wifi": ("nmcli", "dev", "wifi", "connect", "x", "password", PASSWORD),
    "ansible": ("ansible-playbook", "-e", f"ansible_become_pass={PASSWORD}", "x.yml"),
    "yaml": ("sh", "-c", f"cat <<E\ndb:\n  user: bob\n  password: {PASSWORD}\nE"),
    "yaml argument": ("x", f"password: {PASSWORD}"),
    "ruby": ("ruby", "-e", f"c(password: {PASSWORD!r})"),
    "vault login": ("vault", "login", VAULT),
    "vault's variable": ("env", f"VAULT_TOKEN={VAULT}", "vault", "kv", "get", "x"),
    "vault approle": ("vault", "write", "auth/approle/login", "role_id=x", f"secret_id={PASSWORD}"),
    # kinds that are known by themselves, with a name that tells nothing
    "github": ("x", GITHUB), "github, fine": ("x", GITHUB_FINE), "gitlab": ("x", GITLAB), "slack": ("x", SLACK),
    "stripe": ("x", STRIPE), "google": ("x", f"key={GOOGLE}"), "google, oauth": ("x", GOOGLE_OAUTH),
    "npm": ("npm", "config", "set", f"//registry.npmjs.org/:_authToken={NPM}"), "openai": ("x", OPENAI),
    "sendgrid": ("x", SENDGRID), "telegram": ("curl", f"https://api.telegram.org/bot{TELEGRAM}/getMe"),
    "jwt": ("x", JWT), "crypt": ("x", CRYPT), "age": ("x", AGE), "sts": ("x", STS),
    "private key": ("sh", "-c", f"echo '{PRIVATE_KEY}' > k"),
    "private key, escaped": ("x", PRIVATE_KEY.replace("\n", "\\n")),
    "private key in words": ("x", *PRIVATE_KEY.split()),
    "hex of 32": ("x", "--api", HEX32), "hex of 64": ("x", HEX64), "hex of 40": ("notify", "--key", HEX40),
    "in a path": ("x", f"/srv/{GITHUB}/run"),
    "in the program's options": ("x", f"--upload-to={GITLAB}"),
}  # fmt: skip

CONTAINER = "3f1c9ab07d5e48f2a6b1c0d9e8f7061524334a5b6c7d8e9fa0b1c2d3e4f50617"
UUID = "123e4567-e89b-12d3-a456-426614174000"

# Command lines without a secret: all of it must stay.
INNOCENT: dict[str, tuple[str, ...]] = {
    "python": ("/usr/bin/python3", "-u", "/srv/app/worker.py", "--port", "8080"),
    "-p of a server": ("x", "-p", "8080"), "-p of mkdir": ("mkdir", "-p", "/srv/app"),
    "-p of ssh": ("ssh", "-p", "2222", "bob@host"), "-p of nc": ("nc", "-p", "12345", "host", "80"),
    "-p of docker": ("docker", "run", "-p", "8080:80", "--name", "web", "nginx:1.25"),
    "-p of cp": ("cp", "-pr", "a", "b"), "-p of ps": ("ps", "-p", "4242", "-o", "pid,comm"),
    "-P of mysql": ("mysql", "-P", "3306", "-h", "db", "-u", "root"),
    "-p of mysql, asked": ("mysql", "-u", "root", "-p"), "-a of redis-server": ("ls", "-a", "x"),
    "-k of curl": ("curl", "-k", URL), "-k of tar": ("tar", "-k", "-xf", "x.tar"),
    "-w of curl": ("curl", "-w", "%{http_code}", "-o", "/dev/null", URL),
    "-u of sudo": ("sudo", "-u", "app:app", "run"), "-u of docker": ("docker", "run", "-u", "1000:1000", "x"),
    "-b of curl with a file": ("curl", "-b", "cookies.txt", "-c", "/tmp/jar", URL),
    "-N of ssh": ("ssh", "-N", "-L", "8080:localhost:80", "host"),
    "-N of ssh-keygen, empty": ("ssh-keygen", "-N", "", "-f", "id"),
    "password file": ("x", "--password-file", "/run/secrets/db"), "password file=": ("x", "--password-file=/x"),
    "token file": ("x", "--token-file", "/var/run/secrets/token"), "stdin": ("docker", "login", "--password-stdin"),
    "path of a secret": ("cat", "/run/secrets/kubernetes.io/serviceaccount/token"),
    "name of a secret": ("aws", "secretsmanager", "get-secret-value", "--secret-id", "prod/db/password"),
    "arn of a secret": ("x", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"),
    "arn": ("aws", "sts", "assume-role", "--role-arn", "arn:aws:iam::123456789012:role/MyStack-Role-1A2B3C4D5E6F7"),
    "lambda's arn": ("x", "arn:aws:lambda:eu-west-1:123456789012:function:MyFunction-Xz9LdQ6FgH1j"),
    "instance": ("aws", "ec2", "describe-instances", "--instance-ids", "i-0123456789abcdef0"),
    "image": ("x", "ami-0abcdef1234567890", "subnet-0123456789abcdef0", "vol-049df61146c4d7901"),
    "uuid": ("x", "--id", UUID), "uuid bare": ("x", UUID), "uuid upper": ("x", UUID.upper()),
    "uuid in a path": ("x", f"/var/lib/kubelet/pods/{UUID}/volumes"),
    "digest": ("docker", "pull", f"registry.example.com/app@sha256:{HEX64}"),
    "tag and digest": ("docker", "pull", f"app:1.2@sha256:{HEX64}"),
    "digest as an option": ("x", f"--digest=sha256:{HEX64}"), "checksum": ("x", "--sha256", HEX64),
    "container": ("docker", "exec", "-it", CONTAINER, "sh"),
    "shim": ("/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", CONTAINER, "-address", "/run/c.sock"),
    "runc": ("runc", "--root", "/run/runc", "exec", "--process", "/tmp/runc-process12345", CONTAINER),
    "conmon": ("conmon", "-c", CONTAINER, "-u", CONTAINER, "-b", f"/run/{CONTAINER}/userdata"),
    "container's path": ("x", f"/var/lib/docker/containers/{CONTAINER}/hostconfig.json"),
    "overlay": ("x", f"lowerdir=/var/lib/docker/overlay2/{CONTAINER}/merged"),
    "cgroup": ("x", f"/sys/fs/cgroup/system.slice/docker-{CONTAINER}.scope"),
    "release": ("python3", f"/srv/app/releases/{HEX40}/bin/run.py"),
    "release, upper and lower": ("/srv/app/releases/aB3dE5fG7hJ9kL1mN3pQ5rS7/bin/run", "-v"),
    "release, relative": ("python3", f"releases/{HEX40}/run.py"),
    "nix": ("/nix/store/0c1b5pa2mzq3yrl0xnk4yd9lq1zv7h8i-python3-3.11.6/bin/python3", "x.py"),
    "jar": ("java", "-jar", f"/opt/app/app-1.2.3-{HEX40}.jar"),
    "jar with a random name": ("java", "-jar", "/opt/QmFzZTY0TG9va2luZ05hbWVzQXJlRnVu.jar"),
    "script with a random name": ("node", "build/QmFzZTY0TG9va2luZ05hbWVzQXJlRnVu.js"),
    "file like base64": ("cat", "dXNlcjpwYXNzLWxvb2tpbmc.txt"),
    "file like base64 in a path": ("x", "/data/dXNlcjpwYXNzd29yZC1sb29raW5n/x"),
    "git": ("git", "checkout", HEX40), "git show": ("git", "show", f"{HEX40}:README.md"),
    "revision": ("x", "--revision", HEX40), "commit": ("x", f"--commit={HEX40}"),
    "unit": ("systemctl", "start", "app@instance-1.service", "systemd-journald.service"),
    "class": ("java", "-cp", "/opt/a.jar:/opt/b.jar", "org.springframework.boot.loader.launch.PropertiesLauncherV2"),
    "long class": ("java", "com.example.AbstractSingletonProxyFactoryBeanConfigurationInitializer2Impl"),
    "short words in camel case": ("x", "RequireImdsV2AtLaunch", "RequireAllEc2RolesToUseV2"),
    "java's options": ("java", "-XX:+UseG1GC", "-Xmx2g", "--add-opens=java.base/java.util=ALL-UNNAMED", "-ea"),
    "java's properties": ("java", "-Dlog4j.configurationFile=classpath:log4j2-prod.xml", "-Dserver.port=8080"),
    "trust store": ("java", "-Djavax.net.ssl.trustStore=/etc/pki/java/cacerts"),
    "numbers": ("x", "1700000000", "12345678901234567890", "3.14159", "-1", "0x7fffffffffff"),
    "times": ("x", "2026-11-28T18:50:36.123456Z", "18:50:36", "20261128T185036Z"),
    "addresses": ("x", "10.0.3.7:8080", "[fd00:ec2::254]:80", "0e:49:61:0f:c3:11", "fe80::1%eth0"),
    "url": ("curl", "-s", URL), "url with a port": ("curl", "http://169.254.169.254:80/latest/user-data"),
    "url with a port and @": ("npm", "i", "https://registry.npmjs.org:443/@scope/package"),
    "url with a user": ("git", "clone", "ssh://git@github.com:22/a/b.git"),
    "url with a mail address": ("curl", "https://example.com/unsubscribe?mail=bob@example.com"),
    "scp": ("scp", "bob@host:/srv/x", "y"), "git over ssh": ("git", "fetch", "git@github.com:a/b.git"),
    "percent": ("curl", "https://example.com/a%20b?q=%C3%A4%2Fb"), "package": ("npm", "i", "@types/node@18.11.9"),
    "npm's alias": ("npm", "i", "left@npm:right@1.2.3"), "pip": ("pip", "install", "boto3==1.34.106"),
    "apt": ("apt-get", "install", "-y", "libssl3=3.0.11-1~deb12u2"),
    "ciphers": ("kubelet", "--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384"),
    "kubelet": ("kubelet", "--authentication-token-webhook=true", "--rotate-certificates", "--kubeconfig=/x"),
    "gates": ("kubelet", "--feature-gates=RotateKubeletServerCertificate=true,ServiceAccountTokenJTI=false"),
    "key file": ("x", "--tls-private-key-file=/etc/k8s/pki/server.key", "--private-key", "/etc/ssl/x.pem"),
    "ssh key": ("ssh", "-i", "/home/bob/.ssh/id_ed25519", "host"), "key name": ("x", "--key-name", "my-key-pair"),
    "key of a table": ("x", "--key", "user/42", "--sort-key=created_at"),
    "pod": ("kubectl", "logs", "app-7d4b9c6f5d-x2x7k", "-n", "prod"), "node": ("x", "ip-10-0-3-7.eu-west-1.compute.internal"),
    "working directory": ("env", "PWD=/srv/app", "OLDPWD=/root", "run"), "bypass": ("x", "--bypass=3", "BYPASS=1", "compass=n"),
    "switches": ("x", "--use-token=true", "--password=", "token=false", "--with-secret=none"),
    "references": ("sh", "-c", "mysql -p$DB_PASS -e 'select 1'; sshpass -p \"$P\" ssh h; curl -u $U:$P x"),
    "here-string of a variable": ("bash", "-c", 'grep x <<< "$line"; read a <<<$b'),
    "echo to a filter": ("sh", "-c", "echo hello world | grep -c hello"),
    "sudo": ("sudo", "-S", "id"), "prose": ("x", "no token, no secret; the password is asked for"),
    "python's name": ("python3", "-c", "import secrets, getpass; print(secrets.SystemRandom)"),
    "qemu": ("qemu-system-x86_64", "-uuid", UUID, "-device", "virtio-net-pci,mac=52:54:00:12:34:56"),
    "chrome": ("chrome", "--type=renderer", "--field-trial-handle=1718379636,i,1234567890123456789", "--lang=en-US"),
    "mktemp": ("x", "/tmp/tmp.aB3dE5fG7h", "/tmp/_MEIaB3dEf/base_library.zip"),
    "private tmp": ("x", f"/tmp/systemd-private-{HEX32}-nginx.service-aB3dEf/tmp"),
    "ecs task": ("x", f"--task=arn:aws:ecs:eu-west-1:123456789012:task/cluster/{HEX32}"),
    "ssm": ("/usr/bin/ssm-session-worker", "bob-0a1b2c3d4e5f67890", "i-0123456789abcdef0"),
    "boot id": ("x", f"--boot-id={UUID}", "--machine-id", HEX32), "trace": ("x", f"--trace-id={HEX32}"),
    "user agent": ("x", "-A", "aws-sdk-go/1.44.100 (go1.19; linux; amd64) S3Manager"),
    "role": ("x", "my-stack-InstanceRole-AbCdEf123xYz", "AWSReservedSSO_AdministratorAccess_0123456789abcdef"),
    "cookies.txt": ("wget", "--load-cookies", "cookies.txt", URL), "cookie prose": ("x", "cookie", "monster"),
    "key id": ("x", KEY_ID), "hash of a password": ("hashcat", "-m", "1800"), "pass as a word": ("x", "pass", "fail"),
    "certificate": ("curl", "--cert", "/etc/x.pem", "--key", "/etc/x.key", URL),
    "ldap": ("ldapsearch", "-x", "-b", "dc=example,dc=com", "-W"), "zip": ("unzip", "-o", "a.zip"),
    "openssl": ("openssl", "x509", "-in", "/etc/x.pem", "-passin", "file:/run/p"),
    "openssl from the environment": ("openssl", "rsa", "-passin", "env:P", "-passout", "stdin"),
    "sqlplus": ("sqlplus", "/", "as", "sysdba"), "redis": ("redis-cli", "-h", "db", "-p", "6379"),
    "psql": ("psql", "-h", "db", "-p", "5432", "-U", "bob", "-w"), "vault": ("vault", "kv", "get", "secret/app"),
    "docker secret": ("docker", "secret", "create", "db_password", "/run/x"),
    "ansible": ("ansible-playbook", "--ask-pass", "--vault-password-file=/x", "site.yml"),
}  # fmt: skip
