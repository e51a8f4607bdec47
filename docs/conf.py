"""How Sphinx builds these pages: `python -m sphinx -W docs docs/_build`."""

import pathlib
import tomllib

_metadata = tomllib.loads(pathlib.Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))

project = "hotmod"
author = "hotmod contributors"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name for it
release = version = _metadata["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
default_role = "py:obj"  # `name` in a docstring is code, and a link where there is something to link to

myst_enable_extensions = ["colon_fence", "deflist", "smartquotes"]
myst_heading_anchors = 3

autodoc_mock_imports = ["ray"]  # not of the test extra: it is large
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

copybutton_prompt_text = "$ "

html_theme = "furo"
html_title = f"hotmod {release}"
