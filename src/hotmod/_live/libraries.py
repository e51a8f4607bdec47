"""What is known of libraries that build classes their own way: attrs and dataclasses need nothing.

Touches: the classes given to it, and what their libraries remember of them.

Guarantees: no library is imported; a class is recognised by its attributes. What is not done here is undone
by what `withdraw` gave, or with the class.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.kinds import is_class
from hotmod._model.errors import HotmodError

__all__ = ["KNOWN", "ClassAdapter"]


@dataclasses.dataclass(frozen=True, slots=True)
class ClassAdapter:
    """How the classes of one library are changed in place.

    Attributes:
        detect: whether a class is one of this library's.
        rebuild: called with the live class and the one whose body it just took over; makes the library
            forget the latter.
        finish: called with the live class when all modules have run.
        obstacle: called with both before that; a text when the class can't be changed in place.
        withdraw: called with the live class before its module runs again; gives how to undo what it did.
        lacking: which of some names an instance of the class does not hold.
        keep: called with both when nothing differs but the inside of functions, in this class and all others
            of the library that are built again; the names of the members that the live class keeps.
        partners: the classes that have to be built again when the class is.
    """

    detect: Callable[[type], bool]
    rebuild: Callable[[type, type], object] | None = None
    finish: Callable[[type], object] | None = None
    obstacle: Callable[[type, type], str | None] | None = None
    withdraw: Callable[[type], Callable[[], object] | None] | None = None
    lacking: Callable[[Any, Iterable[str]], list[str]] | None = None
    keep: Callable[[type, type], Collection[str]] | None = None
    partners: Callable[[type], Iterable[type]] | None = None


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


def _unset_fields(instance: Any, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in type(instance).model_fields and name not in vars(instance)]


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


def _withdraw_mapped(live: Any) -> Callable[[], object]:
    registry, table = live.registry, own_dict(live).get("__table__")
    if registry._class_registry.get(live.__name__) is live:  # noqa: SLF001 - what else knows it by its name
        registry._dispose_cls(live)  # noqa: SLF001
    if table is not None and table.metadata.tables.get(table.key) is table:
        table.metadata.remove(table)
    mapper: Any = own_dict(live).get("__mapper__")
    waiting = mapper is not None and not mapper.configured
    if waiting:
        mapper._set_dispose_flags()  # noqa: SLF001 - whoever configures the new ones leaves it alone

    def undo() -> None:
        _register_mapped(registry, live, table)
        if waiting:
            mapper.configured = mapper._dispose_called = False  # noqa: SLF001
            registry._flag_new_mapper(mapper)  # noqa: SLF001

    return undo


def _register_mapped(registry: Any, live: Any, table: Any) -> None:
    """Let relationships find a class by its name, alone or with parts of its module's; and its table."""
    if table is not None and table.metadata.tables.get(table.key) is not table:
        dict.__setitem__(table.metadata.tables, table.key, table)
    names = registry._class_registry  # noqa: SLF001
    other = names.get(live.__name__)
    if other is not None:
        registry._dispose_cls(other)  # noqa: SLF001
    functions: Any = sys.modules["sqlalchemy.orm.clsregistry"]  # it is there: the class is mapped
    add = getattr(functions, "_add_class", None) or functions.add_class  # the latter before 2.1
    add(live.__name__, live, names)


def _keep_mapping(live: Any, fresh: Any) -> list[str]:
    """Keep what was made of a class whose columns are the same: classes elsewhere are related to it."""
    had, has, registry = own_dict(live).get("__table__"), own_dict(fresh).get("__table__"), live.registry
    if registry is not fresh.registry or _described(had) != _described(has):
        return []
    manager = own_dict(live)["_sa_class_manager"]
    own_dict(fresh)["__mapper__"]._set_dispose_flags()  # noqa: SLF001 - it is not to be configured
    registry._dispose_cls(fresh)  # noqa: SLF001
    if has is not None:
        has.metadata.remove(has)
    _register_mapped(registry, live, had)
    own = ["__mapper__", "__table__", "_sa_class_manager", *manager]
    return own + (["__init__"] if own_dict(live).get("__init__") is manager.new_init else [])


