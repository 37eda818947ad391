// Comfort only: every page works without this file, and nothing typed here leaves the page except by the form itself.
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
    button.className = "peek";
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

  // A rough guess at the password's strength; the server has the last word.
  const plain = (text) => text.normalize("NFC").toLowerCase();

  // Neighbours that repeat or count up or down: "aaaa", "1234", "dcba".
  const steps = (chars) => {
    let found = 0;
    for (let i = 1; i < chars.length; i++) {
      if (Math.abs(chars[i].codePointAt(0) - chars[i - 1].codePointAt(0)) <= 1) found++;
    }
    return found;
  };

  const judge = (typed, email, min) => {
    const text = plain(typed);
    const chars = [...text];
    const missing = min - [...typed.normalize("NFC")].length;
    if (missing > 0) return ["short", missing];
    if (/^\p{Nd}+$/u.test(text)) return ["digits"];
    if (plain(email).split(/[^\p{L}\p{N}]+/u).some((part) => part.length > 3 && text.includes(part))) return ["email"];
    const kinds = new Set(chars).size;
    if (kinds < 5 || steps(chars) > chars.length / 2) return ["simple"];
    return [chars.length >= min + 6 && kinds > 8 ? "good" : "fair"];
  };

  for (const line of document.querySelectorAll("[data-strength-of]")) {
    const input = document.getElementById(line.dataset.strengthOf);
    if (!input) continue;
    const email = document.getElementById("email");
    const say = () => {
      const [verdict, missing] = judge(input.value, email ? email.value : "", Number(line.dataset.min) || 8);
      const sentence = input.value ? (line.dataset[verdict] || "").replace("{count}", missing) : "";
      if (line.textContent !== sentence) line.textContent = sentence;
      line.className = input.value ? "strength " + verdict : "strength";
    };
    let soon;
    const later = () => {
      clearTimeout(soon);
      soon = setTimeout(say, 400);
    };
    input.addEventListener("input", later);
    if (email) email.addEventListener("input", later);
  }
})();
