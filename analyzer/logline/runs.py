"""Leaves out of paths, units and commands what differs from one run of a job to the next.

Tables, in order: whole paths of tools that keep a directory for each run, parts of a path, and
words within a part. ``*`` stands for what is left out. Where no rule knows, names stay.
"""

from __future__ import annotations

import functools
import re

_UUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_TEMPORARY = r"(?:/private)?(?:/var)?/tmp|/dev/shm|/run/user/[^/]+|/run|/var/run|/temp"

Rules = tuple[tuple[str, str], ...]


@functools.cache
def _compiled(rules: Rules) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compile a table when it is first needed: the start has no need of it."""
    return tuple((re.compile(pattern, re.DOTALL), stable) for pattern, stable in rules)


# How often one program's paths are met again; short-lived ones have a new one for each run.
_KEPT_MAX = 256
# Characters that are looked at; whoever calls chooses its arguments, and how long they are.
_TEXT_MAX = 512

# Directories with one entry for each run, which has its time or number.
_OF_RUNS = "releases|deploys|revisions|orchestration|local-commands"
# Those that may also have one for each job: `deployments/oauth2` and `sessions/s3-sync` stay.
_OF_RUNS_OR_JOBS = "deployments|sessions"
_RUN = r"(?:[^/]*[0-9]){3}|(?:[^/]*[^/0-9A-Za-z]|deploy(?:ment)?|session)?[0-9]+(?:/|\Z)"
# Of whole paths.
_PATHS: Rules = (
    (r" \(deleted\)\Z", ""),
    (r"^(?:/proc/(?:self|thread-self|[0-9]+)|/dev)/fd/[0-9]+\Z", "/dev/fd/*"),
    (r"^/proc/[0-9]+(?=/)", "/proc/*"),
    # CodeDeploy: the group stays the same, the deployment does not.
    (r"(/deployment-root)/([0-9a-fA-F-]{36})/d-[^/]+", r"\1/group-\2/d-*"),
    # Kept apart by what was unpacked when: Capistrano, Deployer, Elastic Beanstalk.
    (rf"/({_OF_RUNS})/(?=[^/]*[0-9])[^/]+", r"/\1/*"),
    (rf"/({_OF_RUNS_OR_JOBS})/(?={_RUN})[^/]+", r"/\1/*"),
    (r"/snap/([^/]+)/(?:x?[0-9]+|current)(?=/|\Z)", r"/snap/\1/*"),
    # CI: the agent's name and number, not the pipeline's.
    (r"(/buildkite[^/]*/builds|/builds(?=/[^/]*-[0-9]+/))/[^/]+(?=/)", r"\1/*"),
    (r"/builds/[0-9A-Za-z_-]{8,}/[0-9]+(?=/)", "/builds/*"),
    (r"/(workspace/(?:[^/]+/)*?[^/@]+)@[0-9]+(?=[@/]|\Z)", r"/\1"),
    (r"/_work/_temp/[^/]+?(\.[a-z0-9]+)?(?=/|\Z)", r"/_work/_temp/*\1"),
    (r"/(overlay2|overlay|snapshots|containers|pods|fs)/[0-9a-f]{12,}(?=/)", r"/\1/*"),
    (r"/nix/store/[0-9a-z]{32}-", "/nix/store/*-"),
    (r"/_npx/[0-9a-f]+", "/_npx/*"),
    (r"/_MEI[^/]+", "/_MEI*"),
    (r"/Cellar/([^/]+)/[^/]+", r"/Cellar/\1/*"),
)

# Of one part of a path, or of a unit's name, whole.
_PARTS: Rules = (
    (r"group-[0-9a-f-]{36}", r"\g<0>"),
    (r"durable-[0-9a-zA-Z]+", "durable-*"),
    (r"(jenkins|hudson)[0-9]+(\.[a-z0-9]+)", r"\1*\2"),
    (r"(terraform|packer-shell|script|chef-script|vagrant-shell)[-_]?[0-9][0-9a-zA-Z-]*", r"\1_*"),
    (r"(terraform|packer-shell|script)[-_]?[0-9][0-9a-zA-Z-]*(\.[a-z0-9]+)", r"\1_*\2"),
    (r"(chef-script|vagrant-shell|chef-client|puppet-file)[-_]?[0-9][^/]*", r"\1*"),
    (r"ansible-tmp-[0-9.-]+", "ansible-tmp-*"),
    (r"(ansible_.*_payload)_[0-9a-z_]+", r"\1_*"),
    (r"(application|container|attempt|job|appattempt)_(?:e[0-9]+_)?[0-9]+_[0-9_rm]+", r"\1_*"),
    (r"[0-9]+-[0-9]+(-.*dispatch-script\.tmp.*)", r"*\1"),  # Rundeck, by the execution
    (r"d-[0-9A-Z]{9}", "d-*"),
    (r"i-[0-9a-f]{8,17}", "i-*"),
    (r"tmp[.]?[0-9A-Za-z_]{6,10}", "tmp*"),
    (r"[0-9]+", "*"),
)

# Of words within a part, wherever they stand.
_VERSION = r"v?[0-9]+(?:\.[0-9]+)+(?:[-+.~_]?(?:rc|alpha|beta|pre|post|dev|final|GA|RELEASE"
_VERSION += r"|SNAPSHOT|build|b|a|p|u|amzn|el|fc|ubuntu|deb)[0-9]*(?:\.[0-9]+)*)*"
_VERSION += r"(?:\+[0-9A-Za-z]+(?:\.[0-9]+)*)?"  # a build of it
_DATE = r"(?<![0-9])[0-9]{4}[-_.]?[0-9]{2}[-_.]?[0-9]{2}(?:[-_.T]?[0-9]{2}[-_.:]?[0-9]{2}"
_DATE += r"(?:[-_.:]?[0-9]{2})?(?:[.,]?[0-9]+)?(?:Z|[-+][0-9]{2}:?[0-9]{2})?)?(?![0-9])"
_WORDS: Rules = (
    (_UUID, "*"),
    (_DATE, "*"),
    (rf"(?<![0-9a-zA-Z])(?:{_VERSION})(?![0-9])", "*"),
    (r"(?<=[a-zA-Z_-])[0-9]+(?:\.[0-9]+)+", "*"),
    # A hash has digits and letters; words of hexadecimal letters only are left.
    (r"(?<![0-9a-zA-Z])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,}(?![0-9a-zA-Z])", "*"),
    (r"(?<![0-9a-zA-Z])(?=[0-9A-F]*[0-9])(?=[0-9A-F]*[A-F])[0-9A-F]{7,}(?![0-9a-zA-Z])", "*"),
    (r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,}(?![0-9a-fA-F])", "*"),
    (r"(?<![a-zA-Z])pid[-_.=]?[0-9]+", "pid*"),
    (r"[0-9]{5,}", "*"),
)  # fmt: skip

_INSTANCE = r"[0-9]+|[0-9a-f]{8,}|[0-9]+-[0-9]+-[0-9]+|[0-9]+-[0-9.a-f:]+-[0-9.a-f:]+"
_UNITS: Rules = (
    # A container's own scope says no more than that it is one.
    (r"^(?:docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)-[0-9a-f]{12,}\.scope\Z", ""),
    (r"^session-c?[0-9]+\.scope\Z", "session-*.scope"),
    (r"^run-(?:[ru]?[0-9a-f]+|p[0-9]+-i[0-9]+)\.(service|scope)\Z", r"run-*.\1"),
    # An instance that is a number, a long hexadecimal one, or a connection that was accepted.
    (rf"@(?:{_INSTANCE})(?:_[0-9]+)?\.service\Z", "@*.service"),
    (r"-[0-9]+\.scope\Z", "-*.scope"),
)  # fmt: skip

_TEMPORARY_ROOT = re.compile(rf"(?:{_TEMPORARY})/")
_COUNTED = re.compile(
    r"((?:build|run|attempt|try|iteration|execution|release|rev)[-_.#=]|\A[rv](?=[0-9]+\Z))[0-9]+"
)
_MADE_UP = re.compile(
    r"(?:tmp|jenkins|hudson|terraform|script|custom_script|packer-shell|chef-script|vagrant-shell)?"
    r"[-_.]?\*(?:\.[0-9a-z]+)*"
)
# What Python's tempfile puts behind a prefix.
_TEMPFILE = re.compile(r"(.*?[-_.]|[a-z]*?)(?=[a-z_]*[0-9])[a-z0-9_]{8}", re.DOTALL)
_PIECES = re.compile(r"([^0-9A-Za-z*]+)")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}", re.IGNORECASE)
_LETTERS = re.compile(r"[A-Za-z]+[0-9]?")


@functools.lru_cache(maxsize=_KEPT_MAX)
def stable_path(path: str) -> str:
    """Return what stays of a path, or of a module's name, from run to run."""
    path = _within_bound(path)
    for pattern, stable in _compiled(_PATHS):
        path = pattern.sub(stable, path)
    root = _TEMPORARY_ROOT.match(path)
    start = "" if root is None else root[0]
    *directories, name = path[len(start) :].split("/")
    if root is not None:
        directories = [_temporary_part(_stable_directory(part)) for part in directories]
        name = _stable_part(name) if directories else _temporary_part(_stable_part(name))
    else:
        directories = [_stable_directory(part) for part in directories]
        name = _stable_part(name)
    return start + "/".join([*directories, name])


