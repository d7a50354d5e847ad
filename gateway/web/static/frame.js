// What surrounds every page: who is signed in, the language, signing out.

import { ask, once, signedIn, unlocked } from "./api.js";
import { presses, revealing } from "./forms.js";
import { comeBack, home } from "./next.js";
import { provesInPlace } from "./proof.js";

const YEAR_SECONDS = 31536000;

let kept = async () => true;

/** Before the reader leaves by a button of the frame: `keep()` keeps what is typed; false: stay. */
export function keeping(keep) {
  kept = keep;
}

/** Begin a page that needs a session: `build(session)` brings it to life, then it is shown. */
export async function begin(build) {
  frame();
  let session;
  try {
    session = await current();
  } catch (refusal) {
    if (refusal.code === "unauthenticated") {
      leave("ended");
    } else {
      document.getElementById("page-problem").textContent = refusal.message;
    }
    return;
  }
  document.getElementById("who").textContent = session.account.email;
  for (const link of document.querySelectorAll("#menu [data-roles]")) {
    link.hidden = !link.dataset.roles.split(" ").includes(session.account.role);
  }
  document.querySelector(".brand").href = home(session);
  document.getElementById("menu").hidden = false;
  presses(document.getElementById("sign-out"), document.getElementById("main"), async () => {
    if (await kept()) {
      await ask("DELETE", "/session");
      location.assign("/sign-in#left");
    }
  });
  const loading = build(session);
  document.getElementById("content").hidden = false;
  await loading;
}

/** The session; if it is locked, once it is unlocked. */
async function current() {
  const session = await once("GET", "/session");
  signedIn(session);
  provesInPlace(session);
  if (session.restricted !== "locked") {
    return session;
  }
  await unlocked();
  return once("GET", "/session");
}

/** Begin a page for whoever comes; `fragment` is what its address needs in the other language. */
export function frame(fragment = "") {
  revealing(document);
  for (const button of document.querySelectorAll("[data-language]")) {
    presses(button, document.getElementById("main"), async () => {
      if (await kept()) {
        speak(button.dataset.language);
        history.replaceState(null, "", location.pathname + fragment);
        location.reload();
      }
    });
  }
}

/** Go to the page where one signs in, and from there back to here. */
export function leave(why) {
  comeBack();
  location.replace(`/sign-in#${why}`);
}

/** From here on the pages speak this language. */
export function speak(code) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `language=${code}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Strict${secure}`;
}
