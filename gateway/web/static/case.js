// One case: its parts bring themselves to life, each for the roles that it names.

import { ask } from "./api.js";
import { brief } from "./brief.js";
import { guarded } from "./forms.js";
import { begin } from "./frame.js";
import { coordinator } from "./coordinator.js";
import { erasure } from "./erasure.js";
import { looked } from "./looked.js";
import { plan } from "./plan.js";
import { head, planReady, sentFiles } from "./casehead.js";
import { intakeOf } from "./draft.js";
import { scans } from "./scans.js";
import { word } from "./words.js";

const main = document.getElementById("main");
const id = location.pathname.split("/").at(-1);
/** A part of the page by the id of its section; it gets the section and what there is to know. */
const PARTS = {
  "case-head": head,
  intake: intakeOf,
  "plan-ready": planReady,
  "case-files": sentFiles,
  viewer: scans,
  "case-brief": brief,
  "case-plan": plan,
  "case-coordinator": coordinator,
  looked,
  erasure,
};

await begin(async (session) => {
  const mine = [...document.querySelectorAll("#content > [data-roles]")].filter((section) => {
    section.hidden = true;
    return section.dataset.roles.split(" ").includes(session.account.role);
  });

  async function reload() {
    const found = await ask("GET", `/cases/${id}`);
    const known = { session, case: found, reload };
    await Promise.all(mine.map((section) => PARTS[section.id]?.(section, known)));
    if (location.hash === "#handed-in") {
      history.replaceState(null, "", location.pathname);
      document.getElementById("page-done").textContent = word("handed-in");
      document.querySelector("h1").focus();
    }
  }

  await guarded(main, main, reload);
});
