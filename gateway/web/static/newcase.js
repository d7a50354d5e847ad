// A new case on one page: who, what, the files; nothing typed or chosen is lost on the way.

import { ask, Refusal } from "./api.js";
import { isoDay, reference, today } from "./cases.js";
import { draft } from "./draft.js";
import { guarded, sends } from "./forms.js";
import { begin, keeping } from "./frame.js";
import { word } from "./words.js";

const form = document.getElementById("new-case");
const kept = document.getElementById("kept-as-draft");

await begin(async () => {
  let found = null;
  const intake = draft({ treatment: form.elements.treatment.value }, () => {
    location.hash = "handed-in";
    location.reload();
  });
  const isTyped = () => found === null && [...form.elements].some((each) => each.value !== (each.defaultValue ?? each.value));

  async function keep() {
    const { treatment, due, notes, ...typed } = Object.fromEntries(new FormData(form));
    const birth = isoDay(typed["patient.birth_date"]);
    if (birth === null) {
      throw new Refusal("invalid_input", word("no-day"), "patient.birth_date");
    }
    const patient = { name: typed["patient.name"], number: typed["patient.number"], birth_date: birth };
    found = await ask("POST", "/cases", { patient, treatment, notes, due: due || null });
    // From here on this is the page of that draft: a reload or the other language comes back to it.
    history.replaceState(null, "", `/cases/${found.id}`);
    form.hidden = true;
    kept.querySelector("[data-about]").textContent = word("kept-about", {
      name: found.patient.name,
      treatment: word(`treatment-${found.treatment}`),
      reference: reference(found.id),
    });
    kept.querySelector("[data-removed]").hidden = found.removed_from_notes.length === 0;
    kept.hidden = false;
    intake.begin(found);
    intake.section.querySelector("h2").focus();
  }

  form.elements.due.min = today();
  form.elements.treatment.addEventListener("change", () => {
    intake.treatment = form.elements.treatment.value;
  });
  sends(form, keep);
  keeping(async () => !isTyped() || (form.reportValidity() && guarded(form, form.querySelector("button"), keep)));
  addEventListener("beforeunload", (event) => {
    if (isTyped()) {
      event.preventDefault();
    }
  });
});
