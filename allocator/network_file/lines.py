"""YAML as a tree that knows its lines, read the safe way; what is wrong is told with file and line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from allocator.config import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

Loc = tuple[int | str, ...]
"""The way from the file to a part of it: keys and positions."""
_EXPECTED: Final = {
    "model_type": "expected a mapping of keys to values",
    "dict_type": "expected a mapping of keys to values",
    "list_type": "expected a list",
    "string_type": "expected text; put it in quotes",
    "missing": "is missing, and required",
    "extra_forbidden": "is no key that is known here",
}
"""What to say of the commonest mistakes, in words for people who write YAML."""


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's plain values, without the surprises of 1.1: 10:30 is a time of day and NO is Norway."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's way


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), list(_first))


class Tree:
    """A file's YAML, and where its parts stand."""

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            SettingsError: it cannot be read, is not YAML, is empty or has a key twice in one mapping.
        """
        self._path = path
        self._root = _composed(path)

    def plain(self) -> Any:  # noqa: ANN401  # YAML is any value
        """The values, built the safe way.

        Raises:
            SettingsError: a tag asks for something that is no plain value.
        """
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_document(self._root)
        except yaml.YAMLError as error:
            raise _not_yaml(self._path, error) from None
        finally:
            loader.dispose()

    def wrong(self, loc: Loc, what: str) -> SettingsError:
        """The error that something is wrong at `loc`, or at the deepest part on the way to it that is there."""
        return SettingsError(f"{self._path}:{_line(self._root, loc)}: {what}")

    def told(self, problem: ErrorDetails, more: str) -> SettingsError:
        """The error for a value that is not what was expected; `more` comes after it."""
        loc = _as_written(self._root, problem["loc"])
        where = ".".join(map(str, loc)) or "the file"
        return self.wrong(loc, f"{where}: {_EXPECTED.get(problem['type'], problem['msg'])}{more}")


def _composed(path: Path) -> yaml.Node:
    """The file as a tree that knows its lines; no key twice in one mapping."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=_Loader)
    except OSError as error:
        raise SettingsError(f"network file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"network file {path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(f"{path}:{line}: not YAML: {error.reason}") from None
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    if root is None:
        raise SettingsError(f"{path}:1: the file is empty; expected a list of `locations`")
    for key in _repeated(root, set()):
        raise SettingsError(f"{path}:{key.start_mark.line + 1}: key {key.value!r} is there twice")
    return root


def _not_yaml(path: Path, error: yaml.YAMLError) -> SettingsError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    return SettingsError(f"{path}:{line}: not YAML: {getattr(error, 'problem', None) or error}")


def _repeated(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    """Keys that stand twice in their mapping: YAML would keep the last one in silence."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                yield key
            keys.add(str(key.value))
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _repeated(part, seen)


def _line(node: yaml.Node, loc: tuple[int | str, ...]) -> int:
    """The line of the deepest node on the way of `loc` that is there."""
    line = node.start_mark.line + 1
    for step in loc:
        child = _child(node, step)
        if child is None:
            break
        node = child
        line = node.start_mark.line + 1
    return int(line)


def _as_written(node: yaml.Node, loc: Loc) -> Loc:
    """`loc` without steps into lists and mappings that are written short, as a plain value or their only item."""
    steps: list[int | str] = []
    for step in loc:
        short = isinstance(node, yaml.ScalarNode) or (isinstance(step, int) and not isinstance(node, yaml.SequenceNode))
        if not short:
            steps.append(step)
            node = _child(node, step) or node
    return tuple(steps)


def _child(node: yaml.Node, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]  # type: ignore[no-any-return]  # PyYAML's nodes are untyped
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None
