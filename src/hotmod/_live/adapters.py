"""What is known of libraries that build classes their own way.

Some libraries keep what they made of a class outside its attributes: a compiled validator that makes
instances of the class that it was built for, a table of defaults in the memory of the class. For them the
live class must be rebuilt after it took over a new body, or must not take it over at all.

Touches: classes that an adapter recognises, within the class's own journal step.

Guarantees: no library is imported; a class is recognised by its attributes. An adapter that fails rejects
the whole reload.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import Any

from hotmod._live.classes import own_dict

__all__ = ["ClassAdapter", "finish", "obstacle", "rebuild", "register_class_adapter"]


@dataclasses.dataclass(frozen=True, slots=True)
class ClassAdapter:
    """How the classes of one library are changed in place.

    Attributes:
        detect: whether a class is one of this library's.
        rebuild: called with the live class and the one whose body it just took over; makes the library
            forget the latter.
        finish: called with the live class when all modules have run.
        obstacle: called with both before that; a text when the class can't be changed in place.
    """

    detect: Callable[[type], bool]
    rebuild: Callable[[type, type], object] | None = None
    finish: Callable[[type], object] | None = None
    obstacle: Callable[[type, type], str | None] | None = None


_adapters: list[ClassAdapter] = []


def register_class_adapter(
    detect: Callable[[type], bool],
    *,
    rebuild: Callable[[type, type], object] | None = None,
    finish: Callable[[type], object] | None = None,
    obstacle: Callable[[type, type], str | None] | None = None,
) -> None:
    """Tell hotmod how classes of a library are changed in place.

    Args:
        detect: whether a class is one of the library's; called for every class that is built again.
        rebuild: called as `rebuild(live, new)` when the live class has taken over the body of the new one.
            What it sets on the live class is taken back with the transaction; if it raises, the reload is
            rejected.
        finish: called as `finish(live)` when all modules have run.
        obstacle: called as `obstacle(live, new)` before all that; a text says why the live class can't take
            over the new body, and it is replaced instead.
    """
    _adapters.append(ClassAdapter(detect, rebuild, finish, obstacle))


def _of(cls: type) -> list[ClassAdapter]:
    return [adapter for adapter in _adapters if adapter.detect(cls)]


def obstacle(live: type, fresh: type) -> tuple[str, str] | None:
    """Why a library does not let `live` take the body of `fresh`: (hazard code, reason)."""
    for adapter in _of(fresh):
        reason = adapter.obstacle(live, fresh) if adapter.obstacle is not None else None
        if reason:
            return "base-layout", reason
    return None


def rebuild(live: type, fresh: type) -> None:
    """Let the library of a class forget the class whose body the live one took over."""
    for adapter in _of(live):
        if adapter.rebuild is not None:
            adapter.rebuild(live, fresh)


def finish(live: type) -> None:
    """Let the library of a class bring it to use, now that all modules have run."""
    for adapter in _of(live):
        if adapter.finish is not None:
            adapter.finish(live)


# pydantic 2: the validator of a model makes instances of the class that it was compiled for


def _is_pydantic(cls: type) -> bool:
    return "__pydantic_decorators__" in own_dict(cls) and hasattr(cls, "model_rebuild")


def _rebuild_pydantic(live: Any, fresh: type) -> None:
    for info in (own_dict(live).get("__pydantic_fields__") or {}).values():
        info.annotation = _exchanged(info.annotation, fresh, live)
    decorators = own_dict(live)["__pydantic_decorators__"]
    for field in dataclasses.fields(decorators):
        bound = getattr(decorators, field.name)
        if isinstance(bound, dict):
            for name, one in list(bound.items()):
                bound[name] = _bound(one, live)
    live.model_rebuild(force=True, raise_errors=False)


def _bound(decorator: Any, live: type) -> Any:
    bind = getattr(decorator, "bind_to_cls", None)
    if bind is None:
        return decorator
    if "cls_ref" in bind.__code__.co_varnames:  # since pydantic 2.13
        return bind(live, f"{live.__module__}.{live.__qualname__}:{id(live)}")
    return bind(live)


def _exchanged(annotation: Any, old: type, new: type) -> Any:
    """An annotation in which one class is exchanged for another: a model may refer to itself."""
    if annotation is old:
        return new
    args = typing.get_args(annotation)
    parts = tuple(_exchanged(part, old, new) for part in args)
    if all(a is b for a, b in zip(args, parts, strict=True)):
        return annotation
    if isinstance(annotation, types.UnionType):
        return functools.reduce(operator.or_, parts)
    if isinstance(annotation, types.GenericAlias):
        return types.GenericAlias(annotation.__origin__, parts)  # type: ignore[arg-type]
    return annotation.copy_with(parts)


# msgspec: fields, defaults and options of a struct are in the memory of the class


def _is_msgspec(cls: type) -> bool:
    return "__struct_config__" in dir(type(cls))


def _msgspec_obstacle(live: type, fresh: type) -> str | None:
    for name in ("__struct_fields__", "__struct_encode_fields__"):
        if getattr(live, name, None) != getattr(fresh, name, None):
            return "the fields of the struct differ"
    if _options(live) != _options(fresh):
        return "the options of the struct differ"
    if own_dict(live).get("__annotations__") != own_dict(fresh).get("__annotations__"):
        return "the types of the struct's fields differ"
    had, has = getattr(live, "__struct_defaults__", ()), getattr(fresh, "__struct_defaults__", ())
    if len(had) != len(has) or not all(map(_same_default, had, has)):
        return "the defaults of the struct differ"
    return None


def _options(cls: type) -> dict[str, object]:
    config = getattr(cls, "__struct_config__", None)
    return {name: getattr(config, name) for name in dir(config) if not name.startswith("_")}


def _same_default(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    factory = getattr(one, "factory", None)
    if factory is not None:
        return factory is getattr(two, "factory", None)
    plain = type(one) in (int, float, str, bytes, bool, type(None), tuple, frozenset)
    return one is two or (plain and repr(one) == repr(two))


# SQLAlchemy 2: attributes work once the mappers are configured, which the first new instance causes; old
# instances are there already


def _is_mapped(cls: type) -> bool:
    return "_sa_class_manager" in own_dict(cls) and hasattr(cls, "registry")


def _configure_mappers(live: Any) -> None:
    live.registry.configure()


register_class_adapter(_is_mapped, finish=_configure_mappers)
register_class_adapter(_is_pydantic, rebuild=_rebuild_pydantic)
register_class_adapter(_is_msgspec, obstacle=_msgspec_obstacle)
