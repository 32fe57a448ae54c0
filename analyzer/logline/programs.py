r"""What names of programs tell: interpreters and their scripts, tools, shells, runs of units.

Tables of regular expressions, in the part of their language that all engines' libraries share:
no look-around, no back-references, ``\z`` for the end. A process is a text here: its name, its
executable and its arguments, each behind the next ``\x1f``.
"""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """One kind of interpreter.

    ``names`` is how its file is called; ``options`` are those that may stand before the script,
    each with its value where that is a word of its own, and the separator behind it.
    """

    name: str
    names: str
    options: str


def _options(with_value: str, others: str) -> str:
    return rf"^(?:(?:(?:{with_value})\x1f[^\x1f]*|{others})\x1f)*"


FAMILIES: tuple[Family, ...] = (
    Family(
        "python",
        r"(?:python|pypy)[0-9.]*(?:-real)?",
        _options(r"-[WX]", r"-[bBdEhiIOPqRsSuvVx]+|-[WX][^\x1f]+|--[^\x1f]*"),
    ),
    Family(
        "shell",
        r"(?:ba|da|a|z|k|mk|fi)?sh[0-9.]*|rbash",
        _options(
            r"[-+][abefhiklmnprtuvxBCEHPT]*[oO]|--rcfile|--init-file",
            r"[-+][abefhiklmnprtuvxBCEHPT]+|--[^\x1f]*",
        ),
    ),
    Family(
        "java",
        r"java",
        _options(
            r"-cp|-classpath|--class-path|-p|--module-path|--add-(?:modules|exports|opens|reads)"
            r"|--limit-modules|--upgrade-module-path",
            r"[-@][^\x1f]*",
        ),
    ),
    Family(
        "node",
        r"node(?:js)?[0-9.]*",
        _options(
            r"-r|--require|--import|--loader|--experimental-loader|-C|--conditions",
            r"-[^-ep\x1f][^\x1f]*"
            r"|--(?:[^ep\x1f][^\x1f]*|e[^v\x1f][^\x1f]*|p[^r\x1f][^\x1f]*)",
        ),
    ),
    Family(
        "perl",
        r"perl[0-9.]*",
        _options(r"-I", r"-[MmIdDCi0lF][^\x1f]*|-[acfnpsStTuUvVwWX]+|--"),
    ),
    Family(
        "ruby",
        r"j?ruby[0-9.]*",
        _options(r"-[IrCE]", r"-[IrCEWKTx0F][^\x1f]+|-[alnpsSvwWcdhi]+|--[^\x1f]*"),
    ),
    Family(
        "php",
        r"php(?:-cgi)?[0-9.]*",
        _options(r"-[cdz]", r"-[cdz][^\x1f]+|-[fnqeilmsvw]+|--[^\x1f]*"),
    ),
    Family(
        "other",
        r"lua(?:jit)?[0-9.]*|Rscript|tclsh[0-9.]*|expect|g?awk|pwsh",
        _options(r"-f", r"-[^ef\x1f][^\x1f]*"),
    ),
)

# Python's own way to name a module in place of a script, behind the options.
MODULE = r"^-[bBdEhiIOPqRsSuvVx]*m\x1f?([^\x1f]+)"

# What others make call; whoever did is the launcher.
TOOLS = (
    r"^(?:curl|wget2?|https?|httpie|xh|aria2c|axel|lynx|links2?|elinks|w3m|fetch|lwp-request|GET"
    r"|nc|ncat|netcat|socat|telnet|openssl|busybox|aws|ec2-?metadata|ec2-metadata)\z"
)
# What only passes on that it was started; never the launcher itself.
CARRIERS = (
    r"^(?:sudo|doas|su|runuser|setpriv|env|timeout|xargs|nohup|nice|ionice|chrt|setsid|flock"
    r"|script|stdbuf|unshare|nsenter|chroot|tini|dumb-init|catatonit|parallel|time|watch)\z"
)

# (pattern, what takes its place), one after the other: what differs from run to run in the path
# of a script or program.
RUNS_OF_PATHS: tuple[tuple[str, str], ...] = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*"),
    (r"/i-[0-9a-f]{8,17}/", "/i-*/"),  # the agent of Systems Manager keeps scripts there
    (r"/ansible-tmp-[0-9.-]+/", "/ansible-tmp-*/"),
    (r"^(?:/var)?/tmp/tmp[.]?[0-9A-Za-z_]{6,}", "/tmp/tmp*"),  # noqa: S108 (mktemp's, of others)
    (r"^(?:/dev|/proc/self)/fd/[0-9]+\z", "/dev/fd/*"),
)

# A scope that is a container's, which says no more than that it is one.
CONTAINER_UNIT = (
    r"^(?:docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)-[0-9a-f]{64}[.]scope\z"
)
# The same for units; the patterns are of whole names, or of what is left out wherever it stands.
RUNS_OF_UNITS: tuple[tuple[str, str], ...] = (
    (r"^session-c?[0-9]+[.]scope\z", "session-*.scope"),
    (r"^run-(?:[ru]?[0-9a-f]+|p[0-9]+-i[0-9]+)[.]service\z", "run-*.service"),
    (r"^run-(?:[ru]?[0-9a-f]+|p[0-9]+-i[0-9]+)[.]scope\z", "run-*.scope"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*"),
    (r"[0-9a-f]{32,}", "*"),
    # An instance that is a number, a long hexadecimal one, or a connection that was accepted.
    (r"@(?:[0-9]+|[0-9a-f]{8,}|[0-9]+-[0-9]+-[0-9]+|[0-9]+-[0-9.a-f:]+-[0-9.a-f:]+)[.]service\z",
     "@*.service"),
    (r"-[0-9]+[.]scope\z", "-*.scope"),
)  # fmt: skip
RUNS_OF_AGENTS: tuple[tuple[str, str], ...] = (RUNS_OF_PATHS[0],)
