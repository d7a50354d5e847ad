// Asking the API, with the session that the browser holds. No secret is kept here or in the
// browser's storage: the cookie is out of reach of scripts, the token beside it is in memory.

import { duration, language, word } from "./words.js";

const API = "/api/v1";
let csrf = "";
let account = null;
let prove = null;

/** What the API, or the way to it, refused: a stable code and a sentence for the reader. */
export class Refusal extends Error {
  constructor(code, message, field = null) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

/** Call `proof(code, session)` when the reader must show again who they are; true: ask again. */
export function provingBy(proof) {
  prove = proof;
}

/** The session's token, for changes by cookie. */
export function signedIn(session) {
  csrf = session.csrf_token;
  account = session.account.id;
}

/** Wait until the reader has unlocked the session, however often they turn it down. */
export async function unlocked() {
  while (!(await prove("session_locked"))) {
    // There is nothing to see before.
  }
}

/** Ask, and give what was answered (null: nothing). Throws a Refusal. */
export async function ask(method, path, body = undefined, more = {}) {
  return parsed(await answered(method, path, body, more));
}

/** The same; gives the answer's headers. */
export async function askForHeaders(method, path, more) {
  return (await answered(method, path, undefined, more)).headers;
}

/** The content of a file, as an answer to be read; the browser keeps nothing of it. */
export async function content(path, signal) {
  return answered("GET", path, undefined, {}, signal);
}

async function answered(method, path, body, more, signal) {
  try {
    return await sent(method, path, body, more, signal);
  } catch (refusal) {
    if (!(await mended(refusal.code))) {
      throw refusal;
    }
    return sent(method, path, body, more, signal);
  }
}

/** Whether what was refused may be asked again: something was proved, or the token is another. */
async function mended(code) {
  if (code !== "cross_site") {
    return prove !== null && prove(code);
  }
  // Proving oneself in another window renews the cookie, and the token beside it.
  const before = csrf;
  const session = await once("GET", "/session");
  if (session.account.id !== account) {
    // What was typed as one person is not done in the name of another.
    throw new Refusal("another_account", word("another-account", session.account));
  }
  signedIn(session);
  return csrf !== before;
}

/** Ask without ever interrupting the reader. */
export async function once(method, path, body = undefined) {
  return parsed(await sent(method, path, body, {}));
}

async function parsed(answer) {
  const text = await answer.text().catch(() => {
    throw new Refusal("unreachable", word("unreachable"));
  });
  return text === "" ? null : JSON.parse(text);
}

async function sent(method, path, body, more, signal) {
  const headers = { "Accept-Language": language, "X-CSRF-Token": csrf, ...more };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(API + path, { method, headers, body: JSON.stringify(body), signal });
  } catch {
    const code = signal?.aborted ? "cancelled" : "unreachable";
    throw new Refusal(code, word(code));
  }
  if (!answer.ok) {
    throw refusal(answer, await answer.text());
  }
  return answer;
}

function refusal(answer, text) {
  let problem;
  try {
    problem = JSON.parse(text);
  } catch {
    // A proxy in front of the server answered, not the server.
    return new Refusal("unreachable", word("unreachable"));
  }
  if (answer.status === 500) {
    const request = answer.headers.get("X-Request-Id");
    return new Refusal(problem.code, word("fault", { request }));
  }
  const wait = Number(answer.headers.get("Retry-After"));
  const detail = wait ? word("later", { detail: problem.detail, wait: duration(wait) }) : problem.detail;
  return new Refusal(problem.code, detail, problem.field);
}
