"""Signs up, logs in, refreshes and reads the user with the client of openapi-python-client.

Generates it from the OpenAPI document whose file and folder for the client it is given: what the generator
says goes to standard error.
"""

import subprocess
import sys
from pathlib import Path

document, folder = sys.argv[1:]
generator = Path(sys.executable).with_name("openapi-python-client")
options = ["generate", "--path", document, "--output-path", f"{folder}/accounts", "--meta", "none"]
subprocess.run([generator, *options], check=True, stdout=sys.stderr)
sys.path.insert(0, folder)

import os  # noqa: E402

from accounts import AuthenticatedClient, Client  # noqa: E402
from accounts.api.account import account_join, account_user_show  # noqa: E402
from accounts.api.tokens import token_create, token_refresh  # noqa: E402
from accounts.models import (  # noqa: E402
    AccountJoinBody,
    AccountJoinBodyGender,
    TokenCreateBody,
    TokenRefreshBody,
)

EMAIL = "python-client@example.com"
PASSWORD = "violet harbour 42 lantern"
ORIGIN = os.environ["ORIGIN"]

client = Client(ORIGIN, raise_on_unexpected_status=True)
body = AccountJoinBody(EMAIL, PASSWORD, PASSWORD, gender=AccountJoinBodyGender.FEMALE)
# No cookies: a client that kept them would be a browser.
joined = account_join.sync_detailed(client=Client(ORIGIN), body=body)
assert joined.status_code == 201, joined

pair = token_create.sync(client=client, body=TokenCreateBody(EMAIL, PASSWORD))
following = token_refresh.sync(client=client, body=TokenRefreshBody(pair.refresh))
user = account_user_show.sync(client=AuthenticatedClient(ORIGIN, following.access))
print(user.email, user.gender)

wrong = token_create.sync_detailed(client=client, body=TokenCreateBody(EMAIL, "wrong"))
print(wrong.status_code.value, wrong.parsed.code)
