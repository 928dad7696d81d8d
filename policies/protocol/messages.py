"""The SDK's generated messages, without the SDK.

``import pulumi.runtime.proto`` runs the whole SDK, which takes some ten times as long as the messages alone. They lie
in one folder and import one another relatively, so a package of that folder has them under another name.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pulumi.runtime.proto import analyzer_pb2, plugin_pb2

_SDK: Final = "pulumi.runtime.proto"
_OWN: Final = "_pulumi_protocol"


def _package() -> str:
    if f"{_SDK}.analyzer_pb2" in sys.modules:
        return _SDK
    if _OWN not in sys.modules:
        found = find_spec("pulumi")
        if found is None or found.origin is None:
            raise ImportError("the package pulumi is not installed")
        spec = ModuleSpec(_OWN, None, is_package=True)
        spec.submodule_search_locations = [str(Path(found.origin).parent / "runtime" / "proto")]
        sys.modules[_OWN] = module_from_spec(spec)
    return _OWN


def _module(name: str) -> Any:
    return importlib.import_module(f"{_package()}.{name}")


if not TYPE_CHECKING:
    analyzer_pb2 = _module("analyzer_pb2")
    plugin_pb2 = _module("plugin_pb2")
service: Final = _module("analyzer_pb2_grpc")
"""``add_AnalyzerServicer_to_server``, which the generated code has no types for."""

__all__ = ["analyzer_pb2", "plugin_pb2", "service"]
