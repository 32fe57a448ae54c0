"""The libraries of a Node process are those that it finds upwards from its script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.software import node
from tests.unit.software.programs import ask, look, make_tree


def described(name: str, version: str, **dependencies: str) -> str:
    """Return a package.json; ``aws_sdk`` stands for ``aws-sdk``."""
    requires = {each.replace("aws_sdk", "aws-sdk"): told for each, told in dependencies.items()}
    return json.dumps({"name": name, "version": version, "dependencies": requires}, indent=2)


APP = described("orders", "1.4.0", aws_sdk="^2.500.0")
FOLDERS = {
    "srv/app/package.json": APP,
    "srv/app/lib/main.js": "",
    "srv/app/node_modules/aws-sdk/package.json": described("aws-sdk", "2.573.0"),
    "srv/app/node_modules/s3/package.json": described("s3", "4.4.0", aws_sdk="~2.0.31"),
    "srv/app/node_modules/s3/node_modules/aws-sdk/package.json": described("aws-sdk", "2.0.31"),
    "srv/app/node_modules/@smithy/credential-provider-imds/package.json": described(
        "@smithy/credential-provider-imds", "4.0.1"
    ),
    "srv/app/node_modules/@aws-sdk/credential-provider-node/package.json": json.dumps({
        "name": "@aws-sdk/credential-provider-node",
        "version": "3.800.0",
        "dependencies": {"@smithy/credential-provider-imds": "^4.0.1"},
    }),
    "srv/app/node_modules/express/package.json": described("express", "4.1.0"),
    "srv/app/node_modules/.bin/tool": "-> ../s3/bin/tool.js",
    "srv/app/node_modules/s3/bin/tool.js": "#!/usr/bin/env node\n",
}  # fmt: skip
MODULES = "/srv/app/node_modules"
TOP = f"aws-sdk 2.573.0 in {MODULES}/aws-sdk < orders 1.4.0"
NESTED = f"aws-sdk 2.0.31 in {MODULES}/s3/node_modules/aws-sdk < s3 4.4.0"
OWN = "@aws-sdk/credential-provider-node"
IMDS = "@smithy/credential-provider-imds 4.0.1"
PROVIDERS = [
    f"{OWN} 3.800.0 in {MODULES}/{OWN}",
    f"{IMDS} in {MODULES}/@smithy/credential-provider-imds < {OWN} 3.800.0",
]


@pytest.mark.parametrize(
    ("script", "cwd"),
    [
        ("/srv/app/lib/main.js", "/"),
        ("/srv/app/lib/main", "/"),
        ("/usr/bin/orders", "/"),
        ("/srv/app", "/"),
        ("", "/srv/app/lib"),
    ],
)
def test_modules_are_found_upwards_from_the_script(tmp_path: Path, script: str, cwd: str) -> None:
    """A name without its ending, a link, a folder with its main file, else where it runs."""
    main = json.loads(APP) | {"main": "lib/main"}
    make_tree(tmp_path, {**FOLDERS, "usr/bin/orders": "-> ../../srv/app/lib/main.js",
                         "srv/app/package.json": json.dumps(main)})  # fmt: skip
    found = ask(node, tmp_path, "/usr/bin/node", "node", script=script, cwd=cwd)
    assert found == [*PROVIDERS, TOP, NESTED]


def test_old_copies_of_a_scope_are_found(tmp_path: Path) -> None:
    """Below a module that brings its own; one without a description is named by its folder."""
    nested = "srv/node_modules/a/node_modules/@smithy/credential-provider-imds"
    text = described("@smithy/credential-provider-imds", "1.0.1")
    make_tree(tmp_path, {f"{nested}/package.json": text, "srv/main.js": ""})
    found = ask(node, tmp_path, "/usr/bin/node", "node", script="/srv/main.js")
    assert found == [f"@smithy/credential-provider-imds 1.0.1 in /{nested} < a"]


def test_a_nearer_module_hides_the_others(tmp_path: Path) -> None:
    """As Node looks for it."""
    make_tree(tmp_path, FOLDERS)
    nearer = "srv/app/lib/node_modules/aws-sdk"
    make_tree(tmp_path, {f"{nearer}/package.json": described("aws-sdk", "2.1.0")})
    found = ask(node, tmp_path, "/usr/bin/node", "node", script="/srv/app/lib/main.js")
    assert found == [f"aws-sdk 2.1.0 in /{nearer}", *PROVIDERS, NESTED]


def test_a_tool_is_named_by_its_package(tmp_path: Path) -> None:
    """The link in `.bin` leads to it, and its own copies are its."""
    make_tree(tmp_path, FOLDERS)
    script = f"{MODULES}/.bin/tool"
    found = ask(node, tmp_path, "/usr/bin/node", "node", script, script=script)
    assert found[0] == f"aws-sdk 2.0.31 in {MODULES}/s3/node_modules/aws-sdk < s3 4.4.0"
    assert found[-1] == f"runs s3 4.4.0 by {MODULES}/s3/bin/tool.js"


def test_npms_own_list_is_used(tmp_path: Path) -> None:
    """It names old copies however deep they are, and who requires which of them."""
    listed: dict[str, Any] = {
        "node_modules/aws-sdk": {"version": "2.573.0"},
        "node_modules/s3": {"version": "4.4.0", "dependencies": {"aws-sdk": "~2.0.31"}},
        "node_modules/s3/node_modules/aws-sdk": {"version": "2.0.31"},
        "node_modules/@x/y": {"version": "1.0.0", "dependencies": {"a": "1", "aws-sdk": "2"}},
        "node_modules/a/node_modules/b": {"version": "7.0.0", "peerDependencies": {"aws-sdk": "2"}},
        "node_modules/broken": {"dependencies": {"aws-sdk": "2"}},
    }
    text = json.dumps({"name": "orders", "lockfileVersion": 3, "packages": listed}, indent=2)
    make_tree(tmp_path, {
        "srv/app/package.json": APP, "srv/app/main.js": "",
        "srv/app/node_modules/.package-lock.json": text,
    })  # fmt: skip
    found = ask(node, tmp_path, "/usr/bin/node", "node", script="/srv/app/main.js")
    assert found == [f"{TOP}, @x/y 1.0.0, b 7.0.0", NESTED]


def test_pnpms_store_is_read(tmp_path: Path) -> None:
    """Each version has a folder, in which links lead to what it was resolved with."""
    store = "srv/app/node_modules/.pnpm"
    make_tree(tmp_path, {
        "srv/app/package.json": APP, "srv/app/main.js": "",
        f"{store}/aws-sdk@2.573.0/node_modules/aws-sdk/package.json": "{}",
        "srv/app/node_modules/aws-sdk": "-> .pnpm/aws-sdk@2.573.0/node_modules/aws-sdk",
        f"{store}/aws-sdk@2.0.31/node_modules/aws-sdk/package.json": "{}",
        f"{store}/s3@4.4.0/node_modules/aws-sdk": "-> ../../aws-sdk@2.0.31/node_modules/aws-sdk",
        f"{store}/@smithy+credential-provider-imds@4.0.1_x@1/node_modules/y/": "",
        f"{store}/lock.yaml": "",
    })  # fmt: skip
    found = ask(node, tmp_path, "/usr/bin/node", "node", script="/srv/app/main.js")
    inside = "node_modules/aws-sdk"
    imds = (
        "@smithy+credential-provider-imds@4.0.1_x@1/node_modules/@smithy/credential-provider-imds"
    )
    assert found == [
        f"@smithy/credential-provider-imds 4.0.1 in /{store}/{imds}",
        f"aws-sdk 2.0.31 in /{store}/aws-sdk@2.0.31/{inside} < s3 4.4.0",
        f"aws-sdk 2.573.0 in /{store}/aws-sdk@2.573.0/{inside} < orders 1.4.0",
    ]


YARN = """const RAW_RUNTIME_STATE = '{ "packageRegistryData": [
    ["aws-sdk", [\\
      ["npm:2.573.0", {
        "packageLocation": "./.yarn/cache/aws-sdk-npm-2.573.0-1a2b.zip/node_modules/aws-sdk/",
      }]
    ]],
    ["express", [\\
      ["npm:4.1.0", {}] ]],\\
    ["@smithy/credential-provider-imds", [
      ["virtual:0123abc#npm:4.0.1", {}]
    ]]
