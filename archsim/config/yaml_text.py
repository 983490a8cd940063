"""YAML text to plain values: maps, lists, texts, numbers, flags and null, and nothing else.

Tags, anchors, aliases and integers beyond any float are refused, a date is a text. So no text makes
an object, grows when it is read, or gives a value that a setting could not have.
"""

from __future__ import annotations

from typing import Any

import yaml

from archsim.util.files import MAX_DEPTH, as_float_can

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _PlainLoader(yaml.SafeLoader):
    """Safe loader that also refuses a key given twice, tags, aliases and deep nesting."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:  # of an alias too
            raise _refused("anchors and aliases are not allowed; use `extends:`", event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _refused(f"the tag '{tag}' is not allowed; write the value alone", event)
        if self.depth >= MAX_DEPTH:
            raise _refused(f"nested deeper than {MAX_DEPTH}", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is not text", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _refused(said: str, event: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, said, event.start_mark)


def _integer(loader: _PlainLoader, node: Any) -> int:
    return as_float_can(loader.construct_yaml_int(node))


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _integer)
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Any:
    """Parse YAML.

    Args:
        text: of one document.

    Raises:
        ValueError: not YAML, or with what is not allowed; the message says where.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ArithmeticError, LookupError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
