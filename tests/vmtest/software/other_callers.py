"""Lists the callers in JavaScript, Ruby, PHP and Perl, with old and new libraries."""

from __future__ import annotations

import json

from tests.vmtest.clients.environments import NpmPackages
from tests.vmtest.software.callers import Caller
from tests.vmtest.software.installations import Project, npm

_HELD = "require('%s'); console.log('ready'); process.stdin.resume();\n"
_NODE = ("nodejs", "npm")
_QUIET = (("AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE", "1"),)
_APP = json.dumps({"name": "orders", "version": "1.4.0", "dependencies": {"aws-sdk": "2.573.0"}})
_BUNDLER = "esbuild@0.21.5"
_YARN = ("node", "yarn/node_modules/@yarnpkg/cli-dist/bin/yarn.js")
_BUNDLED = ("bundle", "install", "--local", "--quiet")
_SDK = "aws/aws-sdk-php"
# The SDK's own archive is on no registry that is used here: its name, version and one class.
_PHP_SDK = json.dumps({
    "name": _SDK,
    "version": "3.133.0",
    "autoload": {"psr-4": {"Aws\\": "src/"}},
})  # fmt: skip
_PHP_CLASS = "<?php\nnamespace Aws;\nclass Sdk\n{\n    const VERSION = '3.133.0';\n}\n"
_PHP_BACKUP = json.dumps({
    "name": "acme/backup",
    "version": "1.2.0",
    "require": {_SDK: "^3.100 <3.140"},
})  # fmt: skip
_PHP_APP = json.dumps({
    "name": "acme/shop",
    "require": {"acme/backup": "1.2.0"},
    "repositories": [
        {"type": "path", "url": "sdk", "options": {"symlink": False}},
        {"type": "path", "url": "backup", "options": {"symlink": False}},
        {"packagist.org": False},
    ],
})  # fmt: skip
_PHP = (
    ("sdk/composer.json", _PHP_SDK),
    ("sdk/src/Sdk.php", _PHP_CLASS),
    ("backup/composer.json", _PHP_BACKUP),
    ("composer.json", _PHP_APP),
)
_PHAR = """<?php
$phar = new Phar('app.phar');
$phar->buildFromDirectory('.', '/(vendor|main.php)/');
$phar->setStub($phar->createDefaultStub('main.php'));
"""
_PHP_MAIN = """<?php
require __DIR__ . '/vendor/autoload.php';
class_exists('Aws\\\\Sdk') || exit("no SDK\\n");
echo "ready\\n";
stream_get_contents(STDIN);
"""
_IMDS_PROVIDER = "@aws-sdk/credential-provider-imds 3.81.0"
_INI_PROVIDER = "@aws-sdk/credential-provider-ini 3.100.0"
_NODE_PROVIDER = "@aws-sdk/credential-provider-node 3.100.0"
_PERL = """use strict;
use %s;
$| = 1;
print "ready\n";
<STDIN>;
"""
_DEFAULTS = "@aws-sdk/util-defaults-mode-node 3.99.0"
_COMPOSER = ("composer", "install", "--quiet", "--no-interaction")
_HOLD_PHP = ("php", "{programs}/hold.php", "Aws\\Sdk")


def _perl(module: str, version: str, package: str) -> Caller:
    return Caller(
        f"Perl's {module}",
        ("perl", "{env}/main.pl"),
        (f"{module} {version}",),
        Project((("main.pl", _PERL % module),)),
        ("perl", package),
    )


