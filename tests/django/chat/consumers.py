"""One socket: frames in, group events out."""

import json

from channels.generic.websocket import AsyncWebsocketConsumer

from chat import actions
from chat.admission import Refused, admit


class ChatConsumer(AsyncWebsocketConsumer):
    """Somebody's socket in a conversation, a member of the group `chat_<id>`."""

    async def connect(self):
        self.group = None
        self.conversation = self.scope["url_route"]["kwargs"]["conversation"]
        try:
            self.account = await admit(self.scope["query_string"], self.conversation)
        except Refused as refused:
            # Before the handshake is answered, so that the client gets HTTP 403.
            await self.close(refused.code)
            return
        self.group = f"chat_{self.conversation}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data):
        try:
            frame = json.loads(text_data)
        except json.JSONDecodeError:
            await self.answers("Invalid JSON format")
            return
        kind = frame.get("type") if isinstance(frame, dict) else None
        match kind:
            case "read":
                await self.tells(actions.read(self.account, frame), "Failed to mark message as read")
            case "typing":
                await self.types(frame)
            case "edit":
                await self.tells(actions.edit(self.account, frame), "Failed to edit message")
            case "delete":
                await self.tells(actions.delete(self.account, frame), "Failed to delete message")
            case _:
                posted = actions.post(self.account, self.conversation, frame)
                await self.tells(posted, "Failed to send message. Please try again.")

    async def types(self, frame):
        is_typing = frame.get("is_typing", False)
        if not isinstance(is_typing, bool):
            await self.answers("is_typing must be a boolean value")
            return
        event = {"type": "typing_indicator", "username": self.account.username, "is_typing": is_typing}
        await self.channel_layer.group_send(self.group, event)

    async def tells(self, action, failure):
        """Carries it out and tells the group; the sender alone if it comes to nothing."""
        try:
            await self.channel_layer.group_send(self.group, await action)
        except actions.Answer as answer:
            await self.answers(str(answer))
        except Exception:
            await self.answers(failure)

    async def answers(self, text):
        await self.shows({"type": "error", "message": text})

    async def shows(self, frame):
        await self.send(json.dumps(frame))

    async def chat_message(self, event):
        await self.shows(event)

    async def read_receipt(self, event):
        await self.shows(event)

    async def typing_indicator(self, event):
        if event.get("username") != self.account.username:
            await self.shows(frame_of("typing", event, "username", "is_typing"))

    async def message_edited(self, event):
        await self.shows(frame_of("edit", event, "message_id", "content", "edited_at", "editor"))

    async def message_deleted(self, event):
        await self.shows(frame_of("delete", event, "message_id", "deleter"))


def frame_of(kind, event, *keys):
    return {"type": kind} | {key: event.get(key) for key in keys}
