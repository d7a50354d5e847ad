// What a planner gives back: the plan, then the end of the work; or the case to a colleague.

import { ask, askForHeaders, Refusal } from "./api.js";
import { day, fileName } from "./cases.js";
import { copy, guarded, presses, sends, show } from "./forms.js";
import { Sending } from "./sending.js";
import { size, word } from "./words.js";

const TUS = { "Tus-Resumable": "1.0.0" };
const UNDER_WAY = new Set(["receiving", "received"]);
const SHOWN = new Set([...UNDER_WAY, "accepted", "refused"]);
let part = null;

/** Show the section for this case. */
export function plan(section, known) {
  part ??= new Plan(section);
  part.show(known);
}

class Plan {
  constructor(section) {
    this.section = section;
    this.done = section.querySelector(".done");
    this.sending = section.querySelector("[data-sending]");
    this.input = section.querySelector('[type="file"]');
    this.close = section.querySelector("[data-close-case]");
    this.input.addEventListener("change", () => this.chosen());
    this.sending.querySelector("button").addEventListener("click", () => this.stop?.());
    this.isBusy = false;
    addEventListener("beforeunload", (event) => {
      if (this.isBusy) {
        event.preventDefault();
      }
    });
    presses(this.close, section, async () => {
      await ask("POST", `/cases/${this.known.case.id}/completion`);
      await this.known.reload();
      document.getElementById("page-done").textContent = word("is-closed");
      section.querySelector("h2").focus();
    });
    sends(section.querySelector("form"), async ({ email }) => {
      await ask("POST", `/cases/${this.known.case.id}/handover`, { email });
      location.assign("/work#handed-over");
    });
  }

  show(known) {
    this.known = known;
    const { case: found, session } = known;
    const plans = found.files.filter((each) => each.kind === "plan" && SHOWN.has(each.state));
    const isOpen = found.state === "planning";
    const isReady = plans.some((each) => each.state === "accepted");
    this.section.querySelector("[data-list]").replaceChildren(...plans.map(row));
    this.section.querySelector("[data-open]").hidden = !isOpen;
    this.section.querySelector("[data-lacks]").hidden = isReady;
    this.close.hidden = !isReady;
    const over = this.section.querySelector("[data-over]");
    over.hidden = isOpen;
    if (found.state === "completed") {
      const mine = found.assignments.filter((each) => each.account_id === session.account.id).at(-1);
      const until = mine?.ends_at ? day(mine.ends_at) : "";
      over.textContent = word("was-closed", { day: day(found.completed_at), until });
    }
    this.section.hidden = !isOpen && found.state !== "completed";
  }

  async chosen() {
    const [file] = this.input.files;
    if (!file) {
      return;
    }
    if (this.isBusy) {
      this.input.value = "";
      show(this.section, new Refusal("busy", word("plan-busy", { name: file.name })));
      return;
    }
    this.isBusy = true;
    await guarded(this.section, this.input, () => this.deliver(file));
    this.isBusy = false;
    this.sending.hidden = true;
    this.input.value = ""; // so that the same file can be chosen again
  }

  async deliver(file) {
    const path = `/cases/${this.known.case.id}/files`;
    this.done.textContent = "";
    this.tell(file, "sending", 0);
    const metadata = `kind ${base64("plan")},filename ${base64(file.name)}`;
    const made = { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": metadata };
    const answer = await askForHeaders("POST", path, made);
    this.sending.hidden = false;
    await this.sent(file, answer.get("Location"));
    this.sending.querySelector("[data-said]").textContent = word("plan-checking");
    const verdict = await awaited(`${path}/${answer.get("Kluis-File")}`);
    await this.known.reload();
    if (verdict.state !== "accepted") {
      throw new Refusal("refused", word("plan-refused", verdict.problem));
    }
    this.done.textContent = word("plan-accepted");
    // Whoever does something else meanwhile is left where they are.
    if ([this.input, document.body].includes(document.activeElement)) {
      this.close.focus();
    }
  }

  sent(file, address) {
    return new Promise((done, refuse) => {
      const sending = new Sending(file, address, {
        tell: (state, sent) => (state === "sent" ? done() : this.tell(file, state, sent)),
        fail: (message) => refuse(new Refusal("gone", message ?? word("plan-gone"))),
      });
      this.stop = () => {
        sending.end(); // what was sent expires by itself
        refuse(new Refusal("cancelled", word("plan-stopped")));
      };
      sending.start();
    });
  }

  tell(file, state, sent) {
    this.sending.querySelector("[data-name]").textContent = file.name;
    this.sending.querySelector("progress").value = sent / Math.max(1, file.size);
    const said = { sent: size(sent), whole: size(file.size) };
    this.sending.querySelector("[data-said]").textContent = word(`plan-${state}`, said);
  }
}

async function awaited(path) {
  let file;
  do {
    file = await ask("GET", path, undefined, { Prefer: "wait=10" });
  } while (UNDER_WAY.has(file.state));
  return file;
}

function row(file) {
  const about = word(`plan-file-${file.state}`, file.problem ?? {});
  return copy("plan-row", { name: fileName(file), about: `${about} · ${size(file.length)}` });
}

/** Base64 of the text in UTF-8, as metadata of an upload are written. */
function base64(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}
