// Where one is signed in, and ending it.

import { ask } from "./api.js";
import { copy, guarded, named, presses } from "./forms.js";
import { moment, word } from "./words.js";

/** Bring the section to life. */
export async function sessions(section) {
  const list = section.querySelector("[data-list]");
  const others = section.querySelector("[data-others]");
  const done = section.querySelector(".done");

  async function load() {
    const found = (await ask("GET", "/account/sessions")).sessions;
    list.replaceChildren(...found.map(row));
    others.hidden = found.length < 2;
  }

  async function end(path) {
    await ask("DELETE", path);
    done.textContent = word("over");
    await load();
    section.querySelector("h2").focus();
  }

  function row(session) {
    const values = {
      since: moment(session.created_at),
      used: moment(session.seen_at),
      address: session.address ?? word("no-address"),
    };
    const about = word(session.current ? "this-session" : "other-session", values);
    const made = copy("session", { device: session.device, about });
    const name = word("end", { name: `${session.device}, ${values.used}` });
    const button = named(made.querySelector("button"), name);
    button.hidden = session.current;
    presses(button, section, () => end(`/account/sessions/${session.id}`));
    return made;
  }

  presses(others, section, () => end("/account/sessions"));
  await guarded(section, others, load);
}
