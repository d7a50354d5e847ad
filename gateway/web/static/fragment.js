// A page whose address brought a secret. It stands behind the #, which no server and no log sees;
// from here on it is in memory alone, and neither in the address bar nor in the history.

import { sends } from "./forms.js";
import { frame } from "./frame.js";

/** Bring the page's form to life: `act(values)` gets what was typed, and the secret. */
export function fragment(act) {
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  frame(secret && `#${secret}`);
  const form = document.querySelector("main form");
  form.hidden = secret === "";
  document.getElementById("no-link").hidden = secret !== "";
  sends(form, async (values) => {
    await act({ ...values, secret });
    location.replace("/sign-in#set");
  });
}
