from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import hotmod
from tests.oracle.project import Project


@pytest.fixture
def agents(project: Project) -> Project:
    """A package that can tell, in many ways, of which version it is."""
    return project.write(
        {
            "agents/__init__.py": "",
            "agents/config.py": "VERSION = 1\n",
            "agents/shapes.py": """
                from __future__ import annotations

                import dataclasses
                import pickle
                import sys
                import typing

                from agents.config import VERSION


                @dataclasses.dataclass
                class Inner:
                    made_by: int = VERSION


                @dataclasses.dataclass
                class Outer:
                    inner: Inner
                    limit: dataclasses.InitVar[int] = 0


                def hints():
                    return typing.get_type_hints(Outer)["inner"]


                def through_pickle():
                    return pickle.loads(pickle.dumps(Inner()))


                def through_sys():
                    return sys.modules[__name__].VERSION
                """,
            "agents/graph.py": """
                import importlib

                from . import config


                def inside():
                    from agents.config import VERSION
                    return VERSION


                def late():
                    import agents.late
                    return agents.late.VERSION


                def by_name():
                    return importlib.import_module("agents.config").VERSION


                def relative():
                    return importlib.import_module(".config", __package__).VERSION


                def run(*between):
                    seen = [config.VERSION]
                    for each in between:
                        each()
                        seen += [inside(), by_name(), relative()]
                    return seen
                """,
            "agents/late.py": "from agents.config import VERSION\n",
        }
    )


@pytest.fixture
def opened() -> Iterator[Callable[..., hotmod.versions.Service]]:
    """Opens services that are closed after the test."""
    services: list[hotmod.versions.Service] = []

    def open_one(*targets: str, watch: bool = False, **options: object) -> hotmod.versions.Service:
        services.append(hotmod.versions.open(*targets, watch=watch, **options))
        return services[-1]

    yield open_one
    for service in services:
        service.close()
