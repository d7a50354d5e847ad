// Having a case erased: asked for, followed step by step, proved by a certificate.

import { ask } from "./api.js";
import { save } from "./download.js";
import { guarded, presses, sends } from "./forms.js";
import { moment, word } from "./words.js";

const STEPS = ["frozen", "punctured", "proved", "deleted", "recorded", "done"];
const WAITS_MS = [300, 500, 1000, 2000, 5000]; // each look is written down, too
let part = null;

/** Show the section for this case. */
export async function erasure(section, known) {
  part ??= new Erasure(section, known);
  await part.show(known);
}

function unasked(refusal) {
  if (refusal.code === "not_found") {
    return null;
  }
  throw refusal;
}

class Erasure {
  constructor(section, known) {
    const { id } = known.case;
    this.section = section;
    this.title = section.querySelector("h2");
    this.found = null;
    this.path = `/cases/${id}/erasure`;
    this.done = section.querySelector(":scope > .done");
    const button = (name) => section.querySelector(`[data-${name}]`);
    sends(section.querySelector("form"), async ({ reason }) => {
      this.found = await ask("POST", this.path, { reason, confirm: id });
      this.done.textContent = this.isWaiting() ? "" : word("erasure-begun");
      await this.known.reload();
      this.title.focus();
    });
    // Looking whether a colleague asked for it is an event: only who wants to know looks.
    this.part("ask").addEventListener("toggle", () => this.show(this.known));
    presses(button("approve"), section, async () => {
      await ask("POST", `/erasures/${this.found.request_id}/approval`);
      await this.known.reload();
      this.title.focus();
    });
    presses(button("withdraw"), section, async () => {
      await ask("DELETE", `/erasures/${this.found.request_id}`);
      this.found = null;
      this.part("ask").open = false;
      this.part("ask").hidden = false;
      this.part("going").hidden = true;
      this.done.textContent = word("withdrawn");
      await this.known.reload();
      this.title.focus();
    });
    presses(button("certificate"), section, async () => {
      const proof = JSON.stringify(this.found.certificate, null, 2);
      save(new Blob([proof], { type: "application/json" }), `certificate-${this.found.id}.json`);
      this.done.textContent = word("certificate-got");
    });
  }

  async show(known) {
    this.known = known;
    const { case: found } = known;
    this.section.hidden = false;
    if (found.frozen || found.state === "erased" || this.part("ask").open) {
      await guarded(this.section, this.section, () => this.look());
      this.follow(); // nobody waits for it
    }
  }

  async look() {
    this.found = await ask("GET", this.path).catch(unasked);
    const isAsked = this.found !== null && this.found.step !== "withdrawn";
    this.part("ask").hidden = isAsked;
    this.part("going").hidden = !isAsked;
    if (!isAsked) {
      return;
    }
    const { step, certificate } = this.found;
    for (const each of this.section.querySelectorAll("[data-step]")) {
      const isReached = STEPS.indexOf(each.dataset.step) <= STEPS.indexOf(step);
      each.classList.toggle("reached", isReached);
    }
    this.waiting(this.isWaiting());
    this.part("going").hidden = certificate !== null;
    if (!this.isWaiting()) {
      this.title.textContent = word(certificate === null ? "is-being-erased" : "is-erased");
    }
    this.part("proof").hidden = certificate === null;
    if (certificate !== null) {
      this.prove(certificate.body);
    }
  }

  waiting(is) {
    const isOwn = this.found.requested_by === this.known.session.account.id;
    const until = this.found.waits_until && moment(this.found.waits_until);
    const said = this.part("waits");
    said.hidden = !is;
    said.textContent = word(`waits-${isOwn ? "own" : "other"}${until ? "" : "-on"}`, { until });
    this.part("steps").hidden = is;
    this.part("approve").hidden = !is || isOwn;
    this.part("withdraw").hidden = !is;
  }

  prove(certificate) {
    const { certificate_id: id, erased_at: at, files, reason: why } = certificate;
    const facts = { id, at: moment(at), files: files.length, why };
    for (const [name, value] of Object.entries(facts)) {
      this.part(name).textContent = value;
    }
  }

  /** Look again until it is over, less and less often. */
  async follow() {
    if (this.found?.certificate) {
      return;
    }
    for (const wait of [...WAITS_MS, ...Array(60).fill(WAITS_MS.at(-1))]) {
      if (this.found === null || this.isWaiting() || this.found.step === "withdrawn") {
        return;
      }
      await new Promise((passed) => setTimeout(passed, wait));
      await guarded(this.section, this.section, () => this.look());
      if (this.found?.certificate) {
        this.done.textContent = word("erasure-done");
        await this.known.reload();
        return;
      }
    }
  }

  isWaiting() {
    return this.found?.step === "waiting";
  }

  part(name) {
    return this.section.querySelector(`[data-${name}]`);
  }
}
