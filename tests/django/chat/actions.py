"""What each client frame does to the rows. Each answers the event that the group is told."""

from channels.db import database_sync_to_async
from django.utils.timezone import now

from chat.models import Conversation, Message

MAX_CHARACTERS = 5000


class Answer(Exception):
    """The frame is not carried out; its sender is told why."""


@database_sync_to_async
def post(account, conversation, frame):
    """A message."""
    content = frame.get("content")
    if not content:
        raise Answer("Message content is required")
    if not isinstance(content, str):
        raise Answer("Message content must be a string")
    check_length(content, "Message content")
    try:
        room = Conversation.objects.get(id=conversation)
    except Conversation.DoesNotExist as error:
        raise Answer("Conversation not found") from error
    message = Message.objects.create(conversation=room, sender=account, content=content.strip())
    return {
        "type": "chat_message",
        "message_id": message.id,
        "sender": account.username,
        "content": content,
        "timestamp": str(message.timestamp),
    }


@database_sync_to_async
def read(account, frame):
    """A read mark, on whosever message."""
    message = find(frame, "read receipts")
    message.is_read = True
    message.read_at = now()
    message.save()
    return {
        "type": "read_receipt",
        "message_id": message.id,
        "reader": account.username,
        "read_at": str(message.read_at),
    }


@database_sync_to_async
def edit(account, frame):
    """Another text for one's own message."""
    message_id = number(frame, "editing")
    content = frame.get("content") or frame.get("new_content")
    if not content or not isinstance(content, str):
        raise Answer("Valid 'content' or 'new_content' is required for editing")
    check_length(content, "Content")
    message = get(message_id)
    if message.sender_id != account.id:
        raise Answer("You can only edit your own messages")
    if message.is_deleted:
        raise Answer("Cannot edit a deleted message")
    message.content = content.strip()
    message.edited_at = now()
    message.save()
    return {
        "type": "message_edited",
        "message_id": message.id,
        "content": message.content,
        "edited_at": str(message.edited_at),
        "editor": account.username,
    }


@database_sync_to_async
def delete(account, frame):
    """One's own message is no more to be seen."""
    message = find(frame, "deletion")
    if message.sender_id != account.id:
        raise Answer("You can only delete your own messages")
    if message.is_deleted:
        raise Answer("Message is already deleted")
    message.is_deleted = True
    message.content = ""
    message.save()
    return {"type": "message_deleted", "message_id": message.id, "deleter": account.username}


def check_length(content, name):
    if not content.strip():
        raise Answer(f"{name} cannot be empty or whitespace only")
    if len(content) > MAX_CHARACTERS:
        raise Answer(f"{name} is too long (maximum {MAX_CHARACTERS} characters)")


def find(frame, purpose):
    return get(number(frame, purpose))


def number(frame, purpose):
    given = frame.get("message_id")
    if not given:
        raise Answer(f"message_id is required for {purpose}")
    try:
        return int(given)
    except (TypeError, ValueError) as error:
        raise Answer("message_id must be a valid integer") from error


def get(message_id):
    # Of any conversation: a slip of the chat that this stands for.
    try:
        return Message.objects.get(id=message_id)
    except Message.DoesNotExist as error:
        raise Answer(f"Message {message_id} not found") from error
