"""What Daphne serves: REST, and the WebSockets of the chat."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
http = get_asgi_application()

# Not before Django is set up.
from chat.consumers import ChatConsumer  # noqa: E402

websocket = URLRouter([re_path(r"^ws/chat/(?P<conversation>\d+)/$", ChatConsumer.as_asgi())])
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
