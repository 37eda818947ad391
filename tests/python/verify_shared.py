"""A service that shares the keys of HS256. docs/API.md shows the middle of it."""

import os
import sys

import jwt

ISSUER = os.environ["ISSUER"]

# What `daemun keys show` printed, kept like a password.
with open("daemun-keys.json") as file:
    KEYS = jwt.PyJWKSet.from_json(file.read())


def claims_of(token):
    """What an access token says; jwt.PyJWTError or KeyError if it is not good."""
    return jwt.decode(
        token,
        KEYS[jwt.get_unverified_header(token)["kid"]],
        algorithms=["HS256"],
        issuer=ISSUER,
        audience="daemun",
        options={"require": ["exp", "iat", "sub", "jti"]},
    )


for line in sys.stdin:
    try:
        print("is", claims_of(line.strip())["sub"])
    except (jwt.PyJWTError, KeyError) as error:
        print("refused", type(error).__name__)
