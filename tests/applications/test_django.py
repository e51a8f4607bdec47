"""Django's development server, its own reloader off, takes edits under `hotmod run`: examples/django_site."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from tests.applications.session import SECONDS, Session
from tests.doors.shell import environment

SERVE = ("-m", "hotmod", "run", "manage.py", "runserver", "--noreload", "0")
ADD = '    path("add/<title>", views.add),\n'
FIELD = "    title = models.CharField(max_length=80)\n"


def manage(session: Session, *arguments: str) -> None:
    """Run a command of the site in a process of its own."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=session.folder,
        env=environment(session.folder.parent / "temporary"),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def served(temp: pathlib.Path) -> Session:
    shown = "hotmod run manage.py runserver --noreload"
    session = Session("django_site", temp, *SERVE, shown=shown)
    session.line("hotmod: manage.py runs; what is saved in ./ is applied")
    session.listen()
    session.watching("blog/__init__.py")
    return session


def test_a_site_takes_edits(tmp_path: pathlib.Path) -> None:
    """Views, models, URLs, templates and most settings are new for the next request, and state stays.

    A setting that Django has used when it started is refused.
    """
    with served(tmp_path) as session:
        manage(session, "migrate")
        assert session.get("/blog/add/tea") == "added tea"
        assert session.get("/blog/") == "My blog: TEA (visit 1)"
        session.save("blog/models.py", "self.title.upper()", "self.title.title()")
        session.told("patched Post.headline")
        assert session.get("/blog/") == "My blog: Tea (visit 2)"
        session.save("blog/views.py", 'f"added {title}"', 'f"{title} is in"')
        session.told("patched add")
        assert session.get("/blog/add/milk") == "milk is in"
        assert session.get("/blog/new/jam") == "404 Not Found"
        session.save("blog/urls.py", ADD, ADD.replace("add/", "new/"))
        session.told("re-ran blog.urls")
        assert session.get("/blog/new/jam") == "jam is in"
        assert session.get("/blog/add/jam") == "404 Not Found"
        session.save("config/urls.py", 'path("blog/"', 'path(""')
        session.told("re-ran config.urls")
        assert session.get("/") == "My blog: Tea, Milk, Jam (visit 3)"
        session.save("blog/urls.py", "views.index", "views.indx")
        session.told("Could not reload blog.urls (urls.py:6): AttributeError", "Nothing was changed")
        assert session.get("/") == "My blog: Tea, Milk, Jam (visit 4)"
        session.save("blog/urls.py", "views.indx", "views.index")
        session.told("unchanged")
        session.save("config/settings.py", '"My blog"', '"Your blog"')
        session.told("re-ran config.settings")
        session.save("templates/index.html", "(visit", "(seen")
        assert session.get("/") == "Your blog: Tea, Milk, Jam (seen 5)"
        session.save("config/settings.py", "MIDDLEWARE = [", 'MIDDLEWARE = ["no.such", ')
        session.told(
            "Could not reload config.settings", "setting MIDDLEWARE", "Restart", "Nothing was changed"
        )
        assert session.get("/") == "Your blog: Tea, Milk, Jam (seen 6)"
        session.is_on("how-to/django.md")


def test_a_field_needs_its_migration(tmp_path: pathlib.Path) -> None:
    """A field that is added is in the model at once, and in the table when it has been migrated."""
    with served(tmp_path) as session:
        session.save(
            "blog/models.py", FIELD, f'{FIELD}    mood = models.CharField(max_length=9, default="calm")\n'
        )
        session.told("re-ran blog.models")
        assert session.get("/blog/") == "500 Internal Server Error"
        manage(session, "makemigrations")
        manage(session, "migrate")
        session.save("blog/models.py", "self.title.upper()", 'f"{self.title}, {self.mood}"')
        session.told("patched Post.headline")
        assert session.get("/blog/add/tea") == "added tea"
        assert session.get("/blog/") == "My blog: tea, calm (visit 2)"
