"""Conversations and messages over REST. Nothing written here is told to the group: so it was."""

from django.utils.timezone import now
from rest_framework.decorators import action
from rest_framework.mixins import DestroyModelMixin, ListModelMixin, RetrieveModelMixin
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.serializers import CharField, ModelSerializer
from rest_framework.viewsets import GenericViewSet

from accounts.models import Account
from chat.models import Conversation, Message


class MessageObject(ModelSerializer):
    """A message in JSON."""

    sender_name = CharField(source="sender.username", read_only=True)

    class Meta:
        model = Message
        fields = [
            "id",
            "conversation",
            "sender",
            "sender_name",
            "content",
            "attachment",
            "timestamp",
            "is_read",
            "read_at",
            "is_deleted",
            "edited_at",
        ]


class ConversationObject(ModelSerializer):
    """A conversation in JSON."""

    class Meta:
        model = Conversation
        fields = ["id", "participants", "created_at"]


class Pages(PageNumberPagination):
    """Fifty messages, or as many as were asked for."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class Conversations(ListModelMixin, RetrieveModelMixin, DestroyModelMixin, GenericViewSet):
    """Those that one takes part in."""

    serializer_class = ConversationObject

    def get_queryset(self):
        return self.request.user.conversations.order_by("id")

    @action(detail=False, methods=["post"])
    def start(self, request):
        """The conversation with somebody: the one there is, or a new one."""
        given = request.data.get("user2")
        if not given:
            return refused("user2 field is required")
        try:
            other = Account.objects.get(id=int(given))
        except (TypeError, ValueError):
            return refused("user2 must be a valid user ID")
        except Account.DoesNotExist:
            return refused(f"User with ID {given} does not exist", status=404)
        if other == request.user:
            return refused("Cannot start a conversation with yourself")
        conversation = self.get_queryset().filter(participants=other).first()
        status = 200
        if conversation is None:
            conversation, status = Conversation.objects.create(), 201
            conversation.participants.set([request.user, other])
        return Response(self.get_serializer(conversation).data, status=status)

    @action(detail=True)
    def messages(self, request, pk):
        """What was said and not deleted, oldest first."""
        messages = self.get_object().messages.filter(is_deleted=False).order_by("timestamp", "id")
        pages = Pages()
        page = pages.paginate_queryset(messages.select_related("sender"), request)
        return pages.get_paginated_response(MessageObject(page, many=True).data)

    @action(detail=True, methods=["post"])
    def send_message(self, request, pk):
        """Says something."""
        content = (request.data.get("content") or "").strip()
        if not content:
            return refused("Either content or attachment must be provided")
        message = Message.objects.create(conversation=self.get_object(), sender=request.user, content=content)
        return Response(MessageObject(message).data, status=201)


class Messages(RetrieveModelMixin, GenericViewSet):
    """Those of one's conversations."""

    serializer_class = MessageObject

    def get_queryset(self):
        return Message.objects.filter(conversation__participants=self.request.user)

    @action(detail=True, methods=["post"])
    def mark_read(self, request, pk):
        """It was read."""
        message = self.get_object()
        message.is_read, message.read_at = True, now()
        message.save()
        return Response({"status": "message marked as read"})

    @action(detail=True, methods=["patch"])
    def edit(self, request, pk):
        """Another text for one's own message."""
        message = self.get_object()
        if message.sender != request.user:
            return refused("You can only edit your own messages", status=403)
        if message.is_deleted:
            return refused("Cannot edit a deleted message")
        content = (request.data.get("content") or "").strip()
        if not content:
            return refused("Content is required and cannot be empty")
        message.content, message.edited_at = content, now()
        message.save()
        return Response({"status": "message edited successfully", "edited_at": message.edited_at})

    @action(detail=True, methods=["delete"])
    def soft_delete(self, request, pk):
        """One's own message is no more to be seen."""
        message = self.get_object()
        if message.sender != request.user:
            return refused("You can only delete your own messages", status=403)
        if message.is_deleted:
            return refused("Message is already deleted")
        message.is_deleted, message.content = True, ""
        message.save()
        return Response({"status": "message deleted successfully"})


def refused(text, status=400):
    return Response({"error": text}, status=status)
