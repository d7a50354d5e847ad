// A draft that was begun before: its files go on where they were.

import { Intake } from "./intake.js";
import { keeping } from "./frame.js";
import { pointAt, scans } from "./scans.js";

/** The files of a draft, on the page of its case or of a new one. */
export function draft(found, handedIn) {
  const viewer = document.getElementById("viewer");
  const intake = new Intake({
    treatment: found.treatment,
    accepted: () => scans(viewer, { case: { ...found, id: intake.caseId, files: intake.views() } }),
    point: (item, number) => pointAt(item.id, number),
    handedIn,
  });
  return intake;
}

let intake = null;

/** The part of the page of a case. */
export function intakeOf(section, { case: found, reload }) {
  const isDraft = found.state === "draft" && !found.frozen && !found.restricted;
  section.hidden = !isDraft;
  document.getElementById("hand-in").hidden = !isDraft;
  if (!isDraft || intake !== null) {
    return;
  }
  intake = draft(found, async () => {
    keeping(async () => true);
    location.hash = "handed-in";
    await reload();
  });
  intake.begin(found);
}
