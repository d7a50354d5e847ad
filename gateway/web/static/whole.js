// All files of a draft together: how far, how fast, how long still; seen, and heard at the quarters.

import { presses } from "./forms.js";
import { duration, percent, size, word } from "./words.js";

const QUARTERS = [25, 50, 75];
const SPAN_MS = 5_000; // the speed is that of the last seconds
const EACH_MS = 300;
const ON_THEIR_WAY = new Set(["queued", "sending", "paused", "broken"]);
const SENT = new Set(["checking", "accepted", "refused"]);

/** The line above the places of an intake. */
export class Whole {
  constructor(section, intake) {
    Object.assign(this, { intake, seen: [], shownAt: 0, heardAt: 0, isBegun: false });
    this.element = section.querySelector("[data-whole]");
    this.heard = section.querySelector("[data-heard]");
    this.button = section.querySelector("[data-pause-all]");
    presses(this.button, section, () => {
      this.intake.rests = this.intake.items.some(({ state }) => state === "sending");
      for (const item of this.intake.items) {
        this.intake.rests ? item.pause() : item.goOn();
      }
      this.intake.pump();
    });
  }

  /** An item went on; `before` is the state in which it was. */
  show(item, before) {
    if (item.state !== before && ["accepted", "refused", "failed"].includes(item.state)) {
      this.hear(word("heard-file", { name: item.name, state: item.said() }));
    }
    const mine = this.intake.items.filter(({ file, state }) => file && (ON_THEIR_WAY.has(state) || SENT.has(state)));
    const total = mine.reduce((sum, { length }) => sum + length, 0);
    const sent = mine.reduce((sum, each) => sum + (SENT.has(each.state) ? each.length : each.sent), 0);
    const isOver = mine.every(({ state }) => SENT.has(state));
    const at = performance.now();
    this.seen = [...this.seen.filter((each) => at - each.at < SPAN_MS), { at, sent }];
    if (total === 0 || (!isOver && item.state === before && at - this.shownAt < EACH_MS)) {
      return;
    }
    this.shownAt = at;
    const now = { percent: percent(sent, total), size: size(total) };
    this.element.hidden = false;
    this.element.querySelector("progress").value = now.percent;
    this.element.querySelector("p").textContent = this.said(mine, now, sent, total, isOver);
    this.button.hidden = isOver;
    const isSending = mine.some(({ state }) => this.goes(state));
    this.button.textContent = word(isSending || isOver ? "pause" : "go-on");
    this.quarters(now.percent, isOver);
  }

  /** Whether a file in this state goes on without a word of the reader. */
  goes(state) {
    return state === "sending" || (state === "queued" && !this.intake.rests);
  }

  said(mine, now, sent, total, isOver) {
    if (isOver) {
      return word("whole-done", now);
    }
    if (!mine.some(({ state }) => this.goes(state))) {
      return word("whole-paused", now);
    }
    const [first] = this.seen;
    const last = this.seen.at(-1);
    const speed = (1000 * (last.sent - first.sent)) / (last.at - first.at);
    if (!(speed > 0)) {
      return word("whole-begun", now);
    }
    return word("whole", { ...now, speed: size(speed), left: duration((total - sent) / speed) });
  }

  /** Say it aloud at the beginning, at each quarter and at the end, and not in between. */
  quarters(reached, isOver) {
    if (isOver) {
      if (this.isBegun) {
        this.hear(word("heard-done"));
      }
      this.isBegun = false;
      this.heardAt = 0;
      return;
    }
    if (!this.isBegun) {
      this.isBegun = true;
      this.hear(word("heard-begun"));
    }
    const quarter = QUARTERS.findLast((each) => each <= reached) ?? 0;
    if (quarter > this.heardAt) {
      this.heardAt = quarter;
      this.hear(word("heard-percent", { percent: quarter }));
    }
  }

  hear(text) {
    this.heard.textContent = text;
  }
}
