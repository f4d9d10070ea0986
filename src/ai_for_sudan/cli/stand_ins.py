"""Help needs no package: what a plain install lacks stands in as names that do nothing."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

#: what commands import, by the extras ``site``, ``train`` and ``clinic``
PACKAGES = (
    *("scipy", "sklearn", "threadpoolctl", "joblib", "matplotlib", "onnx"),
    *("torch", "torchvision", "onnxscript", "safetensors", "tomli", "ray"),
    *("pynetdicom", "dicomweb_client", "requests", "fastapi", "starlette", "pydantic", "uvicorn", "sqlalchemy"),
    *("alembic", "argon2", "cryptography", "segno", "highdicom"),
)


class _Every(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Nothing(metaclass=_Every):
    """A class to inherit from, a function to call and to decorate with, and all of its own attributes."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __class_getitem__(cls, _: object) -> Any:
        return cls

    def __call__(self, *given: Any, **_: object) -> Any:
        return given[0] if given else self

    def __getattr__(self, name: str) -> Any:
        return _Nothing


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> Any:
        there = name.partition(".")[0] in PACKAGES
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if there else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
    """Let every import of :data:`PACKAGES` succeed; those that are installed are imported as ever."""
    finder = _Finder()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
