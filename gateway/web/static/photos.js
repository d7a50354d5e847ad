// The photos of a case: one or several side by side, as large as one likes. A photo is in memory
// while it is shown, and nowhere else.

import { Refusal } from "./api.js";
import { copy, named, presses } from "./forms.js";
import { word } from "./words.js";

export class Photos {
  /** `section` is that of photos.html. */
  constructor(section) {
    this.section = section;
    this.list = section.querySelector("[data-photos]");
    this.open = section.querySelector("[data-open]");
    this.photos = new Map();
  }

  /** List a photo: { id, name, report, load } where `load()` gives its content as a Blob. */
  add(photo) {
    if (this.photos.has(photo.id)) {
      return;
    }
    const { id, name, report } = photo;
    const isTurned = report.orientation > 4; // Exif: its sides are swapped when it is shown
    const [width, height] = isTurned ? [report.height_px, report.width_px] : [report.width_px, report.height_px];
    const row = copy("photo-row", { name, facts: word("photo-facts", { width, height }) });
    const button = named(row.querySelector("button"), word("photo-show", { name }));
    presses(button, this.section, () => (this.photos.get(id).figure ? this.close(id) : this.show(id)));
    this.photos.set(id, { ...photo, row, button, figure: null, address: null });
    this.list.append(row);
  }

  remove(id) {
    if (this.photos.has(id)) {
      this.close(id);
      this.photos.get(id).row.remove();
      this.photos.delete(id);
    }
  }

  /** Show one; throws a Refusal. */
  async show(id) {
    const photo = this.photos.get(id);
    this.say("photo-coming", photo);
    photo.address = URL.createObjectURL(await photo.load());
    const figure = copy("photo", photo);
    this.open.append(figure); // in a template's document nothing is loaded
    const [frame, image, range] = ["div", "img", "input"].map((each) => figure.querySelector(each));
    image.src = photo.address;
    image.alt = photo.name;
    try {
      await image.decode();
    } catch {
      figure.remove();
      URL.revokeObjectURL(photo.address);
      throw new Refusal("unreadable", word("photo-broken"));
    }
    named(frame, photo.name);
    named(range, word("photo-size", photo)).addEventListener("input", () => enlarge(frame, image, range.value));
    photo.figure = figure;
    photo.button.setAttribute("aria-pressed", "true");
    this.say("photo-shown", photo);
  }

  close(id) {
    const photo = this.photos.get(id);
    photo.figure?.remove();
    URL.revokeObjectURL(photo.address);
    Object.assign(photo, { figure: null, address: null });
    photo.button.setAttribute("aria-pressed", "false");
    this.say("photo-gone", photo);
  }

  dispose() {
    for (const id of this.photos.keys()) {
      this.close(id);
    }
  }

  say(key, { name }) {
    this.section.querySelector("[data-said]").textContent = word(key, { name });
  }
}

/** Make it wider than its frame; what was in the middle stays there. */
function enlarge(frame, image, percent) {
  const middle = [
    (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth,
    (frame.scrollTop + frame.clientHeight / 2) / frame.scrollHeight,
  ];
  image.style.width = `${percent}%`;
  frame.scrollLeft = middle[0] * frame.scrollWidth - frame.clientWidth / 2;
  frame.scrollTop = middle[1] * frame.scrollHeight - frame.clientHeight / 2;
}
