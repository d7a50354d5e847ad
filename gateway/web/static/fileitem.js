// One file of a draft: its row, and its way from the reader's disk to its verdict.

import { ask, askForHeaders, Refusal } from "./api.js";
import { copy, named, presses } from "./forms.js";
import { Sending } from "./sending.js";
import { slotsOf } from "./sorting.js";
import { language, percent, size, word } from "./words.js";

const TUS = { "Tus-Resumable": "1.0.0" };
const RETRY_MS = 3_000;
const SETTLED_MS = 600;
const PAUSABLE = new Set(["sending", "paused", "broken"]);
const AWAY = new Set(["unreachable", "unavailable"]);
const ENDS = new Set(["accepted", "refused"]);
const COMES = new Set(["receiving", "received"]);

/** The file, and where it stands.
 *
 * `state` is held, queued, sending, paused, broken, checking, accepted, refused, failed (`why` says
 * so), stopped (half of it is on the server: choose it again) or lost (the same, begun elsewhere).
 */
export class FileItem {
  /** `given` is a file that was chosen, or what the server says of one; `intake` hears of changes. */
  constructor(intake, given) {
    Object.assign(this, { intake, sent: 0, view: null, file: null, id: null }, given);
    this.element = copy("file", { name: this.name, size: size(this.length) });
    const [pause, remove] = ["pause", "remove"].map((act) => this.element.querySelector(`[data-${act}]`));
    presses(pause, intake.section, () => this.toggle());
    presses(remove, intake.section, () => this.remove());
    named(remove, word("remove-name", { name: this.name }));
    this.choices();
    this.show();
  }

  /** A file that the reader chose. */
  static chosen(intake, { file, kind, slot }) {
    return new FileItem(intake, { file, kind, slot, name: file.name, length: file.size, state: "held" });
  }

  /** A file as the server knows it; half of one can go on if this window has its address. */
  static known(intake, view) {
    const { id, kind, slot, length } = view;
    const half = sessionStorage.getItem(keptAt(id)) === null ? "lost" : "stopped";
    const states = { receiving: half, received: "checking" };
    const name = view.name ?? word(`kind-${kind}`);
    const state = states[view.state] ?? view.state;
    return new FileItem(intake, { id, kind, slot, name, length, state, view, sent: view.received });
  }

  /** Whether this is the file that stopped half-way. */
  isHalfOf(file) {
    return this.state === "stopped" && this.name === file.name && this.length === file.size;
  }

  /** Go on with a file that was chosen again. */
  resume(file) {
    this.file = file;
    this.to("queued");
  }

