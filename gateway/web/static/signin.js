// The page where one signs in, and where it leads.

import { frame } from "./frame.js";
import { arrive } from "./next.js";
import { offerWays, steps } from "./proof.js";
import { word } from "./words.js";

const WHYS = new Set(["ended", "left", "set", "closed"]);

frame();
const root = document.getElementById("steps");
const why = location.hash.slice(1);
if (WHYS.has(why)) {
  document.getElementById("page-done").textContent = word(why);
}
steps(root, arrive);
document.querySelector("input").focus();
await offerWays(root).catch(() => {}); // a password is a way in without it
