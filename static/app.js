// Comfort only: every page works without this file. Nothing typed here leaves the page except by the form itself, and a
// new password to the same server, which says what it thinks of it.
(() => {
  "use strict";

  // After an error, start where it is explained.
  const wrong = document.querySelector(".summary") || document.querySelector("[aria-invalid=true]");
  if (wrong) wrong.focus();

  // A personal page out of the browser's memory may be of somebody who has logged out since: the server knows.
  addEventListener("pageshow", (event) => {
    if (!event.persisted || !document.querySelector("[action='/account/logout']")) return;
    document.documentElement.hidden = true;
    location.reload();
  });

  // Instants, in the reader's own time; in lists the day is enough.
  const { lang } = document.documentElement;
  const written = (style) => new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, { dateStyle: "medium", ...style });
  const [moment, day] = [written({ timeStyle: "short" }), written({})];
  for (const time of document.querySelectorAll("time[data-local]")) {
    const instant = new Date(time.dateTime);
    const isDay = time.dataset.local === "day";
    time.title = isDay ? moment.format(instant) : time.textContent;
    time.textContent = (isDay ? day : moment).format(instant);
  }

  // What is being done goes on: look again while somebody is looking.
  if (document.querySelector("[data-reload]")) {
    setInterval(() => document.visibilityState === "visible" && location.reload(), 2000);
  }

  // A button beside each password that shows what was typed.
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
    // Hidden again before it is sent, so that no browser remembers it as ordinary text.
    if (input.form) input.form.addEventListener("submit", () => show(false));
    input.after(button);
  }

  // The server says what it thinks of a new password, in the sentences of the form: one rule for both.
  const told = ["csrf", "email", "name", "date_of_birth"];

  for (const line of document.querySelectorAll("[data-strength-of]")) {
    const input = document.getElementById(line.dataset.strengthOf);
    if (!input || !input.form) continue;
    const fields = input.form.elements;
    const say = (sentence, verdict) => {
      if (line.textContent !== sentence) line.textContent = sentence;
      line.className = verdict ? "strength " + verdict : "strength";
    };
    // Only the last question counts; without an answer the line is silent, and the form will tell.
    let last = 0;
    const ask = async () => {
      const mine = ++last;
      if (!input.value) return say("");
      const body = new URLSearchParams({ owner: line.dataset.owner, password: input.value });
      for (const name of told) if (fields[name]) body.set(name, fields[name].value);
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
    for (const field of [input, ...told.map((name) => fields[name])]) if (field) field.addEventListener("input", later);
  }
})();
