import pathlib

BASE_DIR = pathlib.Path(__file__).resolve().parent.parent

SECRET_KEY = "an example needs none"  # noqa: S105
DEBUG = True
ROOT_URLCONF = "config.urls"
INSTALLED_APPS = ["blog"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "blog.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

BLOG_TITLE = "My blog"
