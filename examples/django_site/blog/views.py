from django.conf import settings
from django.http import HttpResponse

from blog.models import Post

VISITS = []


def index(request):
    VISITS.append(request.path)
    posts = ", ".join(post.headline() for post in Post.objects.order_by("id"))
    return HttpResponse(f"{settings.BLOG_TITLE}: {posts} (visit {len(VISITS)})")


def add(request, title):
    Post.objects.create(title=title)
    return HttpResponse(f"added {title}")
