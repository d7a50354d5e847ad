// Where a sign-on provider sends the browser back to. What it added to the address is used once,
// and neither in the address bar nor in the history from here on.

import { once } from "./api.js";
import { guarded } from "./forms.js";
import { frame } from "./frame.js";
import { arrive } from "./next.js";
import { steps } from "./proof.js";

const given = new URLSearchParams(location.search);
history.replaceState(null, "", location.pathname);
frame();
const root = document.getElementById("steps");
const opened = steps(root, arrive);
const [code, state, iss] = ["code", "state", "iss"].map((name) => given.get(name));
const went =
  code !== null &&
  (await guarded(root.parentElement, root, async () => {
    await opened(await once("POST", "/session/oidc/callback", { code, state: state ?? "", iss }));
  }));
document.getElementById("signing-on").hidden = true;
document.getElementById("not-signed-on").hidden = went;
root.hidden = !went;
