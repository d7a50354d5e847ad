// The cases of the practice: what stands where, what wants a look, and whose a case is.

import { ask } from "./api.js";
import { day, dueWord, isLate, isoDay, reference, stateWord } from "./cases.js";
import { copy, guarded, presses, sends } from "./forms.js";
import { begin } from "./frame.js";
import { word } from "./words.js";

const PAGE = 50;
const OPEN = new Set(["draft", "submitted", "planning"]);

const section = document.getElementById("list");
const [list, more, all, said] = ["list", "more", "all", "said"].map((name) => section.querySelector(`[data-${name}]`));
const filters = [...section.querySelectorAll(".filter")];
let state = "";
let next = null;
let turn = 0; // an answer to what was asked before another choice is too late

await begin(async () => {
  for (const filter of filters) {
    presses(filter, section, () => choose(filter.dataset.state));
  }
  presses(more, section, async () => {
    const before = list.childElementCount;
    await page(next);
    list.children[before]?.querySelector("a").focus();
  });
  presses(all, section, async () => {
    document.getElementById("search").reset();
    await choose("");
    section.querySelector("h2").focus();
  });
  sends(document.getElementById("search"), ({ wanted }) => search(wanted.trim()));
  await guarded(section, more, () => choose(""));
});

/** Show the cases in a state; "": all. */
async function choose(chosen) {
  state = chosen;
  turn += 1;
  for (const filter of filters) {
    filter.setAttribute("aria-pressed", String(filter.dataset.state === state));
  }
  list.replaceChildren();
  said.textContent = "";
  all.hidden = true;
  await page(null);
}

async function page(before) {
  const query = new URLSearchParams({ limit: PAGE, ...(state && { state }), ...(before && { before }) });
  const mine = turn;
  const found = await ask("GET", `/cases?${query}`);
  if (mine !== turn) {
    return;
  }
  list.append(...found.cases.map(row));
  next = found.next;
  more.hidden = next === null;
  none(list.childElementCount > 0 ? "" : state === "" ? "all" : "state");
}

/** Show a patient's cases, by whatever was typed: a day is a birth date, a digit means a number. */
async function search(wanted) {
  turn += 1;
  const mine = turn;
  let found = [];
  for (const body of questions(wanted)) {
    found = (await ask("POST", "/cases/search", body)).cases;
    if (found.length > 0) {
      break;
    }
  }
  if (mine !== turn) {
    return;
  }
  for (const filter of filters) {
    filter.setAttribute("aria-pressed", "false");
  }
  list.replaceChildren(...found.map(row));
  more.hidden = true;
  all.hidden = false;
  said.textContent = found.length > 0 ? word(found.length > 1 ? "found-n" : "found-1", { number: found.length }) : "";
  none(found.length > 0 ? "" : "search");
}

function questions(wanted) {
  const birth = isoDay(wanted);
  if (birth !== null) {
    return [{ birth_date: birth }];
  }
  const both = [{ patient_name: wanted }, { patient_number: wanted }];
  return /\d/.test(wanted) ? both.reverse() : both;
}

function none(kind) {
  for (const each of section.querySelectorAll("[data-empty]")) {
    each.hidden = each.dataset.empty !== kind;
  }
}

function row(found) {
  const { patient, glance } = found;
  const treatment = word(`treatment-${found.treatment}`);
  const about = patient
    ? word("about-patient", { born: day(patient.birth_date), number: patient.number, treatment })
    : word("about-nobody", { begun: day(found.created_at), treatment });
  const isOpen = OPEN.has(found.state);
  const made = copy("case-row", {
    name: patient?.name ?? word("case", { reference: reference(found.id) }),
    about,
    state: found.state === "completed" && glance.plans > 0 ? word("plan-ready") : stateWord(found),
    badge: badge(found),
    files: found.state === "erased" ? "" : word("files", glance),
    due: isOpen && found.due ? dueWord(found) : "",
  });
  made.dataset.state = found.state;
  made.querySelector("a").href = `/cases/${found.id}`;
  made.querySelector('[data-field="due"]').classList.toggle("late", isLate(found));
  return made;
}

/** The one thing that a person should look at first. */
function badge(found) {
  const { glance, restricted } = found;
  if (restricted) {
    return word("restricted");
  }
  if (found.state === "draft" && glance.refused > 0) {
    return counted("refused", glance.refused);
  }
  if (glance.warnings > 0 && OPEN.has(found.state)) {
    return counted("look", glance.warnings);
  }
  return "";
}

function counted(name, number) {
  return word(`${name}-${number > 1 ? "n" : "1"}`, { number });
}
