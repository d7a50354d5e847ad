// The people of a practice, or of the house: who is invited, works here, or is shut out.

import { ask } from "./api.js";
import { copy, guarded, named, presses, sends } from "./forms.js";
import { everybody } from "./everybody.js";
import { begin } from "./frame.js";
import { practice } from "./practice.js";
import { Recoveries } from "./recoveries.js";
import { language, word } from "./words.js";

const OF_PRACTICE = new Set(["dentist", "practice_manager"]);
const RUNS = new Set(["administrator", "practice_manager"]);
const main = document.getElementById("main");
const list = document.getElementById("people");
const form = document.getElementById("invite");

await begin((session) => {
  const isManager = session.account.controller_id !== null;
  const recoveries = new Recoveries(document.getElementById("lost"), isManager);

  async function load() {
    const found = (await ask("GET", "/accounts")).accounts;
    list.replaceChildren(...found.map((person) => row(person, person.id === session.account.id, load)));
    recoveries.knows(found.filter((person) => person.id !== session.account.id));
  }

  /** A manager invites to the own practice alone; anybody else names the practice. */
  function askPractice() {
    const needed = !isManager && OF_PRACTICE.has(form.elements.role.value);
    form.querySelector("[data-practice]").hidden = !needed;
  }

  function reset() {
    form.reset();
    form.elements.language.value = language;
    askPractice();
  }

  for (const option of [...form.elements.role.options]) {
    if (isManager && !OF_PRACTICE.has(option.value)) {
      option.remove();
    }
  }
  form.elements.role.addEventListener("change", askPractice);
  sends(form, async (values) => {
    const given = Object.entries(values).filter(([, value]) => value !== "");
    const answer = await ask("POST", "/accounts", Object.fromEntries(given));
    reset();
    say(answer.mailed ? "invited-now" : "not-mailed", answer.email);
    await load();
  });
  reset();
  return Promise.all([
    guarded(main, form.querySelector("button"), async () => {
      await load();
      await recoveries.load();
    }),
    isManager && practice(document.getElementById("practice")),
    RUNS.has(session.account.role) && everybody(document.getElementById("signed-in")),
  ]);
});

function row(person, isOwn, load) {
  const name = person.name ?? person.email;
  const about = [person.name && person.email, word(person.role), word(person.state)];
  const made = copy("person", { name, about: about.filter(Boolean).join(" · ") });
  const [invite, shut] = made.querySelectorAll("button");
  const isOut = person.state === "disabled";
  invite.hidden = person.state !== "invited";
  shut.hidden = isOwn;
  shut.textContent = word(isOut ? "let-in" : "shut-out");
  named(invite, word("invite-again", { name }));
  named(shut, word(isOut ? "let-in-name" : "shut-out-name", { name }));
  presses(invite, main, async () => {
    const answer = await ask("POST", `/accounts/${person.id}/invitation`);
    say(answer.mailed ? "invited-again" : "not-mailed", name);
  });
  presses(shut, main, async () => {
    await ask("PATCH", `/accounts/${person.id}`, { disabled: !isOut });
    say(isOut ? "is-in" : "is-out", name);
    await load();
    document.getElementById("people-title").focus();
  });
  return made;
}

function say(key, name) {
  document.getElementById("page-done").textContent = word(key, { name });
}
