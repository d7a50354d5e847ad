// Who is signed in, of those whose accounts one runs; ending one session, or all at once.

import { ask } from "./api.js";
import { copy, guarded, named, presses } from "./forms.js";
import { moment, word } from "./words.js";

/** Bring the section to life. */
export async function everybody(section) {
  const list = section.querySelector("[data-list]");
  const more = section.querySelector("[data-more]");
  const all = section.querySelector("[data-all]");
  const done = section.querySelector(".done");
  let following = null;

  async function page(before) {
    const found = await ask("GET", before === null ? "/sessions" : `/sessions?before=${before}`);
    following = found.next;
    more.hidden = following === null;
    return found.sessions.map(row);
  }

  async function load() {
    list.replaceChildren(...(await page(null)));
    all.hidden = list.children.length < 2;
  }

  async function end(path, said) {
    const answer = await ask("DELETE", path);
    done.textContent = word(said, { count: answer?.ended });
    await load();
    section.querySelector("h2").focus();
  }

  function row(session) {
    const about = word(session.current ? "this-one" : "signed-in", {
      device: session.device,
      since: moment(session.created_at),
      used: moment(session.seen_at),
      address: session.address ?? word("no-address"),
    });
    const made = copy("someones", { name: session.email, about });
    const button = named(made.querySelector("button"), word("end", { name: session.email }));
    button.hidden = session.current;
    presses(button, section, () => end(`/sessions/${session.id}`, "over"));
    return made;
  }

  presses(more, section, async () => {
    const before = list.children.length;
    list.append(...(await page(following)));
    list.children[before]?.querySelector("button").focus();
  });
  presses(all, section, () => end("/sessions", "all-over"));
  section.hidden = false;
  await guarded(section, all, load);
}
