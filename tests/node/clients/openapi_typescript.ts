// Signs up, logs in, refreshes and reads the user with the types of openapi-typescript.

import createClient from "openapi-fetch";
import type { paths } from "./generated";

const email = "openapi-typescript@example.com";
const password = "violet harbour 42 lantern";

async function main() {
  const api = createClient<paths>({ baseUrl: process.env.ORIGIN });
  const body = { email, password1: password, password2: password, gender: "female" as const };
  const joined = await api.POST("/api/account/join", { body });
  if (!joined.data) throw new Error(JSON.stringify(joined.error));

  const pair = await api.POST("/api/token", { body: { email, password } });
  if (!pair.data) throw new Error(JSON.stringify(pair.error));
  const next = await api.POST("/api/token/refresh", { body: { refresh: pair.data.refresh } });
  if (!next.data) throw new Error(JSON.stringify(next.error));

  const headers = { Authorization: `Bearer ${next.data.access}` };
  const user = await api.GET("/api/account/user", { headers });
  if (!user.data) throw new Error(JSON.stringify(user.error));
  console.log(user.data.email, user.data.gender);

  const wrong = await api.POST("/api/token", { body: { email, password: "wrong" } });
  console.log(wrong.response.status, "code" in wrong.error! && wrong.error.code);
}

void main();
