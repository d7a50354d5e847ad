// The coordinator's day: what waits, what is late, what is being planned, who has how much to do.

import { ask } from "./api.js";
import { byDue, casesIn, day, dueWord, fromToday, isLate, reference } from "./cases.js";
import { copy, guarded, named } from "./forms.js";
import { begin } from "./frame.js";
import { called, counted, giving } from "./give.js";
import { word } from "./words.js";

const [waiting, late, planned, people] = ["waiting", "late", "planned", "planners"].map((id) =>
  document.getElementById(id),
);
let planners = [];

await begin(async () => {
  const give = giving(document.getElementById("give"), async (said) => {
    document.getElementById("page-done").textContent = said;
    await load();
    waiting.querySelector("h2").focus();
  });

  async function load() {
    const [handedIn, inPlanning, known] = await Promise.all([
      casesIn("submitted"),
      casesIn("planning"),
      ask("GET", "/planners"),
    ]);
    planners = known.planners;
    const alone = inPlanning.filter((each) => each.assignments.length === 0);
    const busy = inPlanning.filter((each) => each.assignments.length > 0 && !each.frozen);
    show(waiting, [...handedIn, ...alone].filter((each) => !each.frozen).sort(byDue));
    show(late, busy.filter(isLate).sort(byDue));
    show(planned, busy.filter((each) => !isLate(each)).sort(byDue));
    fill(people, planners.map(burden));
  }

  function show(section, found) {
    fill(section, found.map(row));
    document.querySelector(`[data-count="${section.id}"]`).textContent = found.length;
  }

  function row(found) {
    const name = reference(found.id);
    const has = found.assignments.length > 0;
    const made = copy("case", {
      name: word("case", { reference: name }),
      late: isLate(found) ? word("late") : null,
      about: [word(`treatment-${found.treatment}`), standing(found), dueWord(found)].join(" · "),
    });
    made.querySelector("a").href = `/cases/${found.id}`;
    const button = made.querySelector("button");
    button.textContent = word(has ? "move" : "give");
    named(button, word(has ? "move-case" : "give-case", { reference: name }));
    button.addEventListener("click", () => give(found, planners));
    return made;
  }

  await guarded(waiting, waiting, load);
});

/** Where a case stands: with whom, or since when with nobody. */
function standing(found) {
  if (found.state === "submitted") {
    return word("handed-in", { when: fromToday(found.submitted_at) });
  }
  const said = found.assignments.map((each) => {
    const planner = called(planners.find((one) => one.id === each.account_id) ?? each);
    return each.ends_at ? word("with-until", { planner, day: day(each.ends_at) }) : word("with", { planner });
  });
  return said.join(", ") || word("nobody");
}

function burden(planner) {
  const made = copy("planner", {
    name: called(planner),
    email: planner.name === null ? null : planner.email,
    planned: counted("cases", planner.planned),
  });
  const meter = made.querySelector("meter");
  meter.max = Math.max(1, ...planners.map((each) => each.planned));
  meter.value = planner.planned;
  named(meter, called(planner));
  return made;
}

function fill(section, rows) {
  section.querySelector("[data-list]").replaceChildren(...rows);
  section.querySelector("[data-none]").hidden = rows.length > 0;
}
