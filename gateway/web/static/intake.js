// The files of a draft: takes what is dropped, sorts it, sends it, shows verdicts, and hands in.

import { ask } from "./api.js";
import { dropping } from "./dropping.js";
import { FileItem } from "./fileitem.js";
import { guarded, named, presses } from "./forms.js";
import { Whole } from "./whole.js";
import { expected, sorted } from "./sorting.js";
import { word } from "./words.js";

const AT_ONCE = 3;
const MANY = 3; // photos that are still named one by one
const GONE = new Set(["removed", "expired", "cancelled", "erased"]);
const UNDER_WAY = new Set(["held", "queued", "sending", "paused", "broken", "checking"]);
const WAITS = new Set([...UNDER_WAY, "stopped", "lost"]);

/** The sections "intake" and "hand-in" of a page, for one draft. */
export class Intake {
  /** `accepted(item)` hears of each usable file; `point(item, number)` shows where a finding is. */
  constructor({ treatment, accepted = () => {}, point = () => {}, handedIn }) {
    this.section = document.getElementById("intake");
    this.last = document.getElementById("hand-in");
    Object.assign(this, { caseId: null, items: [], rests: false, accepted, point });
    this.whole = new Whole(this.section, this);
    this.treatment = treatment;
    dropping(this.section.querySelector("[data-drop]"), (files) => this.take(files));
    presses(this.last.querySelector("[data-hand-in]"), this.last, async () => {
      await ask("POST", `/cases/${this.caseId}/submission`);
      await handedIn();
    });
    addEventListener("beforeunload", (event) => {
      if (this.items.some(({ state }) => UNDER_WAY.has(state) && state !== "checking")) {
        event.preventDefault();
      }
    });
    this.section.hidden = false;
  }

  /** The treatment, and with it the places. */
  set treatment(treatment) {
    this.places = expected(treatment);
    this.layOut();
  }

  /** The draft is kept: what was chosen goes on its way. */
  begin(found) {
    this.caseId = found.id;
    for (const view of found.files.filter(({ kind, state }) => kind !== "plan" && !GONE.has(state))) {
      this.add(FileItem.known(this, view));
    }
    for (const item of this.items.filter(({ state }) => state === "held")) {
      item.to("queued");
    }
    for (const item of this.items.filter(({ state, file }) => state === "checking" && file === null)) {
      item.send(this.caseId);
    }
    this.last.hidden = false;
    this.pump();
    this.judge();
  }

  /** Take files that were dropped or chosen. */
  take(files, only = null) {
    const left = [];
    const other = [];
    const known = [];
    for (const found of sorted(files)) {
      const half = this.items.find((item) => item.isHalfOf(found.file));
      if (half) {
        half.resume(found.file);
      } else if (found.kind === null) {
        left.push(found.file.name);
      } else if (only && found.kind !== only.kind) {
        other.push(found.file.name);
      } else if (this.items.some((item) => isSame(item, found.file))) {
        known.push(found.file.name);
      } else {
        this.add(FileItem.chosen(this, { ...found, slot: only?.slot ?? found.slot }));
      }
    }
    const note = this.section.querySelector("[data-left-out]");
    const said = [left.length && word("left-out", { names: left.join(", ") })];
    said.push(other.length && word("other-kind", { names: other.join(", ") }));
    said.push(known.length && word("known", { names: known.join(", ") }));
    note.textContent = said.filter(Boolean).join(" ");
    note.hidden = note.textContent === "";
    if (this.caseId !== null) {
      for (const item of this.items.filter(({ state }) => state === "held")) {
        item.to("queued");
      }
      this.pump();
    }
  }

  add(item) {
    this.items.push(item);
    this.moved(item);
  }

  /** Send what waits for its turn, scans first: they say soonest whether the patient may go. */
  pump() {
    if (this.rests) {
      return;
    }
    const active = this.items.filter(({ working }) => working).length;
    const waiting = this.items.filter(({ state, working }) => state === "queued" && !working);
    waiting.sort((one, other) => (one.kind === other.kind ? 0 : one.kind === "scan" ? -1 : 1));
    for (const item of waiting.slice(0, Math.max(AT_ONCE - active, 0))) {
      item.working = true;
      item.send(this.caseId).finally(() => {
        item.working = false;
        this.pump();
      });
    }
  }

