// Downloading on the page: how far it is, a way to stop, and the end said only when all is there.

import { content, Refusal } from "./api.js";
import { size, word } from "./words.js";

const NAME = /filename="([^"]+)"/;
const ARCHIVE = "application/zip"; // made as it is sent: nobody knows its length before

/** What shows the downloads of a section, one at a time. */
export class Download {
  constructor(section) {
    this.place = section.querySelector("[data-download]");
    this.bar = this.place.querySelector("progress");
    this.done = section.querySelector("[data-downloaded]");
    this.place.querySelector("button").addEventListener("click", () => this.stopper?.abort());
  }

  /** Download what is at `path`, of about `whole` bytes, and save it under the server's name. */
  async take(path, whole) {
    this.stopper?.abort();
    const stopper = new AbortController();
    this.stopper = stopper;
    this.done.textContent = "";
    this.tell(0, whole, "downloading");
    this.place.querySelector("[data-name]").textContent = "";
    this.place.hidden = false;
    try {
      await this.fetched(await content(path, stopper.signal), whole, stopper.signal);
    } catch (refusal) {
      throw refusal.code === "cancelled" ? new Refusal("cancelled", word("stopped")) : refusal;
    } finally {
      if (this.stopper === stopper) {
        this.place.hidden = true;
      }
    }
  }

  async fetched(answer, whole, signal) {
    const name = NAME.exec(answer.headers.get("Content-Disposition"))[1];
    const type = answer.headers.get("Content-Type");
    this.place.querySelector("[data-name]").textContent = name;
    const pieces = [];
    let received = 0;
    const reader = answer.body.getReader();
    try {
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        pieces.push(piece.value);
        received += piece.value.length;
        this.tell(received, whole, type === ARCHIVE ? "downloading-archive" : "downloading");
      }
    } catch {
      const code = signal.aborted ? "cancelled" : "unreachable";
      throw new Refusal(code, word("cut-off", { received: size(received) }));
    }
    save(new Blob(pieces, { type }), name);
    this.done.textContent = word("downloaded", { name, received: size(received) });
  }

  tell(received, whole, said) {
    this.bar.value = Math.min(1, received / Math.max(1, whole));
    const sizes = { received: size(received), whole: size(whole) };
    this.place.querySelector("[data-said]").textContent = word(said, sizes);
  }
}

/** Hand what was made or fetched to the browser, which puts it among the downloads. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
