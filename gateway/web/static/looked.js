// Who looked at a case: by person, and in the order of time; and reporting what is odd.

import { ask } from "./api.js";
import { copy, named, presses, sends } from "./forms.js";
import { moment, word } from "./words.js";

const OWN = new Set(["dentist", "practice_manager", "service"]);
const AT_ONCE = 30;
let part = null;

/** Show the section for this case. */
export function looked(section, known) {
  part ??= new Looked(section, known.case.id);
  section.hidden = false;
}

class Looked {
  constructor(section, id) {
    this.section = section;
    this.others = section.querySelector("[data-others]");
    this.more = section.querySelector("[data-more]");
    this.dialog = document.getElementById("misuse");
    const show = section.querySelector("[data-show]");
    presses(show, section, async () => {
      this.looks = joined((await ask("GET", `/cases/${id}/events`)).events);
      this.shown = AT_ONCE;
      this.people();
      this.timeline();
      section.querySelector("[data-log]").hidden = false;
      show.parentElement.hidden = true;
      section.querySelector("h2").focus();
    });
    this.others.addEventListener("change", () => this.timeline());
    this.more.addEventListener("click", () => {
      this.shown += AT_ONCE;
      this.timeline();
    });
    this.dialog.querySelector("[data-close]").addEventListener("click", () => this.dialog.close());
    sends(this.dialog.querySelector("form"), async ({ words }) => {
      await ask("POST", `/cases/${id}/misuse-reports`, { words });
      this.dialog.close();
      section.querySelector(".done").textContent = word("reported");
    });
  }

  people() {
    const found = new Map();
    for (const look of this.looks) {
      const looker = found.get(look.actor.id) ?? { ...look, number: 0 };
      found.set(look.actor.id, { ...looker, number: looker.number + look.number });
    }
    const rows = [...found.values()].map(({ actor, number, at }) => {
      const about = word(number > 1 ? "looks-n" : "looks-1", { number, last: moment(at) });
      return copy("looker", { name: actor.email ?? actor.title, title: actor.email && actor.title, about });
    });
    this.section.querySelector("[data-people]").replaceChildren(...rows);
  }

  timeline() {
    const wanted = this.looks.filter((look) => !this.others.checked || isOther(look));
    const rows = wanted.slice(0, this.shown).map((look) => this.row(look));
    this.section.querySelector("[data-timeline]").replaceChildren(...rows);
    this.section.querySelector("[data-none]").hidden = wanted.length > 0;
    this.more.hidden = wanted.length <= this.shown;
  }

  row(look) {
    const { actor, number, act } = look;
    const [who, when] = [actor.email ?? actor.title, moment(look.at)];
    const made = copy("look", {
      when,
      who,
      act: word(number > 1 ? "act-n" : "act-1", { act, number }),
      wrong: look.refused ? word("was-refused") : look.broken ? word("was-broken") : null,
      why: look.refused || !isOther(look) ? null : word("because", { why: look.why }),
    });
    const button = named(made.querySelector("button"), word("report-look", { who, when }));
    button.hidden = !isOther(look);
    button.addEventListener("click", () => {
      this.dialog.querySelector("textarea").value = word("odd-look", { who, when, act });
      this.dialog.showModal();
      this.dialog.querySelector("textarea").focus();
    });
    return made;
  }
}

/** Acts with what became of them, newest first; the same one again and again is one. */
function joined(events) {
  const looks = [];
  const begun = new Map();
  for (const event of events) {
    const before = event.stage === "outcome" && begun.get(event.cause);
    if (before) {
      before.refused ||= "refusal" in event.detail;
      before.broken ||= event.detail.ended === false;
      continue;
    }
    const look = { ...event, number: 1, broken: false, refused: event.stage === "refused" };
    begun.set(event.id, look);
    looks.push(look);
  }
  looks.sort((one, other) => (one.at < other.at ? 1 : -1));
  return looks.reduce(gathered, []);
}

function gathered(kept, look) {
  const last = kept.at(-1);
  if (last && ["event", "ground", "refused", "broken"].every((key) => last[key] === look[key])) {
    if (last.actor.id === look.actor.id && last.at.slice(0, 10) === look.at.slice(0, 10)) {
      last.number += 1;
      return kept;
    }
  }
  kept.push(look);
  return kept;
}

function isOther(look) {
  return !OWN.has(look.actor.role) && look.actor.role !== "system";
}
