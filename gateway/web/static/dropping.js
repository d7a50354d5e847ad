// Files that are dropped on a place, or chosen: many at once, or whole folders.

/** Call `take(files)` with what is chosen in the inputs of `area`, or dropped on the page while it
 * shows: beside it the browser would leave the page for the file. */
export function dropping(area, take) {
  const isMeant = (event) => event.dataTransfer.types.includes("Files") && area.checkVisibility();
  document.addEventListener("dragover", (event) => {
    if (isMeant(event)) {
      event.preventDefault();
      area.classList.add("over");
    }
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      area.classList.remove("over");
    }
  });
  document.addEventListener("drop", async (event) => {
    if (!isMeant(event)) {
      return;
    }
    event.preventDefault();
    area.classList.remove("over");
    // The list is empty once this handler has returned: take what is in it now.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const given = [...event.dataTransfer.files];
    const all = Promise.all(entries.map(within)).catch(() => given); // a folder that cannot be read
    take(entries.length > 0 ? (await all).flat() : given);
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
