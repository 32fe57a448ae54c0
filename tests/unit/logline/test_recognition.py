"""What one process runs."""

from __future__ import annotations

import time

import pytest

from analyzer.logline.recognition import UNNAMED, Image, Role, recognise


def process(name: str, executable: str, *args: str, pid: int = 7) -> Image:
    return Image(pid, 0, name, executable, args)


PYTHON, NODE, DASH = "/usr/bin/python3.11", "/usr/bin/node", "/usr/bin/dash"


@pytest.mark.parametrize(
    ("image", "name", "kind", "subject"),
    [
        (process("curl", "/usr/local/bin/curl", "curl", "x"), "curl", "program", "curl"),
        (process("agent", "/opt/a/agent", "agent"), "agent", "program", "/opt/a/agent"),
        # The kernel tells of a script, whatever its interpreter is.
        (process("job.x", "/opt/odd", "/opt/odd", "/srv/job.x"), "job.x", "script", "/srv/job.x"),
        (process("job.x", "/opt/odd", "/opt/odd", "-q", "/srv/job.x"),
         "job.x", "script", "/srv/job.x"),
        (process("a-script-with-a", "/opt/odd", "/opt/odd", "/srv/a-script-with-a-name"),
         "a-script-with-a-name", "script", "/srv/a-script-with-a-name"),
        (process("deploy.sh", "/usr/bin/bash", "/bin/bash", "/opt/deploy.sh", "-c", "x"),
         "deploy.sh", "script", "/opt/deploy.sh"),
        (process("bash", "/usr/bin/bash", "bash", "-e", "--", "/opt/-job.sh"),
         "-job.sh", "script", "/opt/-job.sh"),
        (process("java", "/opt/jdk/bin/java", "java", "-Xmx1g", "/srv/Main.java"),
         "Main.java", "script", "/srv/Main.java"),
        # An argument that is called like the program makes no script of it.
        (process("odd", "/opt/odd", "/opt/odd", "/srv/odd"), "odd", "program", "/opt/odd"),
        (process("python3", PYTHON, "python3", "-Xutf8", "/a/f.py"), "f.py", "script", "/a/f.py"),
        (process("python3", PYTHON, "python3", "-X", "utf8", "f.py"), "f.py", "script", "f.py"),
        (process("python3", PYTHON, "python3", "-Wignore", "-um", "http.server", "80"),
         "http.server", "package", "python http.server"),
        (process("python3", PYTHON, "python3", "-mhttp.server"),
         "http.server", "package", "python http.server"),
        (process("python3", PYTHON, "python3", "/opt/app.pyz"),
         "app.pyz", "package", "/opt/app.pyz"),
        (process("java", "/opt/jdk/bin/java", "java", "-Xmx1g", "-cp", "a:b", "com.x.Main"),
         "com.x.Main", "package", "java com.x.Main"),
        (process("java", "/opt/jdk/bin/java", "java", "-jar", "/srv/app.jar"),
         "app.jar", "package", "/srv/app.jar"),
        (process("node", NODE, "node", "--import", "x", "/srv/a.js"),
         "a.js", "script", "/srv/a.js"),
        (process("node", NODE, "node", "/usr/bin/npx", "-y", "some-tool@1.2.3", "go"),
         "some-tool", "package", "npx some-tool"),
        # One that was told no package is only itself.
        (process("node", NODE, "node", "/usr/bin/npx", "--help"), "npx", "script", "/usr/bin/npx"),
        (process("uvx", "/usr/bin/uvx", "uvx", "--from", "a==1", "some-tool@1.2"),
         "some-tool", "package", "uvx some-tool"),
        (process("uv", "/usr/bin/uv", "uv", "--version"), "uv", "program", "uv"),
        (process("deno", "/usr/bin/deno", "deno", "run", "-A", "a.ts"), "a.ts", "script", "a.ts"),
        (process("bun", "/usr/bin/bun", "bun", "run", "a.ts"), "a.ts", "script", "a.ts"),
        (process("bun", "/usr/bin/bun", "bun", "a.ts"), "a.ts", "script", "a.ts"),
        (process("pwsh", "/usr/bin/pwsh", "pwsh", "-NoProfile", "-File", "/a.ps1"),
         "a.ps1", "script", "/a.ps1"),
        (process("tclsh8.6", "/usr/bin/tclsh8.6", "tclsh8.6", "/a.tcl"),
         "a.tcl", "script", "/a.tcl"),
        (process("R", "/usr/lib/R/bin/exec/R", "R", "--no-echo", "--file=/a.R"),
         "a.R", "script", "/a.R"),
        (process("ruby", "/usr/bin/ruby3.1", "ruby", "-Ilib", "bin/agent"),
         "agent", "script", "bin/agent"),
        (process("perl", "/usr/bin/perl", "perl", "-w", "/a.pl"), "a.pl", "script", "/a.pl"),
        (process("php", "/usr/bin/php8.2", "php", "-d", "a=b", "-f", "/a.php"),
         "a.php", "script", "/a.php"),
        (process("ld-linux-x86-64", "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2",
                 "--library-path", "/x", "/opt/app"), "app", "script", "/opt/app"),
        # What sets its own title.
        (process("gunicorn: maste", PYTHON, "gunicorn: master [app:app]"),
         "gunicorn", "script", "python gunicorn"),
        (process("ruby", "/usr/bin/ruby2.0", "codedeploy-agent: master 812"),
         "codedeploy-agent", "script", "ruby codedeploy-agent"),
        (process("ruby", "/usr/bin/ruby3.1", "puma 5.6.5 (tcp://0.0.0.0:80) [app]"),
         "puma", "script", "ruby puma"),
        (process("python3", PYTHON, "[celeryd: celery@web:MainProcess]"),
         "celeryd", "script", "python celeryd"),
        # A link to the interpreter, and the interpreter itself, have no title.
        (process("python3", PYTHON, "ours"), "python3", "program", "python"),
        (process("python3", PYTHON, "python3: x"), "python3", "program", "python"),
        (process("worker-17", PYTHON, "worker-17"), "worker-17", "script", "python worker-*"),
        (process("busybox", "/bin/busybox", "busybox", "wget", "x"), "wget", "program", "wget"),
        (process("wget", "/bin/busybox", "wget", "x"), "wget", "program", "wget"),
        (process("busybox", "/bin/busybox", "busybox", "--list"), "busybox", "program", "busybox"),
        (process("x.sh", "/bin/busybox", "sh", "/opt/x.sh"), "x.sh", "script", "/opt/x.sh"),
        (process("sh", DASH, "sh", "-c", ". /etc/job.env; curl x"),
         "job.env", "script", "/etc/job.env"),
        (process("curl", "", "curl"), "curl", "program", "curl"),
        (process("python3", PYTHON, "[redacted]"), "python3", "program", "python"),
        (process("", ""), UNNAMED, "program", UNNAMED),
    ],
)  # fmt: skip
def test_a_process_is_called_by_what_it_runs(
    image: Image, name: str, kind: str, subject: str
) -> None:
    """The script, package or program; the interpreter only where nothing else is known."""
    found = recognise(image)
    assert (found.name, found.kind, found.subject) == (name, kind, subject)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (process("sh", DASH, "sh", "-c", "curl x"), "curl x"),
        (process("bash", "/usr/bin/bash", "bash", "-ec", "curl x", "name"), "curl x"),
        (process("bash", "/usr/bin/bash", "bash", "-c", "-e", "--", "curl x"), "curl x"),
        (process("bash", "/usr/bin/bash", "bash", "-c"), ""),
        (process("python3", PYTHON, "python3", "-c", "import boto3"), "import boto3"),
        (process("python3", PYTHON, "python3", "-Ic", "import boto3"), "import boto3"),
        (process("perl", "/usr/bin/perl", "perl", "-ne", "print"), "print"),
        (process("bash", "/usr/bin/bash", "bash", "-s", "stable"), ""),
    ],
)
def test_code_on_a_command_line_is_kept(image: Image, code: str) -> None:
    """It has no name."""
    assert recognise(image).code == code


