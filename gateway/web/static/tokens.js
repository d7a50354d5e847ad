// API tokens: for programs that act in one's name, each for a while.

import { ask } from "./api.js";
import { copy, guarded, named, presses, sends } from "./forms.js";
import { moment, word } from "./words.js";

const DAY_MS = 86_400_000;

/** Bring the section to life. */
export async function tokens(section) {
  const [list, form, secret] = ["[data-list]", "form", "[data-secret]"].map((part) => section.querySelector(part));

  async function load() {
    const found = (await ask("GET", "/account/tokens")).tokens;
    list.replaceChildren(...found.map(row));
    section.querySelector("[data-none]").hidden = found.length > 0;
  }

  function row(token) {
    const values = {
      created: moment(token.created_at),
      used: token.used_at ? moment(token.used_at) : word("never"),
      until: token.expires_at ? moment(token.expires_at) : word("no-end"),
    };
    const made = copy("token", { name: token.name, about: word("token-about", values) });
    const button = named(made.querySelector("button"), word("revoke", { name: token.name }));
    presses(button, section, async () => {
      await ask("DELETE", `/account/tokens/${token.id}`);
      secret.hidden = true;
      await load();
      section.querySelector("h2").focus();
    });
    return made;
  }

  sends(form, async ({ name, days, networks }) => {
    const expires = new Date(Date.now() + Number(days) * DAY_MS).toISOString();
    const limits = networks.split(/[\s,]+/).filter(Boolean);
    const body = { name, expires_at: expires, ...(limits.length && { networks: limits }) };
    const made = await ask("POST", "/account/tokens", body);
    secret.querySelector("code").textContent = made.token;
    secret.hidden = false;
    form.reset();
    secret.querySelector("h3").focus();
    await load();
  });
  presses(secret.querySelector("button"), section, () => {
    secret.querySelector("code").textContent = "";
    secret.hidden = true;
    section.querySelector("h2").focus();
  });
  await guarded(section, form.querySelector("button"), load);
}
