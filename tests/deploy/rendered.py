"""Finds objects and their parts in a rendered chart."""

from __future__ import annotations

from typing import Any, NamedTuple

from deploy.helm import CHART

PRESETS = sorted((CHART / "ci").glob("*-values.yaml"))
NAMES = [path.name.removesuffix("-values.yaml") for path in PRESETS]
# The one value that has no default.
IMAGE = {"image": {"repository": "registry.example/imds-analyzer"}}

Object = dict[str, Any]


class Rendered(NamedTuple):
    """The objects of one rendering."""

    objects: list[Object]

    def one(self, kind: str) -> Object:
        """Return the only object of a kind."""
        (found,) = [each for each in self.objects if each["kind"] == kind]
        return found

    def has(self, kind: str) -> bool:
        """Tell whether there is an object of a kind."""
        return any(each["kind"] == kind for each in self.objects)

    @property
    def pod(self) -> Object:
        """The specification of the DaemonSet's pods."""
        found: Object = self.one("DaemonSet")["spec"]["template"]["spec"]
        return found

    @property
    def container(self) -> Object:
        """The analyzer's container."""
        (found,) = self.pod["containers"]
        result: Object = found
        return result

    @property
    def config(self) -> str:
        """The configuration file's text."""
        text: str = self.one("ConfigMap")["data"]["config.toml"]
        return text

    def host_paths(self) -> dict[str, str]:
        """Return the node's directories by the names of their volumes."""
        return {
            volume["name"]: volume["hostPath"]["path"]
            for volume in self.pod["volumes"]
            if "hostPath" in volume
        }
