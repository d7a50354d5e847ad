// Where a case stands, whose it is, and what its practice sent and got.

import { day, dueWord, fromToday, isLate, reference } from "./cases.js";
import { Download } from "./download.js";
import { copy, named, presses } from "./forms.js";
import { size, word } from "./words.js";

const SENT = new Set(["submitted", "planning", "completed"]);
const KINDS = ["scan", "photo"];

/** The steps of a case, and its facts. */
export function head(section, { case: found }) {
  const { patient } = found;
  const name = patient?.name ?? word("case", { reference: reference(found.id) });
  document.querySelector("h1").textContent = name;
  // The browser keeps titles in its history: no name of a patient is in one.
  document.title = `${word("case", { reference: reference(found.id) })} · Kluis`;
  for (const step of section.querySelectorAll("[data-step]")) {
    step.toggleAttribute("data-now", step.dataset.step === found.state);
    step.ariaCurrent = step.dataset.step === found.state ? "step" : null;
  }
  section.querySelector("[data-steps]").hidden = found.state === "erased";
  const note = section.querySelector("[data-note]");
  const why = ["erased", "frozen", "restricted"].find((each) => found[each] || found.state === each);
  note.hidden = !why;
  note.textContent = why ? word(`note-${why}`) : "";
  const facts = {
    born: patient && day(patient.birth_date),
    number: patient?.number,
    treatment: word(`treatment-${found.treatment}`),
    due: found.due ? `${day(found.due)}, ${fromToday(found.due)}` : dueWord(found),
    reference: reference(found.id),
    notes: found.notes || word("no-notes"),
  };
  for (const [fact, text] of Object.entries(facts)) {
    section.querySelector(`[data-fact="${fact}"]`).textContent = text ?? "";
  }
  section.querySelector('[data-fact="due"]').classList.toggle("late", isLate(found));
  for (const part of section.querySelectorAll("[data-practice]")) {
    part.hidden = !patient;
  }
  section.hidden = false;
}

let plans = null;

/** The plan, once there is one. */
export function planReady(section, { case: found }) {
  const made = found.files.filter(({ kind, state }) => kind === "plan" && state === "accepted");
  section.hidden = found.state !== "completed" || made.length === 0;
  plans ??= new Download(section);
  const buttons = made.map((file) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word("get-plan", { number: file.number, size: size(file.size) });
    presses(button, section, () => plans.take(`/cases/${found.id}/files/${file.id}/content`, file.size));
    return button;
  });
  section.querySelector("[data-plans]").replaceChildren(...buttons);
}

let files = null;

/** What was handed in, and what was found about it. */
export function sentFiles(section, { case: found }) {
  const kept = found.files.filter(({ kind, state }) => KINDS.includes(kind) && state === "accepted");
  section.hidden = !SENT.has(found.state) || found.frozen || kept.length === 0;
  if (files === null) {
    files = new Download(section);
    const whole = () => kept.reduce((sum, file) => sum + file.size, 0);
    presses(section.querySelector("[data-archive]"), section, () => files.take(`/cases/${found.id}/archive`, whole()));
  }
  kept.sort((one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind) || one.number - other.number);
  section.querySelector("[data-list]").replaceChildren(...kept.map((file) => row(section, found, file)));
}

function row(section, found, file) {
  const number = file.report?.findings.length ?? 0;
  const place = word(`place-${file.kind}`, { name: word(`slot-${file.slot ?? "none"}`) });
  const state = number === 0 ? word("file-usable") : word(`file-with-findings-${number > 1 ? "n" : "1"}`, { number });
  const made = copy("kept", { place, name: file.name, state });
  made.dataset.state = "accepted";
  const get = named(made.querySelector("[data-get]"), word("get-name", { name: place }));
  presses(get, section, () => files.take(`/cases/${found.id}/files/${file.id}/content`, file.size));
  return made;
}
