// One file on its way, by tus: it goes on where it was after a break, a pause or a reload.

import { Upload } from "./tus.js";

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
const PASSING = new Set([408, 409, 423, 425, 429]); // answers that another try may mend

/** Sends a file to the address of its upload.
 *
 * `tell(state, sent)` hears of every change: sending, paused, broken (it tries again by itself) and
 * sent; `fail(message)` of what no further try would mend (null: the address leads nowhere).
 */
export class Sending {
  constructor(file, address, { tell, fail }) {
    Object.assign(this, { file, address, tell, fail, sent: 0, wait: FIRST_WAIT_MS });
    this.again = () => this.start();
  }

  /** Begin, or go on. */
  start() {
    this.rest();
    this.upload = new Upload(this.file, {
      uploadUrl: this.address,
      retryDelays: null,
      storeFingerprintForResuming: false,
      onProgress: (sent) => {
        this.wait = FIRST_WAIT_MS;
        this.now("sending", sent);
      },
      onSuccess: () => this.now("sent", this.file.size),
      onError: (error) => this.failed(error),
    });
    this.now("sending", this.sent);
    this.upload.start();
  }

  /** Stop until the next start. */
  pause() {
    this.rest();
    this.now("paused", this.sent);
  }

  /** Stop for good, and say nothing more. */
  end() {
    this.rest();
    this.tell = () => {};
    this.fail = () => {};
  }

  rest() {
    clearTimeout(this.timer);
    removeEventListener("online", this.again);
    this.upload?.abort();
    this.upload = null;
  }

  now(state, sent) {
    this.sent = sent;
    this.tell(state, sent);
  }

  failed(error) {
    const answer = error.originalResponse;
    const status = answer?.getStatus() ?? 0;
    if (status >= 400 && status < 500 && !PASSING.has(status)) {
      this.rest();
      this.fail(detail(answer.getBody()));
      return;
    }
    this.rest();
    this.now("broken", this.sent);
    this.timer = setTimeout(this.again, this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
    addEventListener("online", this.again, { once: true });
  }
}

function detail(body) {
  try {
    return JSON.parse(body).detail;
  } catch {
    return null;
  }
}
