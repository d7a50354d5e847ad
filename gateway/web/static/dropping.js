// Files that are dropped on a place, or chosen: many at once, or whole folders.

/** Call `take(files)` with what is dropped on `area` or chosen in its inputs. */
export function dropping(area, take) {
  area.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("over");
  });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", async (event) => {
    event.preventDefault();
    area.classList.remove("over");
    // The list is empty once this handler has returned: take what is in it now.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const given = [...event.dataTransfer.files];
    take(entries.length > 0 ? (await Promise.all(entries.map(within))).flat() : given);
  });
  for (const input of area.querySelectorAll('input[type="file"]')) {
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // the same file can be chosen again
      take(files);
    });
  }
  const folder = area.querySelector("[data-folder-input]");
  area.querySelector("[data-folder]").addEventListener("click", () => folder.click());
}

async function within(entry) {
  if (entry.isFile) {
    return [await new Promise((found, failed) => entry.file(found, failed))];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives a folder in pieces, the last of them empty.
    const piece = await new Promise((read, failed) => reader.readEntries(read, failed));
    if (piece.length === 0) {
      return found;
    }
    found.push(...(await Promise.all(piece.map(within))).flat());
  }
}
