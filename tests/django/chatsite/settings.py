"""Everything that differs between two fleets comes from the environment."""

import os
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit


def words(name):
    """The words of a variable, separated by commas."""
    return [word for word in os.environ.get(name, "").split(",") if word]


def database(url):
    """postgres://user:password@host:port/name?host=/folder/of/the/socket, or sqlite:///path."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # Long enough for whoever else writes into the same file.
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path), "OPTIONS": {"timeout": 30}}
    query = parse_qs(parts.query)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host", [parts.hostname or ""])[0],
        "PORT": str(parts.port or ""),
    }


SECRET_KEY = os.environ["SECRET_KEY"]
DATABASES = {"default": database(os.environ["DATABASE_URL"])}
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Account"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "channels",
    "accounts",
    "profiles",
    "chat",
]

LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}
CHANNEL_LAYER = os.environ.get("CHANNEL_LAYER", "core")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": LAYERS[CHANNEL_LAYER],
        "CONFIG": {
            "hosts": words("REDIS_URLS"),
            "prefix": os.environ.get("CHANNEL_PREFIX", "asgi"),
            "symmetric_encryption_keys": words("CHANNEL_KEYS"),
        },
    }
}
if CHANNEL_LAYER == "core":
    CHANNEL_LAYERS["default"]["CONFIG"] |= {"capacity": 1500, "expiry": 10}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=1), "REFRESH_TOKEN_LIFETIME": timedelta(days=2)}
