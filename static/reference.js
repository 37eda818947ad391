// The forms of /api that change something: each sends its body with the token of one's choice, and never with the
// browser's own cookies. Without this file they stay hidden; the commands above them do the same.
(() => {
  "use strict";

  const token = document.getElementById("token");
  token.closest(".field").hidden = false;

  for (const form of document.querySelectorAll("form[data-method]")) {
    const fields = form.elements;
    const output = form.querySelector("output");
    const path = () => form.dataset.path.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(fields[name].value));
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const headers = {};
      if (token.value.trim()) headers.Authorization = `Bearer ${token.value.trim()}`;
      if (fields.body) headers["Content-Type"] = "application/json";
      const body = fields.body && fields.body.value;
      output.textContent = "…";
      try {
        const answer = await fetch(path(), { method: form.dataset.method, headers, body, credentials: "omit" });
        output.textContent = `${answer.status} ${await answer.text()}`;
      } catch (error) {
        output.textContent = String(error);
      }
    });
  }
})();