"""


def test_yarns_table_of_places_is_read(tmp_path: Path) -> None:
    """There is no folder of modules then."""
    make_tree(tmp_path, {"srv/package.json": APP, "srv/.pnp.cjs": YARN, "srv/a/main.js": ""})
    found = ask(node, tmp_path, "/usr/bin/node", "node", script="/srv/a/main.js")
    place = "/srv/.yarn/cache/aws-sdk-npm-2.573.0-1a2b.zip!/node_modules/aws-sdk"
    right = [
        f"aws-sdk 2.573.0 in {place} < orders 1.4.0",
        "@smithy/credential-provider-imds 4.0.1 in /srv/.pnp.cjs",
    ]
    assert found == right
    assert look(node, tmp_path, "/srv/.pnp.cjs") == right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AWS.util.update(AWS, {\n  VERSION: '2.573.0',\n}); 'aws-sdk-nodejs/'", "aws-sdk 2.573.0"),
        ('p="aws-sdk-nodejs/"+d.VERSION;f(d,{VERSION:"2.573.0",Signers:{}})', "aws-sdk 2.573.0"),
        ('VERSION:"2.573.0" of something else', ""),
        ('e.exports={name:"@aws-sdk/client-s3",description:"S3",version:"3.529.0",scripts:{}}',
         "@aws-sdk/client-s3 3.529.0"),
        ('JSON.parse(\'{"name":"@aws-sdk/client-s3","version":"3.1.0"}\')',
         "@aws-sdk/client-s3 3.1.0"),
        ('JSON.parse("{\\"name\\":\\"@aws-sdk/client-s3\\",\\"version\\":\\"3.1.0\\"}")',
         "@aws-sdk/client-s3 3.1.0"),
        ('a="aws-sdk-"+e+"/"+t.VERSION;VERSION:"2.1.0"', "aws-sdk 2.1.0"),
        ('require("@aws-sdk/client-s3")', ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [0, (1 << 20) - 20, 3 << 20])
def test_a_bundle_tells_its_sdk(tmp_path: Path, text: str, found: str, before: int) -> None:
    """By the version that it would tell AWS, wherever that is written."""
    bundle = "/srv/dist/main.js"
    make_tree(tmp_path, {bundle: "/" * before + text + "\n" * 3000})
    right = [f"{found} in {bundle}"] if found else []
    assert ask(node, tmp_path, "/usr/bin/node", "node", bundle, script=bundle) == right
    assert look(node, tmp_path, bundle) == right


def test_another_program_is_not_asked(tmp_path: Path) -> None:
    """A shell that runs in a project of Node's."""
    make_tree(tmp_path, FOLDERS)
    assert ask(node, tmp_path, "/usr/bin/bash", "bash", cwd="/srv/app") == []


def test_a_file_tells_its_library(tmp_path: Path) -> None:
    """For a scan; what holds it is what asks for it."""
    make_tree(tmp_path, FOLDERS)
    top = look(node, tmp_path, f"{MODULES}/aws-sdk/package.json")
    nested = look(node, tmp_path, f"{MODULES}/s3/node_modules/aws-sdk/package.json")
    assert (top, nested) == ([TOP], [NESTED])


@pytest.mark.parametrize(
    "path",
    [
        "/srv/app/package.json",
        f"{MODULES}/express/package.json",
        f"{MODULES}/aws-sdk/clients/package.json",
        f"{MODULES}/x/dist/index.js",
        "/srv/app/lib/main.js",
    ],
)
def test_other_files_are_not_wanted(path: str) -> None:
    """Of 40,000 files below node_modules, a handful."""
    assert not node.is_wanted(path)
