import pathlib

BASE_DIR = pathlib.Path(__file__).resolve().parent.parent

SECRET_KEY = "an example needs none"  # noqa: S105
DEBUG = True
ROOT_URLCONF = "config.urls"
INSTALLED_APPS = ["blog"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "blog.sqlite3"}}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        # named, so that Django does not keep compiled templates: its own reloader would tell it of an edit
        "OPTIONS": {"loaders": ["django.template.loaders.filesystem.Loader"]},
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

BLOG_TITLE = "My blog"
