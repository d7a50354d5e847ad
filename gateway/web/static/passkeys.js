// What the browser does for passkeys (WebAuthn Level 3).

import { Refusal } from "./api.js";
import { word } from "./words.js";

/** Whether this browser can. */
export const supported =
  typeof globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON === "function";

/** Make a passkey: the credential as JSON. */
export function create(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return asked(() => navigator.credentials.create({ publicKey }));
}

/** Use a passkey: the credential as JSON. */
export function use(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return asked(() => navigator.credentials.get({ publicKey }));
}

async function asked(act) {
  try {
    return (await act()).toJSON();
  } catch (error) {
    const known = error.name === "InvalidStateError";
    throw new Refusal("passkey", word(known ? "passkey-known" : "passkey-cancelled"));
  }
}
