// The second step at sign-in: authenticator app, passkeys, recovery codes.

import { ask } from "./api.js";
import { copy, guarded, named, presses, sends } from "./forms.js";
import * as passkeys from "./passkeys.js";
import { moment, word } from "./words.js";

/** The section: a list, and one thing to do at a time. */
export class Factors {
  /** `added()` is called when there is a second step. */
  constructor(section, added) {
    this.section = section;
    this.added = added;
    this.list = section.querySelector("[data-list]");
    this.start = section.querySelector("[data-start]");
    [this.totp, this.passkey, this.codes] = ["totp", "passkey", "codes"].map((id) => document.getElementById(id));
    this.enrolling = null;
    presses(this.button("totp"), section, () => this.beginTotp());
    sends(this.totp, ({ code }) => this.endTotp(code));
    this.button("passkey").hidden = !passkeys.supported;
    presses(this.button("passkey"), section, () => this.show(this.passkey));
    sends(this.passkey, ({ name }) => this.addPasskey(name));
    presses(this.renewal, section, () => this.renew());
    for (const form of [this.totp, this.passkey]) {
      presses(form.querySelector("[data-cancel]"), section, () => this.show(this.start));
    }
    presses(this.codes.querySelector("[data-copy]"), section, () => this.copyCodes());
    presses(this.codes.querySelector("[data-print]"), section, () => print());
    presses(this.codes.querySelector("[data-kept]"), section, () => this.show(this.start));
  }

  button(kind) {
    return this.start.querySelector(`[data-add="${kind}"]`);
  }

  get renewal() {
    return this.start.querySelector("[data-renew]");
  }

  load() {
    return guarded(this.section, this.renewal, async () => {
      const { factors, recovery_codes: left } = await ask("GET", "/account/factors");
      this.list.replaceChildren(...factors.map((factor) => this.row(factor)));
      this.section.querySelector("[data-none]").hidden = factors.length > 0;
      this.renewal.hidden = factors.length === 0;
      const said = this.section.querySelector("[data-left]");
      said.hidden = factors.length === 0;
      said.textContent = word("codes-left", { left });
    });
  }

  row(factor) {
    const created = moment(factor.created_at);
    const used = factor.used_at ? moment(factor.used_at) : word("never");
    const made = copy("factor", { name: factor.name, about: word(factor.kind, { created, used }) });
    const button = named(made.querySelector("button"), word("remove", { name: factor.name }));
    presses(button, this.section, async () => {
      await ask("DELETE", `/account/factors/${factor.id}`);
      await this.load();
      this.say("removed");
      this.section.querySelector("h2").focus();
    });
    return made;
  }

  /** Show one part, without the secrets of the one before. */
  show(part) {
    this.enrolling = part === this.totp ? this.enrolling : null;
    this.totp.querySelector("[data-qr]").src = this.enrolling ? picture(this.enrolling.qr) : "data:,";
    this.totp.querySelector("[data-secret]").textContent = this.enrolling ? grouped(this.enrolling.secret) : "";
    if (part !== this.codes) {
      this.codes.querySelector("[data-list]").replaceChildren();
    }
    for (const each of [this.totp, this.passkey, this.codes, this.start]) {
      each.hidden = each !== part;
    }
    for (const form of [this.totp, this.passkey]) {
      form.reset();
    }
    (part.querySelector("h3") ?? part.querySelector("button")).focus();
  }

  say(name) {
    document.getElementById("page-done").textContent = word(name);
  }

  async beginTotp() {
    this.enrolling = await ask("POST", "/account/factors", { name: word("authenticator") });
    this.show(this.totp);
  }

  async endTotp(code) {
    const path = `/account/factors/${this.enrolling.id}/activation`;
    await this.end(await ask("POST", path, { code: code.trim() }));
  }

  async addPasskey(name) {
    const { ticket, options } = await ask("POST", "/account/passkeys/options", {});
    const credential = await passkeys.create(options);
    await this.end(await ask("POST", "/account/passkeys", { ticket, name, credential }));
  }

  async end(answer) {
    this.say("added");
    this.showCodes(answer.recovery_codes ?? []);
    await this.load();
    this.added();
  }

  async renew() {
    this.showCodes((await ask("POST", "/account/recovery-codes")).recovery_codes);
    await this.load();
  }

  showCodes(recovery) {
    this.show(recovery.length ? this.codes : this.start);
    this.codes.querySelector(".done").textContent = "";
    const rows = recovery.map((code) => copy("code", { code }));
    this.codes.querySelector("[data-list]").replaceChildren(...rows);
  }

  async copyCodes() {
    const text = [...this.codes.querySelectorAll("code")].map((code) => code.textContent).join("\n");
    const copied = await navigator.clipboard.writeText(text).then(
      () => "copied",
      () => "not-copied",
    );
    this.codes.querySelector(".done").textContent = word(copied);
  }
}

function picture(svg) {
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

function grouped(secret) {
  return secret.replace(/.{4}(?=.)/g, "$& ");
}
