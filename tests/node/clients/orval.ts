// Signs up, logs in, refreshes and reads the user with the client of orval, which takes the address of the
// site from the document.

import { accountJoin, accountUserShow, tokenCreate, tokenRefresh } from "./generated";

const email = "orval@example.com";
const password = "violet harbour 42 lantern";

async function main() {
  const joined = await accountJoin({ email, password1: password, password2: password, gender: "female" });
  if (joined.status !== 201) throw new Error(JSON.stringify(joined.data));

  const pair = await tokenCreate({ email, password });
  if (pair.status !== 200) throw new Error(JSON.stringify(pair.data));
  const next = await tokenRefresh({ refresh: pair.data.refresh });
  if (next.status !== 200) throw new Error(JSON.stringify(next.data));

  const user = await accountUserShow({ headers: { Authorization: `Bearer ${next.data.access}` } });
  if (user.status !== 200) throw new Error(JSON.stringify(user.data));
  console.log(user.data.email, user.data.gender);

  const wrong = await tokenCreate({ email, password: "wrong" });
  console.log(wrong.status, "code" in wrong.data && wrong.data.code);
}

void main();
