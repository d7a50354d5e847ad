// The texts that modules show. They stand in the page, in its language; here are none.

const words = document.getElementById("words").content;

export const language = document.documentElement.lang;

/** The text of this name, its {places} filled. */
export function word(name, values = {}) {
  const text = words.querySelector(`[data-word="${name}"]`).textContent;
  return text.replace(/\{(\w+)\}/g, (_, place) => values[place]);
}

/** A moment as the reader writes it: 22-11-2026 14:05 in Dutch. */
export function moment(text) {
  const locale = language === "nl" ? "nl-NL" : "en-GB";
  const parts = { day: "2-digit", month: "2-digit", year: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit" };
  const at = new Date(text);
  const day = at.toLocaleDateString(locale, parts).replaceAll("/", "-");
  return `${day} ${at.toLocaleTimeString(locale, time)}`;
}

/** A number of bytes in words: 812 kB, 3.4 MB. */
export function size(bytes) {
  const units = bytes < 1e3 ? [bytes, "byte"] : [bytes / 1e3, "kilobyte"];
  const [value, unit] = bytes < 1e6 ? units : [bytes / 1e6, "megabyte"];
  const style = { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 };
  return new Intl.NumberFormat(language, style).format(value);
}

/** A number of seconds in words. */
export function duration(seconds) {
  const minutes = Math.ceil(seconds / 60);
  const [value, unit] = seconds < 60 ? [Math.max(1, Math.ceil(seconds)), "second"] : [minutes, "minute"];
  const style = { style: "unit", unit, unitDisplay: "long" };
  return new Intl.NumberFormat(language, style).format(value);
}

/** How much of it is there, in whole percents; all only when all is. */
export function percent(part, whole) {
  return Math.floor((100 * part) / Math.max(whole, 1));
}
