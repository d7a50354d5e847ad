// Has a scan made ready by a worker of its own: when it is done, or takes too long, it is gone, and
// with it everything that it held.

import { Refusal } from "../../static/api.js";
import { word } from "../../static/words.js";

const PATIENCE_MS = 120_000;
const ADDRESS = new URL("./scanworker.js", import.meta.url).href;

// Only this one address may become that of a worker (the page's policy names "worker").
const policy = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: () => ADDRESS });

/** What the worker makes of `content` (an ArrayBuffer, which is handed over). Throws a Refusal. */
export function make(content, points) {
  const worker = new Worker(policy?.createScriptURL("") ?? ADDRESS, { type: "module" });
  return new Promise((resolve, reject) => {
    const refuse = (why) => reject(new Refusal(why, word(`scan-${why}`)));
    const timer = setTimeout(() => refuse("slow"), PATIENCE_MS);
    worker.addEventListener("message", ({ data }) => (data.made ? resolve(data.made) : refuse(data.refused)));
    worker.addEventListener("error", () => refuse("memory"));
    worker.postMessage({ content, points }, [content]);
    worker.addEventListener("message", () => clearTimeout(timer));
  }).finally(() => worker.terminate());
}
