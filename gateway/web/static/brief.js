// What a planner is told of a case, and its files: one by one, or all.

import { fileName } from "./cases.js";
import { Download } from "./download.js";
import { copy, guarded, named, presses } from "./forms.js";
import { size, word } from "./words.js";

let part = null;

/** Show the section for this case. */
export function brief(section, known) {
  part ??= new Brief(section);
  part.show(known.case);
}

class Brief {
  constructor(section) {
    this.section = section;
    this.download = new Download(section);
    presses(section.querySelector("[data-all]"), section, () =>
      this.download.take(`/cases/${this.case.id}/archive`, this.whole),
    );
  }

  show(found) {
    this.case = found;
    const files = found.files.filter((each) => each.state === "accepted");
    this.whole = files.reduce((sum, each) => sum + each.size, 0);
    this.section.querySelector("[data-notes]").textContent = found.notes || word("brief-no-notes");
    this.section.querySelector("[data-list]").replaceChildren(...files.map((each) => this.row(each)));
    this.section.querySelector("[data-none]").hidden = files.length > 0;
    this.section.querySelector("[data-all]").hidden = files.length === 0;
    this.section.hidden = false;
  }

  row(file) {
    const name = fileName(file);
    const about = `${word(`kind-${file.kind}`)} · ${size(file.size)}`;
    const made = copy("brief-file", { name, about });
    const button = named(made.querySelector("button"), word("get-file", { name }));
    button.addEventListener("click", () =>
      guarded(this.section, button, () =>
        this.download.take(`/cases/${this.case.id}/files/${file.id}/content`, file.size),
      ),
    );
    return made;
  }
}
