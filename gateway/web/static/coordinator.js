// Who plans a case, for who hands out the work.

import { ask } from "./api.js";
import { day } from "./cases.js";
import { copy, named, presses } from "./forms.js";
import { giving, isOver } from "./give.js";
import { word } from "./words.js";

const ASSIGNABLE = new Set(["submitted", "planning"]);
let part = null;

/** Show the section for this case. */
export function coordinator(section, known) {
  part ??= new Coordinator(section);
  part.show(known);
}

class Coordinator {
  constructor(section) {
    this.section = section;
    this.done = section.querySelector(".done");
    this.button = section.querySelector("[data-give]");
    const give = giving(document.getElementById("give"), (said) => this.did(said));
    presses(this.button, section, async () => {
      give(this.known.case, (await ask("GET", "/planners")).planners);
    });
  }

  show(known) {
    this.known = known;
    const { assignments, state, frozen } = known.case;
    const open = ASSIGNABLE.has(state) && !frozen;
    this.section.querySelector("[data-list]").replaceChildren(
      ...assignments.map((each) => this.row(each, open)),
    );
    this.section.querySelector("[data-none]").hidden = assignments.length > 0;
    this.button.textContent = word(assignments.every(isOver) ? "give" : "move");
    this.button.hidden = !open;
    this.section.hidden = false;
  }

  row(assignment, open) {
    const [from, until] = [assignment.starts_at, assignment.ends_at].map((at) => at && day(at));
    const said = isOver(assignment) ? "was-until" : until ? "from-until" : "from-on";
    const planner = assignment.email;
    const made = copy("assigned", { name: planner, about: word(said, { from, until }) });
    const button = named(made.querySelector("button"), word("take-away", { planner }));
    button.hidden = !open || isOver(assignment);
    presses(button, this.section, async () => {
      await ask("DELETE", `/cases/${this.known.case.id}/assignments/${assignment.id}`);
      await this.did(word("taken-away", { planner }));
    });
    return made;
  }

  async did(said) {
    await this.known.reload();
    this.done.textContent = said;
    this.section.querySelector("h2").focus();
  }
}
