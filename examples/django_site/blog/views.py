from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from blog.models import Post

VISITS = []


def index(request):
    VISITS.append(request.path)
    headlines = [post.headline() for post in Post.objects.order_by("id")]
    page = {"title": settings.BLOG_TITLE, "headlines": headlines, "visits": len(VISITS)}
    return render(request, "index.html", page)


def add(request, title):
    Post.objects.create(title=title)
    return HttpResponse(f"added {title}")