@functools.lru_cache(maxsize=_KEPT_MAX)
def stable_unit(unit: str) -> str:
    """Return what stays of a unit's name from run to run."""
    unit = _within_bound(unit)
    for pattern, stable in _compiled(_UNITS):
        unit = pattern.sub(stable, unit)
    return _stable_words(unit)


def _within_bound(text: str) -> str:
    """Return a text, or the beginning and end of a long one: where names of jobs stand."""
    half = _TEXT_MAX // 2
    return text if len(text) <= _TEXT_MAX else text[:half] + text[-half:]


def stable_code(code: str) -> str:
    """Return what stays of a command from run to run."""
    return _stable_words(" ".join(code[:_TEXT_MAX].split()))


def is_telling(subject: str) -> bool:
    """Tell whether anything but a temporary name is left of a subject."""
    return _MADE_UP.fullmatch(subject.rpartition("/")[2]) is None


def _stable_part(part: str) -> str:
    for pattern, stable in _compiled(_PARTS):
        match = pattern.fullmatch(part)
        if match is not None:
            return match.expand(stable)
    return _stable_words(part)


def _stable_directory(part: str) -> str:
    return _COUNTED.sub(r"\1*", _stable_part(part))


def _stable_words(text: str) -> str:
    for pattern, stable in _compiled(_WORDS):
        text = pattern.sub(stable, text)
    return _joined(text)


