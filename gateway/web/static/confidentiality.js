// The duty of confidentiality: read, and confirmed once a year.

import { ask } from "./api.js";
import { guarded, sends } from "./forms.js";
import { moment, word } from "./words.js";

/** Bring the section to life. */
export async function confidentiality(section) {
  const form = section.querySelector("form");
  let version;

  function show(duty) {
    version = duty.version;
    const counts = duty.until !== null && new Date(duty.until) > new Date();
    section.querySelector("[data-text]").textContent = duty.text;
    form.hidden = counts;
    document.getElementById("confidentiality-due").hidden = counts;
    section.querySelector(".done").textContent = counts
      ? word("confirmed", { at: moment(duty.confirmed_at), until: moment(duty.until) })
      : "";
  }

  sends(form, async () => show(await ask("POST", "/account/confidentiality", { version })));
  section.hidden = false;
  await guarded(section, form.querySelector("button"), async () =>
    show(await ask("GET", "/account/confidentiality")),
  );
}
