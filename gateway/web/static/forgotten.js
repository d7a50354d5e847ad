// Asking for a link to another password. The answer is the same for every address.

import { once } from "./api.js";
import { sends } from "./forms.js";
import { frame } from "./frame.js";
import { word } from "./words.js";

frame();
const form = document.querySelector("main form");
sends(form, async ({ email }) => {
  await once("POST", "/password/reset-requests", { email });
  form.querySelector(".done").textContent = word("sent");
});