  /** Send it, if it is not there yet, and wait for its verdict. */
  async send(caseId) {
    try {
      if (this.state !== "checking") {
        await (this.id === null && this.begin(caseId));
        if (this.gone) {
          // It was removed while the server made room for it.
          await this.withdraw();
          return;
        }
        if (!(await this.bytes())) {
          return;
        }
        sessionStorage.removeItem(keptAt(this.id));
      }
      await this.verdict(caseId);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) {
        throw refusal;
      }
      if (!this.gone) {
        this.wasSent = this.state === "checking";
        this.fail(refusal.message);
      }
    }
  }

  async begin(caseId) {
    const about = { filename: this.name, kind: this.kind, ...(this.slot && { slot: this.slot }) };
    const pairs = Object.entries(about).map(([key, value]) => `${key} ${base64(value)}`);
    const headers = { ...TUS, "Upload-Length": String(this.length), "Upload-Metadata": pairs.join(",") };
    const answer = await this.whenThere(() => askForHeaders("POST", `/cases/${caseId}/files`, headers));
    this.id = answer.get("Kluis-File");
    // Good for this upload alone, and for hours: with it the file goes on after a reload.
    sessionStorage.setItem(keptAt(this.id), answer.get("Location"));
  }

  /** Send what is not there yet; false: it was taken away meanwhile. */
  bytes() {
    return new Promise((ended) => {
      this.ended = ended;
      const fail = (message) => {
        this.fail(message ?? word("upload-over"));
        ended(false);
      };
      const tell = (state, sent) => {
        this.sent = sent;
        this.to(state === "sent" ? "checking" : state);
        if (state === "sent") {
          ended(true);
        }
      };
      this.sending = new Sending(this.file, sessionStorage.getItem(keptAt(this.id)), { tell, fail });
      this.sending.start();
    });
  }

  /** Wait until the file is accepted or refused. */
  async verdict(caseId) {
    this.to("checking");
    const path = `/cases/${caseId}/files/${this.id}`;
    while (!ENDS.has(this.state) && !this.gone) {
      this.view = await this.whenThere(() => ask("GET", path, undefined, { Prefer: "wait=10" }));
      if (ENDS.has(this.view.state)) {
        this.to(this.view.state);
      } else if (!COMES.has(this.view.state)) {
        this.fail(word("upload-over")); // removed in another window
        return;
      }
    }
  }

  /** Ask until there is an answer: who is away comes back. */
  async whenThere(question) {
    for (;;) {
      try {
        return await question();
      } catch (refusal) {
        if (!AWAY.has(refusal.code) || this.gone) {
          throw refusal;
        }
        await new Promise((later) => setTimeout(later, RETRY_MS));
      }
    }
  }

  fail(message) {
    this.why = message;
    if (this.id !== null) {
      sessionStorage.removeItem(keptAt(this.id));
    }
    this.to("failed");
  }

  pause() {
    if (this.state === "sending" || this.state === "broken") {
      this.sending?.pause();
    }
  }

  goOn() {
    if (this.state === "paused" || this.state === "broken") {
      this.sending.start();
    }
  }

  toggle() {
    return this.state === "sending" ? this.pause() : this.goOn();
  }

  /** Have the server forget it. */
  async withdraw() {
    await ask("DELETE", `/cases/${this.intake.caseId}/files/${this.id}`).catch((refusal) => {
      if (refusal.code !== "not_found") {
        throw refusal; // else it was removed in another window
      }
    });
    sessionStorage.removeItem(keptAt(this.id));
  }

  async remove() {
    if (this.id !== null) {
      await this.withdraw();
    }
    this.gone = true;
    this.sending?.end();
    this.ended?.(false);
    this.intake.removed(this);
  }

  to(state) {
    const before = this.state;
    this.state = state;
    this.show();
    this.intake.changed(this, before);
  }

  /** Let the reader say what it shows. */
  choices() {
    const select = this.element.querySelector("select");
    const names = slotsOf(this.kind);
    select.append(new Option(word("slot-none"), ""), ...names.map((slot) => new Option(word(`slot-${slot}`), slot)));
    select.value = this.slot ?? "";
    select.setAttribute("aria-label", word("shows", { name: this.name }));
    let timer;
    // By keys one passes other choices on the way: wait until one stays.
    select.addEventListener("change", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.place(select), SETTLED_MS);
    });
  }

  /** Put it where the reader says that it belongs. */
  async place(select) {
    const slot = select.value || null;
    const hadFocus = document.activeElement === select;
    const moved = await this.intake.guarded(select, async () => {
      if (this.id !== null) {
        await ask("PUT", `/cases/${this.intake.caseId}/files/${this.id}/slot`, { slot });
      }
      this.slot = slot;
    });
    select.value = this.slot ?? "";
    if (moved) {
      this.intake.moved(this);
      if (this.state === "accepted") {
        this.intake.accepted(this);
      }
      if (hadFocus) {
        select.focus();
      }
    }
  }

  /** What is to be said of it now. */
  said() {
    const values = { percent: percent(this.sent, this.length), why: this.why ?? this.view?.problem?.message };
    const findings = this.view?.report?.findings ?? [];
    if (this.state === "accepted" && findings.length > 0) {
      return word(findings.some(({ severity }) => severity === "warning") ? "file-look" : "file-notes");
    }
    return word(this.state === "failed" && this.wasSent ? "file-unchecked" : `file-${this.state}`, values);
  }

  show() {
    const [bar, state, pause, remedy] = ["progress", '[data-field="state"]', "[data-pause]", '[data-field="remedy"]'].map(
      (part) => this.element.querySelector(part),
    );
    const isOnItsWay = PAUSABLE.has(this.state);
    this.element.dataset.state = this.state;
    bar.hidden = !isOnItsWay && this.state !== "stopped";
    bar.value = percent(this.sent, this.length);
    bar.setAttribute("aria-label", this.name);
    state.textContent = this.said();
    state.hidden = false;
    pause.hidden = !isOnItsWay;
    const act = { sending: "pause", paused: "go-on", broken: "try-now" }[this.state] ?? "pause";
    pause.textContent = word(act);
    named(pause, word("act-name", { act: word(act), name: this.name }));
    remedy.textContent = this.view?.problem?.remedy ?? "";
    remedy.hidden = remedy.textContent === "";
    this.element.querySelector("select").hidden = this.state === "refused" || this.state === "failed";
    this.findings();
  }

  findings() {
    const list = this.element.querySelector(".findings");
    const found = this.state === "accepted" ? (this.view?.report?.findings ?? []) : [];
    if (list.childElementCount === found.length) {
      return;
    }
    list.replaceChildren(...found.map((finding, number) => this.finding(finding, number)));
  }

  finding(finding, number) {
    const text = finding[`message_${language}`];
    const made = copy("finding", { text });
    made.dataset.severity = finding.severity;
    const point = named(made.querySelector("button"), word("point-name", { name: this.name, text }));
    point.hidden = this.kind !== "scan" || !(finding.places?.length > 0);
    presses(point, this.intake.section, () => this.intake.point(this, number));
    return made;
  }
}

function keptAt(id) {
  return `upload:${id}`;
}

function base64(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}
