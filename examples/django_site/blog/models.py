from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=80)

    def __str__(self):
        return self.title

    def headline(self):
        return self.title.upper()
