"""Where REST is."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from accounts.views import login, refresh_token
from chat.views import Conversations, Messages

router = SimpleRouter()
router.register("conversations", Conversations, basename="conversation")
router.register("messages", Messages, basename="message")

urlpatterns = [
    re_path(r"^api/auth/login/?$", login),
    re_path(r"^api/auth/refresh-token/?$", refresh_token),
    path("api/chat/", include(router.urls)),
]
