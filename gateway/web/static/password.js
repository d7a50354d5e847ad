// Another password of one's own.

import { ask } from "./api.js";
import { sends } from "./forms.js";
import { word } from "./words.js";

/** Bring the section to life. */
export function password(section, session) {
  const form = section.querySelector("form");
  form.elements.email.value = session.account.email;
  sends(form, async ({ password: old, new_password: other }) => {
    await ask("POST", "/account/password", { password: old, new_password: other });
    form.reset();
    section.querySelector(".done").textContent = word("changed");
  });
}
