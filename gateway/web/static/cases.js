// What every page about cases says of one: its name among people, its state, its days.

import { ask } from "./api.js";
import { language, word } from "./words.js";

const DAY_MS = 86_400_000;
const OPEN = new Set(["draft", "submitted", "planning"]);

/** What people call a case: the last eight digits of its id, as 3F2A-91BC. */
export function reference(id) {
  const last = id.replaceAll("-", "").slice(-8).toUpperCase();
  return `${last.slice(0, 4)}-${last.slice(4)}`;
}

/** The day as the reader writes it: 30-11-2026. */
export function day(text) {
  return text.slice(0, 10).split("-").reverse().join("-");
}

/** A day as people write it, 17-05-1990, or as the API does; null: it is none. */
export function isoDay(text) {
  const [, date, month, year] = /^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})$/.exec(text.trim()) ?? [];
  const iso = year ? `${year}-${month.padStart(2, "0")}-${date.padStart(2, "0")}` : text.trim();
  // A day that there is not, as 31-02, comes back as another one.
  const at = new Date(`${iso}T00:00:00Z`);
  return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== iso ? null : iso;
}

/** Today, as the API writes a day; or so many days from today. */
export function today(days = 0) {
  const at = new Date();
  at.setDate(at.getDate() + days);
  return at.toLocaleDateString("sv");
}

/** How far a day, or the day of a moment, is from today: tomorrow, in 3 days, 2 days ago. */
export function fromToday(text) {
  const then = text.length > 10 ? new Date(text).toLocaleDateString("sv") : text;
  const days = Math.round((Date.parse(then) - Date.parse(today())) / DAY_MS);
  return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day");
}

/** Whether the day by which the case is wanted has passed. */
export function isLate(found) {
  return Boolean(found.due) && OPEN.has(found.state) && found.due < today();
}

/** Its state, in words. */
export function stateWord(found) {
  return word(found.frozen && found.state !== "erased" ? "state-frozen" : `state-${found.state}`);
}

/** When it is wanted, in words. */
export function dueWord(found) {
  if (!found.due) {
    return word("no-due");
  }
  return word("due", { day: day(found.due), when: fromToday(found.due) });
}

/** Those that are wanted first come first; those that nobody set a day for, by age. */
export function byDue(one, other) {
  const [a, b] = [one, other].map((each) => `${each.due ?? "9"} ${each.submitted_at} ${each.id}`);
  return a < b ? -1 : 1;
}

/** Every case in this state that the reader may see. */
export async function casesIn(state) {
  const found = [];
  let before = "";
  do {
    const answer = await ask("GET", `/cases?state=${state}&limit=200${before}`);
    found.push(...answer.cases);
    before = answer.next === null ? null : `&before=${answer.next}`;
  } while (before !== null);
  return found;
}

/** What a file is called: the place that it fills, else its kind and number. */
export function fileName(file) {
  const numbered = [word(`kind-${file.kind}`), file.number].filter(Boolean).join(" ");
  return file.slot && file.slot !== "other" ? word(`slot-${file.slot}`) : numbered;
}
