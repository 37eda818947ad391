// Signs up, logs in, refreshes and reads the user with the client of hey-api, which takes the address of the
// site from the document.

import { accountJoin, accountUserShow, tokenCreate, tokenRefresh } from "./generated";

const email = "hey-api@example.com";
const password = "violet harbour 42 lantern";

async function main() {
  const body = { email, password1: password, password2: password, gender: "female" as const };
  await accountJoin({ body, throwOnError: true });

  const pair = await tokenCreate({ body: { email, password }, throwOnError: true });
  const { refresh } = pair.data;
  const next = await tokenRefresh({ body: { refresh }, throwOnError: true });

  // The token goes where the document's security says.
  const auth = (scheme: { type: string }) => (scheme.type === "http" ? next.data.access : undefined);
  const user = await accountUserShow({ auth, throwOnError: true });
  console.log(user.data.email, user.data.gender);

  const wrong = await tokenCreate({ body: { email, password: "wrong" }, throwOnError: false });
  console.log(wrong.response.status, "code" in wrong.error! && wrong.error.code);
}

void main();
