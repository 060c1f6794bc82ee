"""Who there is."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Account(AbstractUser):
    """A user. Emails need not be there, nor be unique."""

    email = models.EmailField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    last_seen = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=20, null=True, blank=True)
    default_profile = models.ForeignKey(
        "profiles.Profile", models.SET_NULL, null=True, blank=True, related_name="default_for"
    )

    def profile_types(self):
        """As tokens and answers name them."""
        return list(self.profiles.order_by("id").values_list("profile_type", flat=True))
