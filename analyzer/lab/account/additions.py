"""Adds to moto what it lacks, in its own process, with a state for each account and Region.

These are the defaults for metadata options, the instances that Systems Manager reaches, and
parameters that AWS publishes, such as those of its AMIs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

Place = tuple[str, str]  # account and Region

_DEFAULTS = (
    "HttpTokens",
    "HttpEndpoint",
    "HttpPutResponseHopLimit",
    "InstanceMetadataTags",
    "HttpTokensEnforced",
)
_NO_PREFERENCE = ("no-preference", -1, "-1")


class Additions:
    """The state of what is added. ``managed`` has an instance's PingStatus by its id."""

    def __init__(self) -> None:
        """Begin with nothing set."""
        self.defaults: dict[Place, dict[str, Any]] = {}
        self.managed: dict[Place, dict[str, str]] = {}
        self.parameters: dict[str, str] = {}

    def clear(self) -> None:
        """Forget what was set."""
        self.defaults.clear()
        self.managed.clear()
        self.parameters.clear()

    @contextlib.contextmanager
    def in_place(self, ec2: Any, ssm: Any, result: Any) -> Iterator[None]:  # noqa: ANN401 (moto's)
        """Have moto answer by them, and leave it as it was.

        ``ec2`` and ``ssm`` are its classes that answer for these services, ``result`` is what
        they return.
        """
        added = (*self._of_ec2(ec2, result), *self._of_ssm(ssm, result))
        before = [(owner, name, owner.__dict__.get(name)) for owner, name, _ in added]
        for owner, name, function in added:
            setattr(owner, name, function)
        try:
            yield
        finally:
            for owner, name, former in before:
                if former is None:
                    delattr(owner, name)
                else:
                    setattr(owner, name, former)

    def _of_ec2(self, owner: Any, result: Any) -> Iterator[tuple[Any, str, Any]]:  # noqa: ANN401
        def get(response: Any) -> Any:  # noqa: ANN401 (moto's)
            found = self.defaults.get(_place(response), {})
            return result({"AccountLevel": {"ManagedBy": "account", **found}})

        def modify(response: Any) -> Any:  # noqa: ANN401 (moto's)
            found = self.defaults.setdefault(_place(response), {})
            for name in _DEFAULTS:
                value = response._get_param(name)  # noqa: SLF001 (all of moto's responses do)
                if value in _NO_PREFERENCE:
                    found.pop(name, None)
                elif value is not None:
                    found[name] = value
            return result({"Return": True})

        yield owner, "get_instance_metadata_defaults", get
        yield owner, "modify_instance_metadata_defaults", modify

    def _of_ssm(self, owner: Any, result: Any) -> Iterator[tuple[Any, str, Any]]:  # noqa: ANN401
        def instances(response: Any) -> Any:  # noqa: ANN401 (moto's)
            found: Mapping[str, str] = self.managed.get(_place(response), {})
            listed = [{"InstanceId": id_, "PingStatus": ping} for id_, ping in found.items()]
            return result({"InstanceInformationList": listed})

        def parameters(response: Any) -> Any:  # noqa: ANN401 (moto's)
            names = response._get_param("Names")  # noqa: SLF001 (all of moto's responses do)
            known = {name: self.parameters[name] for name in names if name in self.parameters}
            found = [
                {"Name": name, "Value": value, "Type": "String"} for name, value in known.items()
            ]
            unknown = [name for name in names if name not in known]
            return result({"Parameters": found, "InvalidParameters": unknown})

        yield owner, "describe_instance_information", instances
        yield owner, "get_parameters", parameters


def _place(response: Any) -> Place:  # noqa: ANN401 (moto's)
    return response.current_account, response.region
