// Somebody lost their second step: one asks for its removal, another agrees, anybody stops it.

import { ask } from "./api.js";
import { copy, named, presses, sends } from "./forms.js";
import { moment, word } from "./words.js";

/** The requests, and the form to make one. A manager asks, an administrator agrees. */
export class Recoveries {
  constructor(section, isManager) {
    this.section = section;
    this.isManager = isManager;
    this.form = section.querySelector("form");
    this.people = [];
    this.form.hidden = !isManager;
    sends(this.form, async ({ person, reason }) => {
      await ask("POST", `/accounts/${person}/factor-recovery`, { reason });
      await this.did("is-asked", this.name(person));
    });
  }

  /** These are the people whose second step may be lost. */
  knows(people) {
    this.people = people;
    const options = people.map((person) => new Option(this.name(person.id), person.id));
    this.form.elements.person.replaceChildren(...options);
  }

  name(id) {
    const person = this.people.find((each) => each.id === id);
    return person?.name ?? person?.email ?? id;
  }

  async load() {
    const found = (await ask("GET", "/factor-recoveries")).recoveries;
    this.section.querySelector("[data-list]").replaceChildren(...found.map((each) => this.row(each)));
    this.section.querySelector("[data-none]").hidden = found.length > 0;
  }

  row(recovery) {
    const name = this.name(recovery.account_id);
    const reason = this.form.elements.reason.querySelector(`[value="${recovery.reason}"]`).textContent;
    const at = moment(recovery.asked_at);
    const due = recovery.due_at && moment(recovery.due_at);
    const made = copy("recovery", { name, about: word(recovery.state, { reason, at, due }) });
    const [agree, stop] = made.querySelectorAll("button");
    agree.hidden = this.isManager || recovery.state !== "asked";
    named(agree, word("agree", { name }));
    named(stop, word("stop", { name }));
    presses(agree, this.section, async () => {
      await ask("POST", `/factor-recoveries/${recovery.id}/agreement`);
      await this.did("is-agreed", name);
    });
    presses(stop, this.section, async () => {
      await ask("POST", `/factor-recoveries/${recovery.id}/objection`);
      await this.did("is-stopped", name);
    });
    return made;
  }

  async did(key, name) {
    document.getElementById("page-done").textContent = word(key, { name });
    await this.load();
    this.section.querySelector("h2").focus();
  }
}
