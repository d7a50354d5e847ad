// Which place a file fills: by what its name says, with the words that the server guesses by.

const tables = document.getElementById("words").content;
const KINDS = [
  ["scan", /\.(stl|ply|obj)$/i],
  ["photo", /\.(jpe?g|png|hei[cf])$/i],
];
const WORD = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g; // UpperJawScan is three words
const BITE_SHARE = 0.6; // of the smaller arch: a bite shows some teeth of both, from one side

/** What a treatment asks for, as kind and slot. */
export function expected(treatment) {
  const found = tables.querySelector(`[data-treatment="${treatment}"]`).dataset.places;
  return found.split(" ").filter(Boolean).map(placeOf);
}

/** The slots that a file of a kind may have. */
export function slotsOf(kind) {
  return tables.querySelector(`[data-slots="${kind}"]`).dataset.names.split(" ");
}

/** Scan or photo, by the ending of its name; null: neither. */
export function kindOf(name) {
  return KINDS.find(([, pattern]) => pattern.test(name))?.[0] ?? null;
}

/** The slot that a file's name speaks of; null when it speaks of none, or of several. */
export function guess(kind, name) {
  const words = new Set((name.match(WORD) ?? []).map((word) => word.toLowerCase()));
  const found = [...tables.querySelectorAll(`[data-guess^="${kind} "]`)].filter((each) =>
    each.dataset.said.split(" ").some((word) => words.has(word)),
  );
  return found.length === 1 ? found[0].dataset.guess.split(" ")[1] : null;
}

/** Kind and slot of files that came together; beside two arches a much smaller scan is the bite. */
export function sorted(files) {
  const found = files.map((file) => {
    const kind = kindOf(file.name);
    return { file, kind, slot: kind && guess(kind, file.name) };
  });
  const scans = found.filter(({ kind }) => kind === "scan");
  const [upper, lower] = ["upper", "lower"].map((slot) => scans.find((each) => each.slot === slot));
  const [bite, ...others] = scans.filter(({ slot }) => slot === null);
  const isAlone = bite && others.length === 0 && !scans.some(({ slot }) => slot === "bite");
  if (isAlone && upper && lower && bite.file.size < BITE_SHARE * Math.min(upper.file.size, lower.file.size)) {
    bite.slot = "bite";
  }
  return found;
}

function placeOf(text) {
  const [kind, slot] = text.split("-");
  return { kind, slot };
}
