// One's own account: each section brings itself to life.

import { begin } from "./frame.js";
import { confidentiality } from "./confidentiality.js";
import { Factors } from "./factors.js";
import { password } from "./password.js";
import { profile } from "./profile.js";
import { sessions } from "./sessions.js";
import { tokens } from "./tokens.js";

await begin((session) => {
  let restricted = session.restricted !== null;
  const enrol = document.getElementById("enrol");

  /** What a session that lacks a second step may not ask for. */
  async function rest() {
    restricted = false;
    enrol.hidden = true;
    for (const part of document.querySelectorAll("[data-full]")) {
      part.hidden = false;
    }
    const isStaff = session.account.controller_id === null;
    await Promise.all([
      tokens(document.getElementById("tokens")),
      profile(document.getElementById("about")),
      isStaff && confidentiality(document.getElementById("confidentiality")),
    ]);
  }

  const factors = new Factors(document.getElementById("factors"), () => restricted && rest());
  password(document.getElementById("password"), session);
  enrol.hidden = !restricted;
  return Promise.all([
    factors.load(),
    sessions(document.getElementById("sessions")),
    !restricted && rest(),
  ]);
});