JAVASCRIPT = (
    Caller(
        "JavaScript SDK 2 of 2019",
        ("node", "main.js"),
        ("aws-sdk 2.573.0 < orders 1.4.0",),
        Project((("main.js", _HELD % "aws-sdk"), ("package.json", _APP)), (npm(),)),
        _NODE,
        variables=_QUIET,
    ),
    Caller(
        "JavaScript SDK 2 of today, script by another directory",
        ("node", "{env}/main"),
        ("aws-sdk 2.1693.0",),
        Project(
            (("main.js", _HELD % "aws-sdk"), ("package.json", "{}")),
            (npm("aws-sdk@2.1693.0"),),
        ),
        _NODE,
        variables=_QUIET,
        cwd="node_modules",
    ),
    Caller(
        "an old copy below another module",
        ("node", "main.js"),
        ("aws-sdk 2.1693.0", "aws-sdk 2.0.31 < s3 4.4.0"),
        Project(
            (("main.js", _HELD % "aws-sdk"), ("package.json", "{}")),
            (npm("aws-sdk@2.1693.0", "s3@4.4.0"),),
        ),
        _NODE,
    ),
    Caller(
        "JavaScript SDK 3 of 2022",
        ("node", "main.js"),
        ("@aws-sdk/client-sts 3.100.0",
         f"{_IMDS_PROVIDER} < {_INI_PROVIDER}, {_NODE_PROVIDER}, {_DEFAULTS}",
         "@aws-sdk/client-sso 3.100.0 < @aws-sdk/credential-provider-sso 3.100.0",
         f"{_NODE_PROVIDER} < @aws-sdk/client-sts 3.100.0"),
        Project(
            (("main.js", _HELD % "@aws-sdk/client-sts"), ("package.json", "{}")),
            (npm("@aws-sdk/client-sts@3.100.0"),),
        ),
        _NODE,
    ),
    Caller(
        "JavaScript SDK 2 by pnpm",
        ("node", "main.js"),
        ("aws-sdk 2.573.0 < orders 1.4.0",),
        Project(
            (("main.js", _HELD % "aws-sdk"), ("package.json", _APP)),
            (("npm", "install", "--prefix", "pnpm", "pnpm@8.15.9"),
             ("pnpm/node_modules/.bin/pnpm", "install", "--ignore-scripts")),
        ),
        _NODE,
        variables=_QUIET,
    ),
    Caller(
        "JavaScript SDK 2 by yarn without node_modules (PnP)",
        ("node", "-r", "./.pnp.cjs", "main.js"),
        ("aws-sdk 2.573.0 < orders 1.4.0",),
        Project(
            (("main.js", _HELD % "aws-sdk"), ("package.json", _APP), ("yarn.lock", ""),
             (".yarnrc.yml", "enableTelemetry: false\nenableGlobalCache: false\n")),
            (("npm", "install", "--prefix", "yarn", "@yarnpkg/cli-dist@4.5.3"),
             (*_YARN, "install", "--mode=skip-build")),
        ),
        _NODE,
        variables=_QUIET,
    ),
    Caller(
        "JavaScript SDK 2 in a bundle",
        ("node", "{env}/dist/main.js"),
        ("aws-sdk 2.573.0",),
        Project(
            (("src/main.js", _HELD % "aws-sdk"), ("src/package.json", "{}")),
            (("npm", "install", "--prefix", "src", "aws-sdk@2.573.0", _BUNDLER),),
            (("src/node_modules/.bin/esbuild", "src/main.js", "--bundle", "--platform=node",
              "--minify", "--outfile=dist/main.js"),
             ("mv", "src", "built-from")),
        ),
        _NODE,
        variables=_QUIET,
    ),
    Caller(
        "JavaScript SDK 3 in a bundle",
        ("node", "{env}/dist/main.js"),
        ("@aws-sdk/client-sts 3.100.0", "@aws-sdk/client-sso 3.100.0"),
        Project(
            (("src/main.js", _HELD % "@aws-sdk/client-sts"), ("src/package.json", "{}")),
            (("npm", "install", "--prefix", "src", "@aws-sdk/client-sts@3.100.0", _BUNDLER),),
            (("src/node_modules/.bin/esbuild", "src/main.js", "--bundle", "--platform=node",
              "--outfile=dist/main.js"),
             ("mv", "src", "built-from")),
        ),
        _NODE,
    ),
    Caller(
        "a tool of npm's",
        ("{env}/node_modules/.bin/dynamodb-admin", "--port", "0"),
        ("aws-sdk 2.1300.0 < dynamodb-admin 4.6.1", "runs dynamodb-admin 4.6.1"),
        NpmPackages(("dynamodb-admin@4.6.1", "aws-sdk@2.1300.0")),
        _NODE,
        ready="listening on",
        variables=(*_QUIET, ("AWS_ACCESS_KEY_ID", "none"), ("AWS_SECRET_ACCESS_KEY", "none")),
    ),
    Caller("Node without an SDK", ("node", "{programs}/hold.js", "http"), (), packages=_NODE),
)  # fmt: skip

RUBY = (
    Caller(
        "Ruby SDK 3 of Debian",
        ("ruby", "{programs}/hold.rb", "aws-sdk-core"),
        ("aws-sdk-core 3.168.1", "aws-sdk-v1 1.67.0", "fog-aws 3.15.0"),
        packages=("ruby", "ruby-aws-sdk-core", "ruby-aws-sdk", "ruby-fog-aws"),
        is_shared=True,
    ),
    Caller(
        "Ruby SDK 1 by a Gemfile",
        ("ruby", "-rbundler/setup", "{env}/main.rb"),
        ("aws-sdk-v1 1.67.0",),
        Project(
            (("Gemfile", "gem 'aws-sdk-v1'\n"),
             ("main.rb", "require 'aws-sdk-v1'\nputs 'ready'\n$stdout.flush\n$stdin.read\n")),
            steps=(_BUNDLED,),
        ),
        ("ruby", "ruby-bundler", "ruby-aws-sdk"),
    ),
    Caller(
        "fog by a Gemfile",
        ("ruby", "-rbundler/setup", "{env}/main.rb"),
        ("fog-aws 3.15.0",),
        Project(
            (("Gemfile", "gem 'fog-aws'\n"),
             ("main.rb", "require 'fog/aws'\nputs 'ready'\n$stdout.flush\n$stdin.read\n")),
            steps=(_BUNDLED,),
        ),
        ("ruby", "ruby-bundler", "ruby-fog-aws"),
    ),
)  # fmt: skip

PHP = (
    Caller(
        "PHP SDK by Composer",
        _HOLD_PHP,
        ("aws/aws-sdk-php 3.133.0 < acme/backup 1.2.0",),
        Project(_PHP, steps=(_COMPOSER,)),
        ("php-cli", "composer"),
    ),
    Caller(
        "PHP SDK in a phar",
        ("php", "{env}/app.phar"),
        ("aws/aws-sdk-php 3.133.0",),
        Project(
            (*_PHP, ("main.php", _PHP_MAIN), ("pack.php", _PHAR)),
            steps=(
                _COMPOSER,
                ("php", "-d", "phar.readonly=0", "pack.php"),
                ("rm", "-r", "vendor", "composer.lock"),
            ),
        ),
        ("php-cli", "composer"),
    ),
)

PERL = (
    _perl("VM::EC2", "1.28", "libvm-ec2-perl"),
    _perl("Net::Amazon::EC2", "0.36", "libnet-amazon-ec2-perl"),
    _perl("Net::Amazon::S3", "0.991", "libnet-amazon-s3-perl"),
    _perl("Amazon::S3", "0.60", "libamazon-s3-perl"),
)

CALLERS = (*JAVASCRIPT, *RUBY, *PHP, *PERL)
