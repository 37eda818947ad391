"""A Django site that takes Daemun's access tokens with SimpleJWT as it comes. docs/API.md shows its
settings.

Reads tokens from standard input, one a line, asks the site's one page with each, and says what came.
"""

import os
import sys

import django
from django.conf import settings

ISSUER = os.environ["ISSUER"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}

SIMPLE_JWT = {
    "ALGORITHM": "ES256",
    "JWK_URL": ISSUER + "/.well-known/jwks.json",
    "ISSUER": ISSUER,
    "AUDIENCE": "daemun",
}

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    REST_FRAMEWORK=REST_FRAMEWORK,
    ROOT_URLCONF=__name__,
    SECRET_KEY="the site's own, with which it signs none of these tokens",
    SIMPLE_JWT=SIMPLE_JWT,
)
django.setup()

from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class WhoAmI(APIView):
    def get(self, request):
        user = request.user
        return Response({"id": user.id, "is_staff": user.is_staff, "email": user.token.get("email")})


urlpatterns = [path("who-am-i", WhoAmI.as_view())]

for line in sys.stdin:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer " + line.strip())
    answer = client.get("/who-am-i")
    print(answer.status_code, answer.content.decode())
