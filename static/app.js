// Comfort only: every page works without this file. What is typed leaves the page only with its form, except a new
// password, which goes to the same server to be checked.
(() => {
  "use strict";

  // After an error, focus its explanation.
  const wrong = document.querySelector(".summary") || document.querySelector("[aria-invalid=true]");
  if (wrong) wrong.focus();

  // A page restored by the Back button may belong to a user who has logged out since: ask the server.
  addEventListener("pageshow", (event) => {
    if (!event.persisted || !document.querySelector("[action='/account/logout']")) return;
    document.documentElement.hidden = true;
    location.reload();
  });

  // Timestamps in local time; lists show the date only.
  const { lang } = document.documentElement;
  const format = (style) => new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, { dateStyle: "medium", ...style });
  const [dateTime, day] = [format({ timeStyle: "short" }), format({})];
  for (const time of document.querySelectorAll("time[data-local]")) {
    const instant = new Date(time.dateTime);
    const isDay = time.dataset.local === "day";
    time.title = isDay ? dateTime.format(instant) : time.textContent;
    time.textContent = (isDay ? day : dateTime).format(instant);
  }

  // A running job: reload while the page is visible.
  if (document.querySelector("[data-reload]")) {
    setInterval(() => document.visibilityState === "visible" && location.reload(), 2000);
  }

  // A button beside each password field that shows the password.
  for (const input of document.querySelectorAll("input[data-show]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "reveal";
    button.textContent = input.dataset.show;
    button.setAttribute("aria-label", input.dataset.showLabel || input.dataset.show);
    button.setAttribute("aria-controls", input.id);
    const show = (shown) => {
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    };
    show(false);
    button.addEventListener("click", () => show(input.type === "password"));
    // Hidden again before the form is sent, so that no browser remembers it as ordinary text.
    if (input.form) input.form.addEventListener("submit", () => show(false));
    input.after(button);
  }

  // The server checks a new password by the same rules as the form, and returns its sentences.
  const sent = ["csrf", "email", "name", "date_of_birth"];

  for (const line of document.querySelectorAll("[data-strength-of]")) {
    const input = document.getElementById(line.dataset.strengthOf);
    if (!input || !input.form) continue;
    const fields = input.form.elements;
    const say = (sentence, verdict) => {
      if (line.textContent !== sentence) line.textContent = sentence;
      line.className = verdict ? "strength " + verdict : "strength";
    };
    // Only the last request counts. Without a response the line stays empty; the form reports the same later.
    let last = 0;
    const ask = async () => {
      const mine = ++last;
      if (!input.value) return say("");
      const body = new URLSearchParams({ owner: line.dataset.owner, password: input.value });
      for (const name of sent) if (fields[name]) body.set(name, fields[name].value);
      let found = {};
      try {
        const answer = await fetch("/account/password/strength", { method: "POST", body });
        if (answer.ok) found = await answer.json();
      } catch { /* offline */ }
      if (mine === last) say((found.sentences || []).join(" "), found.sentences && (found.is_good ? "good" : "weak"));
    };
    let soon;
    const later = () => {
      clearTimeout(soon);
      soon = setTimeout(ask, 400);
    };
    for (const field of [input, ...sent.map((name) => fields[name])]) if (field) field.addEventListener("input", later);
  }
})();
