// The privacy officer's page: the list of alerts, and one of them at a time.

import { ask } from "./api.js";
import { copy, filled, guarded, named, presses, sends } from "./forms.js";
import { begin } from "./frame.js";
import { reviewing, weeks } from "./review.js";
import { language, moment, word } from "./words.js";

const SEVERITIES = ["high", "warning", "notice"];
const [overview, panel, joining] = ["overview", "alert", "join"].map((id) => document.getElementById(id));
const done = document.getElementById("page-done");
let me = null;
let alert = null; // the one that is looked at

await begin(async (session) => {
  me = session.account.id;
  reviewing();
  for (const button of document.querySelectorAll("[data-back]")) {
    presses(button, button.closest("section"), back);
  }
  presses(panel.querySelector("[data-take]"), panel, async () => {
    show(await ask("POST", `/alerts/${alert.id}/assignment`, {}));
    done.textContent = word("taken");
    panel.querySelector("h2").focus();
  });
  const [comment, dismiss] = ["comment", "dismiss"].map((id) => document.getElementById(id));
  sends(comment, async ({ words }) => {
    show(await ask("POST", `/alerts/${alert.id}/comments`, { words }));
    comment.reset();
    done.textContent = word("commented");
  });
  sends(dismiss, async ({ reason }) => {
    await ask("POST", `/alerts/${alert.id}/dismissal`, { reason });
    await back();
    done.textContent = word("dismissed", { title: title(alert) });
  });
  joining.elements.incident_id.addEventListener("change", titled);
  sends(joining, join);
  await guarded(overview, overview, load);
});

async function load() {
  const [found, reviews] = await Promise.all([openAlerts(), ask("GET", "/reviews")]);
  document.getElementById("noise").textContent = noise(reviews.weeks[0]);
  weeks(reviews.weeks, enter);
  for (const severity of SEVERITIES) {
    const section = document.getElementById(severity);
    const rows = found.filter((each) => each.severity === severity).map(row);
    section.querySelector("[data-list]").replaceChildren(...rows);
    section.querySelector("[data-none]").hidden = rows.length > 0;
    document.querySelector(`[data-count="${severity}"]`).textContent = rows.length;
  }
}

async function openAlerts() {
  const found = [];
  let before = "";
  do {
    const answer = await ask("GET", `/alerts?limit=200${before}`);
    found.push(...answer.alerts);
    before = answer.next === null ? null : `&before=${answer.next}`;
  } while (before !== null);
  return found;
}

/** How much the watch says, by the last week that is over. */
function noise(week) {
  if (week === undefined) {
    return word("no-noise");
  }
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const all = SEVERITIES.reduce((sum, each) => sum + week.noise[each], 0);
  return word("noise", { week: week.week, all: number.format(all), high: number.format(week.noise.high) });
}

function row(found) {
  const made = copy("row", { title: title(found), about: about(found) });
  const button = made.querySelector("button");
  named(button, word("look", { title: title(found), at: moment(found.at) }));
  presses(button, overview, async () => {
    const [seen] = await Promise.all([ask("GET", `/alerts/${found.id}`), incidents()]);
    for (const form of panel.querySelectorAll("form")) {
      form.reset();
    }
    for (const opened of panel.querySelectorAll("details")) {
      opened.open = false;
    }
    titled();
    show(seen);
    enter(panel);
  });
  return made;
}

/** Show this section instead of the overview. */
function enter(section) {
  overview.hidden = true;
  section.hidden = false;
  done.textContent = "";
  section.querySelector("h2").focus();
}

async function back() {
  await load();
  panel.hidden = true;
  document.getElementById("week").hidden = true;
  overview.hidden = false;
  done.textContent = "";
  document.querySelector("h1").focus();
}

function show(seen) {
  alert = seen;
  filled(panel, { title: title(seen), severity: word(`severity-${seen.severity}`), about: about(seen) });
  for (const place of panel.querySelectorAll("[data-prose]")) {
    place.replaceChildren(...prose(seen[place.dataset.prose]));
  }
  const reports = panel.querySelector("[data-reports]");
  reports.hidden = seen.reports.length === 0;
  reports.querySelector("[data-list]").replaceChildren(...seen.reports.map((each) => copy("report", each)));
  panel.querySelector("[data-facts]").replaceChildren(...facts(seen));
  panel.querySelector("[data-notes]").replaceChildren(...seen.notes.map(note));
  panel.querySelector("[data-unsaid]").hidden = seen.notes.length > 0;
  panel.querySelector("[data-take]").hidden = seen.assigned_to === me;
}

function title(found) {
  return word(`title-${found.rule}`);
}

function about(found) {
  const often = { at: moment(found.at), number: found.count };
  const holder = found.assigned_to === null ? "free" : found.assigned_to === me ? "mine" : "theirs";
  return `${word(found.count > 1 ? "found-n" : "found-1", often)} · ${word(holder)}`;
}

/** A text with its commands, which stand between backquotes. */
function prose(text) {
  return text.split("`").map((part, number) => {
    if (number % 2 === 0) {
      return part;
    }
    const command = document.createElement("code");
    command.textContent = part;
    return command;
  });
}

function facts(seen) {
  const places = [seen.first_index, seen.last_index];
  const known = [
    [word("fact-rule"), seen.rule],
    [word("fact-log"), [...new Set(places)].join("–")],
    [word("fact-account"), seen.account_id],
    [word("fact-case"), seen.case_id],
    [word("fact-practice"), seen.controller_id],
    [word("fact-address"), seen.address],
    ...Object.entries(seen.facts),
  ];
  return known
    .filter(([, value]) => value !== null)
    .map(([name, value]) => copy("fact", { name, value: String(value) }));
}

function note({ kind, by, at, words }) {
  const took = by === words ? "took" : "gave";
  const what = kind === "comment" ? words : word(`note-${kind === "dismissal" ? kind : took}`, { words });
  return copy("note", { when: moment(at), what, who: word(by === me ? "you" : "colleague") });
}

async function incidents() {
  const { incidents: found } = await ask("GET", "/incidents?limit=200");
  const options = found.map((each) => new Option(each.title, each.id));
  joining.elements.incident_id.replaceChildren(new Option(word("new-incident"), ""), ...options);
}

/** A title is asked for where the incident is a new one. */
function titled() {
  const known = joining.elements.incident_id.value !== "";
  joining.querySelector("[data-new]").hidden = known;
  joining.elements.title.disabled = known;
}

async function join({ incident_id: chosen, title: name }) {
  const select = joining.elements.incident_id;
  if (chosen === "") {
    const opened = await ask("POST", "/incidents", { title: name });
    // Whoever tries again after a refusal joins this one, and opens no second.
    select.add(new Option(opened.title, opened.id, true, true));
    titled();
  }
  const joined = await ask("POST", `/alerts/${alert.id}/incident`, { incident_id: select.value });
  done.textContent = word("joined", { title: joined.title });
  panel.querySelector("h2").focus();
}