def _joined(text: str) -> str:
    """Put what is left out side by side into one ``*``."""
    return re.sub(r"\*(?:[-_.]?\*)+", "*", text)


def _temporary_part(part: str) -> str:
    """Leave out of a name in a directory for temporary files what looks made up."""
    stem, dot, ending = part.rpartition(".")
    if not stem or len(ending) > 4:  # noqa: PLR2004 (no ending is longer, but one of mktemp's)
        stem, dot, ending = part, "", ""
    made = _TEMPFILE.fullmatch(stem)
    if made is not None:
        return f"{made[1]}*{dot}{ending}"
    pieces = [
        "*" if index % 2 == 0 and piece and not _is_word(piece) else piece
        for index, piece in enumerate(_PIECES.split(stem))
    ]
    return _joined("".join(pieces)) + dot + ending


def _is_word(piece: str) -> bool:
    """Tell whether somebody may have thought of a piece of a name."""
    if "*" in piece and not re.search("[A-Z0-9]", piece):
        return True
    if not _LETTERS.fullmatch(piece) or _CONSONANTS.search(piece):
        return False
    if any(each.isupper() for each in piece[1:]) and not piece.isupper():
        return all(len(word) > 2 for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", piece))  # noqa: PLR2004
    return len(piece) < 4 or bool(re.search("[aeiouy]", piece.lower()))  # noqa: PLR2004
