// Showing who one is: password, then a second factor. On the page of its own and in a dialog.

import { once, provingBy, signedIn } from "./api.js";
import { presses, sends } from "./forms.js";
import * as passkeys from "./passkeys.js";

const SIX_DIGITS = /^\d{6}$/;

/** Bring the steps in `root` to life; `done(session)` when somebody has signed in. */
export function steps(root, done) {
  const [password, factor] = ["password", "factor"].map((step) => root.querySelector(`[data-step="${step}"]`));
  let ticket;

  async function opened(answer) {
    if (answer.ticket === undefined) {
      signedIn(answer);
      await done(answer);
      return;
    }
    ticket = answer.ticket;
    factor.reset();
    offer(factor, answer.methods);
    show(factor);
  }

  function show(step) {
    for (const form of [password, factor]) {
      form.hidden = form !== step;
    }
    first(step).focus();
  }

  async function passkey(given) {
    const asked = await once("POST", "/session/passkey/options", given);
    const credential = await passkeys.use(asked.options);
    await opened(await once("POST", "/session/passkey", { ticket: asked.ticket, credential }));
  }

  sends(password, async (values) => {
    const { email, password: secret } = values;
    await opened(await once("POST", "/session", { email, password: secret }));
  });
  sends(factor, async ({ code }) => {
    await opened(await once("POST", "/session/factor", { ticket, code: code.trim() }));
  });
  presses(password.querySelector("[data-passkey]"), password, () => passkey({}));
  presses(factor.querySelector("[data-passkey]"), factor, () => passkey({ ticket }));
  root.querySelector("[data-back]").addEventListener("click", () => {
    password.querySelector('[name="password"]').value = "";
    show(password);
  });
  return opened;
}

function offer(factor, methods) {
  const has = methods.includes("passkey") && passkeys.supported;
  const codes = methods.some((method) => method !== "passkey");
  factor.querySelector("[data-passkey]").hidden = !has;
  for (const part of factor.querySelectorAll("[data-codes]")) {
    part.hidden = !codes;
  }
}

function first(form) {
  const inputs = [...form.querySelectorAll("input:not([readonly]), button")];
  return inputs.find((input) => input.checkVisibility() && input.value === "") ?? form;
}

/** Offer the ways in that there are here, besides a password, where one begins. */
export async function offerWays(root) {
  const password = root.querySelector('[data-step="password"]');
  const ways = await once("GET", "/sign-on");
  password.querySelector("[data-passkey]").hidden = !(ways.passkeys && passkeys.supported);
  const provider = password.querySelector("[data-oidc]");
  provider.hidden = !ways.oidc;
  presses(provider, password, async () => {
    const { address } = await once("POST", "/session/oidc");
    location.assign(address);
  });
}

/** Ask over the page for what a refusal says is missing; then what was refused is asked again. */
export function provesInPlace(session) {
  const [again, confirm] = ["again", "confirm"].map((id) => document.getElementById(id));
  again.querySelector('[name="email"]').value = session.account.email;
  let close = () => {};
  for (const dialog of [again, confirm]) {
    dialog.addEventListener("close", () => close(false));
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  }
  const succeeded = (dialog) => {
    close(true);
    dialog.close();
  };
  steps(again, () => succeeded(again));
  confirms(confirm, () => succeeded(confirm));
  let asking = null;
  provingBy((code) => {
    const dialog = code === "unauthenticated" ? again : confirm;
    if (code !== "unauthenticated" && confirm.querySelector(`[data-why="${code}"]`) === null) {
      return false;
    }
    // Several requests may be refused at once: one question serves them all.
    asking ??= new Promise((answer) => {
      close = answer;
      ask(dialog, code);
    }).finally(() => {
      asking = null;
    });
    return asking;
  });
}

function ask(dialog, code) {
  for (const why of dialog.querySelectorAll("[data-why]")) {
    why.hidden = why.dataset.why !== code;
  }
  for (const said of dialog.querySelectorAll(".problem")) {
    said.textContent = "";
  }
  for (const step of dialog.querySelectorAll("[data-step]")) {
    step.hidden = step.dataset.step !== "password"; // a ticket of the time before is no good
  }
  for (const input of dialog.querySelectorAll("input:not([readonly])")) {
    input.value = "";
  }
  dialog.showModal();
  first(dialog.querySelector("form:not([hidden])")).focus();
}

function confirms(dialog, done) {
  const form = dialog.querySelector("form");
  sends(form, async ({ proof }) => {
    const given = SIX_DIGITS.test(proof) ? { code: proof } : { password: proof };
    signedIn(await once("POST", "/session/confirmation", given));
    done();
  });
  const button = form.querySelector("[data-passkey]");
  button.hidden = !passkeys.supported;
  presses(button, form, async () => {
    const { ticket, options } = await once("POST", "/session/confirmation/passkey/options");
    const credential = await passkeys.use(options);
    const path = "/session/confirmation/passkey";
    signedIn(await once("POST", path, { ticket, credential }));
    done();
  });
}
