"""Who may open a socket, and with which code the others are sent away."""

from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Account
from chat.models import Conversation


class Refused(Exception):
    """Closed with this code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


@database_sync_to_async
def admit(query, conversation):
    """The account whose token is in the query, if it takes part in the conversation."""
    token = parse_qs(query.decode()).get("token", [""])[0]
    try:
        account = Account.objects.get(id=AccessToken(token)["user_id"])
    except (TokenError, Account.DoesNotExist) as error:
        raise Refused(4001) from error
    try:
        participants = Conversation.objects.get(id=conversation).participants
    except Conversation.DoesNotExist as error:
        raise Refused(4004) from error
    if not participants.filter(id=account.id).exists():
        raise Refused(4003)
    return account