@pytest.mark.parametrize(
    "name",
    [
        "sudo",
        "doas",
        "su",
        "env",
        "nice",
        "ionice",
        "chrt",
        "timeout",
        "flock",
        "xargs",
        "setsid",
        "nohup",
        "stdbuf",
        "taskset",
        "time",
        "strace",
        "nsenter",
        "unshare",
        "chroot",
        "setpriv",
        "runuser",
        "systemd-run",
        "tini",
        "dumb-init",
        "containerd-shim-runc-v2",
        "conmon",
        "runc",
        "crun",
        "docker-init",
    ],
)
def test_what_runs_another_command_is_a_carrier(name: str) -> None:
    """It never says who wanted something."""
    assert recognise(process(name, f"/usr/bin/{name}", name, "curl")).role is Role.CARRIER


def test_a_wrapper_that_is_a_script_is_a_carrier_too() -> None:
    """On some systems a program of these names is one."""
    found = recognise(process("sh", DASH, "sh", "/usr/local/bin/timeout", "9", "curl"))
    assert (found.name, found.kind, found.role) == ("timeout", "script", Role.CARRIER)


@pytest.mark.parametrize("name", ["systemd", "init", "runit", "dinit"])
def test_init_is_known(name: str) -> None:
    """Whatever has number 1 is one, too."""
    assert recognise(process(name, f"/usr/sbin/{name}", name)).role is Role.INIT
    assert recognise(process("x", "/x", "x", pid=1)).role is Role.INIT


def test_hostile_arguments_cost_little() -> None:
    """A caller chooses them to be as hard to read as may be."""
    texts = ["a" * 4096, "1." * 2048, "1.1a" * 1024, "ab1" * 1365, "workspace/" * 409, "@" * 4096]
    began = time.process_time()
    for text in texts:
        recognise(process("sh", DASH, "sh", "-c", text))
        recognise(process(text, text, *[text] * 40))
    assert time.process_time() - began < 1
