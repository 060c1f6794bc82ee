"""As what somebody takes part."""

from django.conf import settings
from django.db import models


class Profile(models.Model):
    """One role of an account."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="profiles")
    profile_type = models.CharField(
        max_length=10, choices=[(kind, kind) for kind in ("gym", "trainer", "store", "trainee")]
    )
