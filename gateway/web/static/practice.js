// One's own practice, as its manager corrects it.

import { ask } from "./api.js";
import { guarded, sends } from "./forms.js";
import { word } from "./words.js";

/** Bring the section to life. */
export async function practice(section) {
  const form = section.querySelector("form");
  const tick = form.elements.second_factor_required;

  function show(found) {
    for (const name of ["name", "email", "address", "phone"]) {
      form.elements[name].value = found[name] ?? "";
    }
    tick.checked = found.second_factor_required;
  }

  sends(form, async ({ name, email, address, phone }) => {
    const given = { name, email, address: address || null, phone: phone || null };
    show(await ask("PATCH", "/practice", { ...given, second_factor_required: tick.checked }));
    form.querySelector(".done").textContent = word("kept");
  });
  section.hidden = false;
  // Shown with what it holds: what is typed before that would be written over.
  form.hidden = !(await guarded(section, form.querySelector("button"), async () => show(await ask("GET", "/practice"))));
}
