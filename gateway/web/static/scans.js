// What can be seen of a case: its accepted scans and photos, by what people call them.

import { content } from "./api.js";
import { Photos } from "./photos.js";
import { Viewer } from "./viewer.js";
import { word } from "./words.js";

const SHOWN = new Set(["scan", "photo"]); // a plan may be a document
const JAWS = new Set(["upper", "lower"]);
let viewer = null;
let photos = null;

/** Bring the section of scans to life, and that of photos beside it. */
export function scans(section, { case: found }) {
  if (viewer === null) {
    viewer = new Viewer(section);
    photos = new Photos(document.getElementById("photos"));
    addEventListener("pagehide", dispose);
  }
  const accepted = found.files.filter((file) => file.state === "accepted" && SHOWN.has(file.report?.kind));
  for (const file of accepted) {
    list(file, `/cases/${found.id}/files/${file.id}/content`);
  }
  const kept = new Set(accepted.map((file) => file.id));
  for (const id of [...viewer.scans.keys(), ...photos.photos.keys()].filter((each) => !kept.has(each))) {
    viewer.remove(id);
    photos.remove(id);
  }
  section.hidden = viewer.scans.size === 0;
  photos.section.hidden = photos.photos.size === 0;
}

/** Show the place of a finding: the file's id, and the finding's number in its report. */
export async function pointAt(id, number) {
  await viewer.point(id, number);
}

function list(file, path) {
  const shown = { id: file.id, name: file.kind === "plan" ? word("kind-plan") : word(`slot-${file.slot ?? "none"}`), report: file.report };
  const before = viewer.scans.get(file.id) ?? photos.photos.get(file.id);
  if (before && before.name !== shown.name) {
    viewer.remove(file.id);
    photos.remove(file.id);
  }
  if (file.report.kind === "scan") {
    const load = async () => (await content(path)).arrayBuffer();
    viewer.add({ ...shown, jaw: JAWS.has(file.slot) ? file.slot : null, load });
  } else {
    photos.add({ ...shown, load: async () => (await content(path)).blob() });
  }
}

function dispose() {
  viewer.dispose();
  photos.dispose();
}