def _described(table: Any) -> str:
    if table is None:
        return ""
    parts = [repr(table), *sorted(map(repr, table.constraints)), *sorted(map(repr, table.indexes))]
    return re.sub(r" at 0x[0-9a-f]+", "", "".join(parts))  # functions follow by themselves


def _rebuild_mapped(live: Any, fresh: Any) -> None:
    if live.__mapper__ is own_dict(fresh).get("__mapper__"):
        _refuse_related(live)
    if live.registry._class_registry.get(fresh.__name__) is fresh:  # noqa: SLF001
        _register_mapped(live.registry, live, own_dict(live).get("__table__"))


def _refuse_related(live: Any) -> None:
    """Refuse another mapping where a class that is not built again is related to the one of before."""
    for other, related in _relationships(live):
        mapper = related.get("mapper")
        if mapper is not None and mapper.class_ is live and mapper is not live.__mapper__:
            msg = (
                f"the columns or relationships of {live.__name__} changed, and {other.__module__}."
                f"{other.__name__}, which is related to it, is not built again"
            )
            raise HotmodError(msg, advice="Edit its module too, or restart the process.")


def _relationships(live: Any) -> Iterator[tuple[type, dict[str, Any]]]:
    """The other classes in force that have relationships, and what is known of each of these."""
    names = live.registry._class_registry  # noqa: SLF001
    for mapper in live.registry.mappers:
        other = mapper.class_
        in_force = names.get(other.__name__) is other and own_dict(other).get("__mapper__") is mapper
        if other is live or not in_force:
            continue
        for each in mapper._props.values():  # noqa: SLF001
            space = getattr(each, "__dict__", {})
            if "argument" in space:
                yield other, space


def _partners_of_mapped(live: Any) -> list[type]:
    return [other for other, relationship in _relationships(live) if _leads_to(relationship, live)]


def _leads_to(relationship: dict[str, Any], live: type) -> bool:
    """Whether a relationship may be one to a class; before its first use the target may be a text."""
    mapper, target = relationship.get("mapper"), relationship["argument"]
    if mapper is not None:
        return mapper.class_ is live
    if isinstance(target, str):
        return target.rpartition(".")[2] == live.__name__
    return target is live or not is_class(target)


def _configure_mappers(live: Any) -> None:
    live.registry.configure()


# Django: a model that is registered while another one of that name is leads to a warning


def _is_django(cls: type) -> bool:
    options = own_dict(cls).get("_meta")
    return all(hasattr(options, name) for name in ("app_label", "model_name", "apps"))


def _withdraw_model(live: Any) -> Callable[[], object] | None:
    options = live._meta  # noqa: SLF001 - how Django documents it
    registered, name = options.apps.all_models[options.app_label], options.model_name
    places = {each: place for place, each in enumerate(registered)}

    def undo() -> None:
        if registered.get(name) is not live:
            now = {**registered, name: live}
            registered.clear()
            registered.update(
                (each, now[each]) for each in sorted(now, key=lambda each: places.get(each, len(now)))
            )
        options.apps.clear_cache()

    if registered.get(name) is live:
        del registered[name]
    options.apps.clear_cache()
    return undo


KNOWN = (
    ClassAdapter(_is_pydantic, rebuild=_rebuild_pydantic, lacking=_unset_fields),
    ClassAdapter(_is_msgspec, obstacle=_msgspec_obstacle),
    ClassAdapter(
        _is_mapped,
        withdraw=_withdraw_mapped,
        keep=_keep_mapping,
        rebuild=_rebuild_mapped,
        finish=_configure_mappers,
        partners=_partners_of_mapped,
    ),
    ClassAdapter(_is_django, withdraw=_withdraw_model),
)
