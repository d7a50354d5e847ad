// The weekly review: how far each week is, what is in its queue, and what somebody said of it.

import { ask } from "./api.js";
import { day } from "./cases.js";
import { copy, filled, named, presses, sends } from "./forms.js";
import { moment, word } from "./words.js";

const [list, panel, dialog] = ["reviews", "week", "verdict"].map((id) => document.getElementById(id));
const form = dialog.querySelector("form");
let week = null; // the one that is gone through
let item = null; // of it, the one that is spoken of

/** Bring week and dialog to life, once. */
export function reviewing() {
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  sends(form, async ({ verdict, words }) => {
    const body = { item: item.item, verdict, words };
    show(await ask("POST", `/reviews/${week.week}/verdicts`, body));
    dialog.close();
    document.getElementById("page-done").textContent = word("judged");
    panel.querySelector("h2").focus();
  });
}

/** List the weeks; `enter(panel)` shows one of them instead. */
export function weeks(found, enter) {
  const rows = found.map((each) => {
    const made = copy("week-row", head(each));
    const button = named(made.querySelector("button"), word("go-through", { week: each.week }));
    presses(button, list, async () => {
      show(await ask("GET", `/reviews/${each.week}`));
      enter(panel);
    });
    return made;
  });
  list.querySelector("[data-list]").replaceChildren(...rows);
  list.querySelector("[data-none]").hidden = rows.length > 0;
}

function show(seen) {
  week = seen;
  filled(panel, head(seen));
  panel.querySelector("[data-list]").replaceChildren(...seen.queue.map(row));
}

function head({ week: name, state, reviewed, items, due }) {
  return {
    title: word("week", { week: name }),
    late: state === "overdue" ? word("overdue") : null,
    about: word("covered", { reviewed, items, due: day(due) }),
  };
}

function row(each) {
  const title = word(each.kind === "alert" ? `title-${each.what}` : `read-${each.what}`);
  const place = [...new Set([each.first_index, each.last_index])].join("–");
  const parts = [
    moment(each.at),
    each.severity && word(`severity-${each.severity}`),
    word("place", { place }),
    each.account_id && `${word("fact-account")} ${each.account_id}`,
    each.case_id && `${word("fact-case")} ${each.case_id}`,
  ];
  const about = parts.filter(Boolean).join(" · ");
  const made = copy("item", { title, about, said: each.said && said(each.said) });
  const button = named(made.querySelector("button"), word("judge", { title, place }));
  button.hidden = each.said !== null;
  button.addEventListener("click", () => {
    item = each;
    form.reset();
    form.querySelector(".problem").textContent = "";
    filled(dialog, { title, about });
    dialog.showModal();
    form.elements.verdict.focus();
  });
  return made;
}

function said({ verdict, words, by, email }) {
  return word(`said-${verdict}`, { words, who: email ?? by });
}
