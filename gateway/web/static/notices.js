// What a practice was told of breaches: read, saved, and confirmed to have been read.

import { ask, content } from "./api.js";
import { reference } from "./cases.js";
import { save } from "./download.js";
import { copy, guarded, named, presses } from "./forms.js";
import { begin } from "./frame.js";
import { language, moment, word } from "./words.js";

const list = document.getElementById("notices");
const more = document.getElementById("more");
const done = document.getElementById("page-done");
let next = null;

await begin(async () => {
  async function load() {
    const found = await ask("GET", `/breach-notices?limit=20${next ? `&before=${next}` : ""}`);
    list.append(...found.notices.map(shown));
    next = found.next;
    more.hidden = next === null;
    document.getElementById("none").hidden = list.children.length > 0;
  }

  presses(more, document.getElementById("main"), async () => {
    const before = list.children.length;
    await load();
    list.children[before]?.querySelector("h2").focus();
  });
  await guarded(document.getElementById("main"), more, load);
});

function shown(notice) {
  const about = { version: notice.version, at: moment(notice.sent_at) };
  const made = copy("notice", {
    title: word("notice", about),
    state: state(notice),
    head: notice.head,
    cases: word("cases", { number: notice.cases.length }),
  });
  const [confirmed] = made.querySelectorAll('[data-field="state"]');
  confirmed.className = notice.acknowledged_at === null ? "badge" : "soft";
  made.querySelector("[data-parts]").append(...notice.sections.map((part) => copy("part", part)));
  made.querySelector("[data-cases]").append(...notice.cases.map(link));
  made.querySelector("details").hidden = notice.cases.length === 0;
  for (const form of ["pdf", "text"]) {
    const button = named(made.querySelector(`[data-${form}]`), word(`${form}-name`, about));
    presses(button, made, () => take(notice, form));
  }
  const read = named(made.querySelector("[data-read]"), word("read-name", about));
  read.hidden = notice.acknowledged_at !== null;
  presses(read, made, async () => {
    confirmed.textContent = state(await ask("POST", `/breach-notices/${notice.id}/acknowledgement`));
    confirmed.className = "soft";
    read.hidden = true;
    done.textContent = word("confirmed");
    made.querySelector("h2").focus();
  });
  return made;
}

function state(notice) {
  const at = notice.acknowledged_at;
  return at === null ? word("unread") : word("read", { at: moment(at) });
}

function link(id) {
  const made = copy("case", { name: word("case", { reference: reference(id) }) });
  made.querySelector("a").href = `/cases/${id}`;
  return made;
}

async function take(notice, form) {
  const path = `/breach-notices/${notice.id}/document?format=${form}&language=${language}`;
  const answer = await content(path);
  save(await answer.blob(), `${notice.id}.${form === "pdf" ? "pdf" : "txt"}`);
}
