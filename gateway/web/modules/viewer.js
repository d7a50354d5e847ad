// Scans in three dimensions, beside what is said of them in words. Whatever the picture shows stands
// in the list too, and whatever a hand does in it a button does as well.

import { Refusal } from "../static/api.js";
import { copy, named, presses } from "../static/forms.js";
import { language, word } from "../static/words.js";
import { ACTS, hands } from "./viewer/hands.js";
import { make } from "./viewer/making.js";
import { Stage } from "./viewer/stage.js";

const SIZES = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const DISTANCES = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export class Viewer {
  /** `section` is that of viewer.html. */
  constructor(section) {
    this.section = section;
    this.list = section.querySelector("[data-scans]");
    this.tools = section.querySelector("[data-tools]");
    this.canvas = section.querySelector("canvas");
    this.scans = new Map();
    this.stage = null;
    presses(section.querySelector("[data-all]"), section, async () => {
      for (const id of this.scans.keys()) {
        await this.show(id);
      }
    });
    this.handle();
  }

  /** List a scan: { id, name, jaw ("upper", "lower" or null), report, load } where `load()` gives its
   * content as an ArrayBuffer, and is called when somebody wants to see it. */
  add(scan) {
    if (this.scans.has(scan.id)) {
      return;
    }
    const row = this.row(scan);
    this.scans.set(scan.id, { ...scan, row, shown: null });
    this.list.append(row);
  }

  remove(id) {
    this.scans.get(id)?.row.remove();
    this.scans.delete(id);
    this.stage?.remove(id);
  }

  /** Draw a scan, once. Throws a Refusal. */
  async show(id) {
    const scan = this.scans.get(id);
    scan.shown ??= this.bring(scan).catch((refusal) => {
      scan.shown = null;
      throw refusal;
    });
    await scan.shown;
  }

  async bring(scan) {
    const { id, name, jaw, report } = scan;
    this.open();
    this.say(word("scan-coming", { name }));
    const made = await make(await scan.load(), places(report));
    if (this.stage === null || this.scans.get(id) !== scan) {
      return;
    }
    this.stage.add(id, made, report, jaw);
    this.cut(); // as the fields say, for the new one too
    this.stage.marks(this.section.querySelector("[data-marks]").checked);
    scan.row.querySelector("[data-load]").hidden = true;
    scan.row.querySelector("[data-shown]").hidden = false;
    this.say(word("scan-shown", { name }));
  }

  /** Show the place of a finding: its number among those of the report. Throws a Refusal. */
  async point(id, number) {
    await this.show(id);
    const { report, name, row } = this.scans.get(id);
    const finding = report.findings[number];
    const first = report.findings.slice(0, number).reduce((sum, each) => sum + each.places.length, 0);
    if (!finding?.places.length) {
      return;
    }
    const box = row.querySelector("input[type=checkbox]");
    if (!box.checked) {
      box.click();
    }
    this.stage.visit(id, finding.places[0], this.stage.bodies.get(id).sides[first]);
    this.say(word("scan-place", { name, finding: said(finding) }));
    this.canvas.focus({ preventScroll: true });
    this.canvas.scrollIntoView({ block: "center" });
  }

  /** Give back everything that it holds. */
  dispose() {
    this.stage?.dispose();
    this.stage = null;
    this.tools.hidden = true;
    for (const scan of this.scans.values()) {
      scan.shown = null;
      scan.row.querySelector("[data-load]").hidden = false;
      scan.row.querySelector("[data-shown]").hidden = true;
    }
  }

  open() {
    if (this.stage === null) {
      try {
        this.stage = new Stage(this.canvas, () => this.say(word("scan-lost")));
      } catch {
        throw new Refusal("no_webgl", word("scan-no-webgl"));
      }
      this.tools.hidden = false;
      this.stage.resize();
    }
  }

  say(text) {
    this.section.querySelector("[data-said]").textContent = text;
  }

  row(scan) {
    const { id, name, report } = scan;
    const row = copy("scan-row", { name, facts: facts(report) });
    const load = named(row.querySelector("[data-load]"), word("scan-show", { name }));
    presses(load, this.section, () => this.show(id));
    const [box, range] = row.querySelectorAll("input");
    named(box, word("scan-visible", { name })).addEventListener("change", () => this.stage?.show(id, box.checked));
    named(range, word("scan-opacity", { name })).addEventListener("input", () => {
      this.stage.bodies.get(id).opacity = Number(range.value) / 100;
      this.stage.draw();
    });
    const list = row.querySelector("ul");
    list.hidden = report.findings.length === 0;
    list.append(...report.findings.map((finding, number) => {
      const item = copy("scan-finding", { message: said(finding) });
      const button = named(item.querySelector("button"), word("scan-point", { finding: said(finding) }));
      button.hidden = finding.places.length === 0;
      presses(button, this.section, () => this.point(id, number));
      return item;
    }));
    return row;
  }

  /** Bring buttons, fields and the picture itself to life. */
  handle() {
    const by = (name) => this.section.querySelector(name);
    for (const button of this.section.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => {
        this.stage.moved = true;
        this.stage.choose([]);
        this.stage.view(button.dataset.view);
        this.say(word("scan-view", { view: button.textContent }));
      });
    }
    for (const button of this.section.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => {
        ACTS[button.dataset.act](this.stage.eye);
        this.changed();
      });
    }
    for (const field of this.section.querySelectorAll("[data-cut]")) {
      field.addEventListener("input", () => this.cut());
    }
    by("[data-marks]").addEventListener("change", (event) => this.stage.marks(event.target.checked));
    by("[data-middle]").addEventListener("click", () => this.measure(0.5, 0.5));
    by("[data-forget]").addEventListener("click", () => {
      this.stage.forget();
      this.distance("");
    });
    const measuring = by("[data-measuring]");
    measuring.addEventListener("change", () => (by("[data-cross]").hidden = !measuring.checked));
    this.lookAround(measuring);
  }

  lookAround(measuring) {
    const act = (x, y) => measuring.checked && this.measure(x, y);
    const eye = new Proxy({}, { get: (_, name) => this.stage.eye[name].bind(this.stage.eye) });
    hands(this.canvas, eye, {
      changed: () => this.changed(),
      pressed: act,
      entered: () => act(0.5, 0.5),
    });
  }

  changed() {
    this.stage.moved = true;
    this.stage.draw();
  }

  cut() {
    const [by, at, isTurned] = this.section.querySelectorAll("[data-cut]");
    at.disabled = by.value === "";
    isTurned.disabled = at.disabled;
    this.stage.cut(by.value || null, Number(at.value) / 100, isTurned.checked);
  }

  measure(x, y) {
    const point = this.stage.touched(x, y);
    if (point === null) {
      this.distance(word("measure-beside"));
      return;
    }
    const distance = this.stage.measure(point);
    this.distance(
      distance === null ? word("measure-second") : word("measure-is", { distance: DISTANCES.format(distance) }),
    );
  }

  distance(text) {
    this.section.querySelector("[data-distance]").textContent = text;
  }
}

function said(finding) {
  return finding[`message_${language}`];
}

/** The places of all findings, one after another. */
function places(report) {
  return report.findings.flatMap((finding) => finding.places);
}

function facts(report) {
  const size = report.box_mm.size.map((each) => SIZES.format(each)).join(" × ");
  const counts = { triangles: SIZES.format(report.triangles), borders: SIZES.format(report.boundary_loops), size };
  return word(report.findings.length ? "scan-facts" : "scan-facts-good", counts);
}