  /** An item is in another state. */
  changed(item, before) {
    this.whole.show(item, before);
    if (item.state !== before) {
      this.judge();
      if (item.state === "accepted") {
        this.accepted(item);
      }
    }
  }

  /** An item shows something else now: put it there. */
  moved(item) {
    const key = `${item.kind}-${item.slot}`;
    const place = this.section.querySelector(`[data-key="${key}"] .placed`);
    (place ?? this.section.querySelector("[data-rest-list]")).append(item.element);
    this.judge();
  }

  removed(item) {
    item.element.remove();
    this.items = this.items.filter((each) => each !== item);
    this.whole.show(item, null);
    this.judge();
    this.section.querySelector("h2").focus();
  }

  /** The files as the server tells of them, with the places that they have now. */
  views() {
    return this.items.filter(({ view }) => view).map(({ view, slot }) => ({ ...view, slot }));
  }

  guarded(button, act) {
    return guarded(this.section, button, act);
  }

  /** A card for each file that the treatment asks for. */
  layOut() {
    for (const group of this.section.querySelectorAll("[data-places]")) {
      const places = this.places.filter(({ kind }) => kind === group.dataset.places);
      group.querySelector("ul").replaceChildren(...places.map((place) => this.card(place)));
      group.hidden = places.length === 0;
    }
    for (const item of this.items) {
      this.moved(item);
    }
  }

  card(place) {
    const made = document.getElementById("place").content.firstElementChild.cloneNode(true);
    made.dataset.key = `${place.kind}-${place.slot}`;
    made.querySelector("h4").textContent = word(`slot-${place.slot}`);
    this.choosing(named(made.querySelector("button"), word("choose-name", { name: nameOf(place) })), place);
    return made;
  }

  /** A button that chooses a file for one place, whatever the file is called. */
  choosing(button, place) {
    button.addEventListener("click", () => {
      const input = document.createElement("input");
      input.type = "file";
      input.addEventListener("change", () => this.take([...input.files], place));
      input.click();
    });
  }

  /** Say what is missing, and whether it can be handed in. */
  judge() {
    const there = (state) => this.items.filter((item) => item.state === state);
    const full = new Set(there("accepted").map(({ kind, slot }) => `${kind}-${slot}`));
    const lacking = this.places.filter(({ kind, slot }) => !full.has(`${kind}-${slot}`));
    for (const card of this.section.querySelectorAll("[data-key]")) {
      card.classList.toggle("full", full.has(card.dataset.key));
    }
    this.section.querySelector("[data-rest]").hidden = this.section.querySelector("[data-rest-list]").childElementCount === 0;
    const waits = this.items.some(({ state }) => WAITS.has(state));
    const has = there("accepted").some(({ kind }) => kind === "scan");
    const ready = has && !waits;
    const said = ready ? (lacking.length > 0 ? "ready-without" : "ready") : has ? "ready-wait" : "ready-none";
    this.last.querySelector("[data-ready]").textContent = word(said);
    const missing = this.last.querySelector("[data-missing]");
    missing.textContent = word("missing", { names: namesOf(lacking) });
    missing.hidden = lacking.length === 0;
    this.last.querySelector("[data-hand-in]").hidden = !ready;
  }
}

function nameOf({ kind, slot }) {
  return word(`place-${kind}`, { name: word(`slot-${slot}`) });
}

/** Places in words; many photos as a number. */
function namesOf(places) {
  const photos = places.filter(({ kind }) => kind === "photo");
  const isMany = photos.length > MANY;
  const named = places.filter(({ kind }) => kind !== "photo" || !isMany).map(nameOf);
  return [...named, ...(isMany ? [word("photos-n", { number: photos.length })] : [])].join("; ");
}

function isSame(item, file) {
  return item.name === file.name && item.length === file.size && !["refused", "failed"].includes(item.state);
}
