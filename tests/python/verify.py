"""A service that verifies access tokens with PyJWT. docs/API.md shows the middle of it.

Reads tokens from standard input, one a line, and says of each whose it is or why it is refused.
"""

import os
import sys

import jwt

ISSUER = os.environ["ISSUER"]
KEYS = jwt.PyJWKClient(ISSUER + "/.well-known/jwks.json")


def claims_of(token):
    """What an access token says; jwt.PyJWTError if it is not good."""
    claims = jwt.decode(
        token,
        KEYS.get_signing_key_from_jwt(token),
        algorithms=["ES256", "EdDSA"],
        issuer=ISSUER,
        audience="daemun",
        options={"require": ["exp", "iat", "sub", "jti"]},
    )
    if claims.get("token_type") != "access":
        raise jwt.InvalidTokenError("not an access token")
    return claims


for line in sys.stdin:
    try:
        print("is", claims_of(line.strip())["sub"])
    except jwt.PyJWTError as error:
        print("refused", type(error).__name__)
