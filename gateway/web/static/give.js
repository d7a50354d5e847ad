// Giving a case to a planner, in a dialog over the page.

import { ask } from "./api.js";
import { day, reference, today } from "./cases.js";
import { sends } from "./forms.js";
import { word } from "./words.js";

const USUAL_DAYS = 14;

/** A word about a number: of none, of one, of several. */
export function counted(name, number, values = {}) {
  return word(`${name}-${number > 1 ? "n" : number}`, { number, ...values });
}

/** A planner as people know them. */
export function called(planner) {
  return planner.name ?? planner.email;
}

/** Bring the dialog to life; `given(words)` once a case is given. What opens it for a case. */
export function giving(dialog, given) {
  const form = dialog.querySelector("form");
  let found;
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  sends(form, async ({ email, until }) => {
    const before = found.assignments.filter((each) => each.email !== email && !isOver(each));
    await ask("POST", `/cases/${found.id}/assignments`, { email, until });
    for (const each of before) {
      await ask("DELETE", `/cases/${found.id}/assignments/${each.id}`);
    }
    dialog.close();
    const planner = form.elements.email.selectedOptions[0].dataset.planner;
    await given(word("given", { reference: reference(found.id), planner, day: day(until) }));
  });

  return (about, planners) => {
    found = about;
    const has = new Set(about.assignments.filter((each) => !isOver(each)).map((each) => each.account_id));
    const others = planners.filter((each) => !has.has(each.id));
    others.sort((one, other) => one.planned - other.planned);
    form.elements.email.replaceChildren(...others.map(option));
    form.elements.until.value = today(USUAL_DAYS);
    form.elements.until.min = today();
    form.querySelector("[data-moved]").hidden = has.size === 0;
    form.querySelector(".problem").textContent = "";
    document.getElementById("give-title").textContent = word("give-title", { reference: reference(about.id) });
    dialog.showModal();
    form.elements.email.focus();
  };
}

/** Whether an assignment has ended. */
export function isOver(assignment) {
  return assignment.ends_at !== null && Date.parse(assignment.ends_at) <= Date.now();
}

function option(planner) {
  const name = called(planner);
  const made = new Option(counted("planner", planner.planned, { planner: name }), planner.email);
  made.dataset.planner = name;
  return made;
}
