"""Logging in, and staying so."""

from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import Account


class Credentials(Serializer):
    """A name, or else an email, and a password."""

    username = CharField(required=False, allow_blank=True)
    email = CharField(required=False, allow_blank=True)
    password = CharField()


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def login(request):
    """Tokens for a password."""
    credentials = Credentials(data=request.data)
    credentials.is_valid(raise_exception=True)
    account = account_named(credentials.validated_data)
    if account is None or not account.is_active or not account.check_password(credentials.validated_data["password"]):
        raise AuthenticationFailed("No active account found with the given credentials")
    refresh = RefreshToken.for_user(account)
    refresh["username"] = account.username
    refresh["email"] = account.email
    refresh["account_id"] = account.id
    refresh["profile_types"] = account.profile_types()
    described = {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "profile_types": account.profile_types(),
    }
    return Response({"access": str(refresh.access_token), "refresh": str(refresh), "account": described})


def account_named(credentials):
    """By its username; by its email if none is given."""
    if username := credentials.get("username"):
        return Account.objects.filter(username=username).first()
    accounts = Account.objects.filter(email__iexact=credentials.get("email", ""))
    if accounts.count() > 1:
        raise ValidationError({"detail": "Multiple accounts use this email. Please login with username."})
    if not accounts:
        raise AuthenticationFailed("Invalid credentials.")
    return accounts.first()


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def refresh_token(request):
    """A new access token for the refresh token in the header of that name."""
    given = request.headers.get("refresh")
    if not given:
        raise ValidationError({"refresh": ["This field is required."]})
    try:
        refresh = RefreshToken(given)
    except TokenError as error:
        raise ValidationError(["Invalid or blacklisted token"]) from error
    return Response({"access": str(refresh.access_token), "refresh": given})
