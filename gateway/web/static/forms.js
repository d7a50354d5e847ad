// Forms that say in place what went wrong, and keep what was typed.

import { Refusal } from "./api.js";

/** Do `act(values)` when the form is sent; a refusal is shown in the form. */
export function sends(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    await guarded(form, event.submitter ?? form.querySelector("button"), () => act(values));
  });
}

/** Do `act()` when the button is pressed; a refusal is shown in `place`. */
export function presses(button, place, act) {
  button.addEventListener("click", () => guarded(place, button, act));
}

/** Run `act`, once at a time; show in `place` what is refused. True: it went well. */
export async function guarded(place, button, act) {
  if (button.getAttribute("aria-disabled") === "true") {
    return false;
  }
  button.setAttribute("aria-disabled", "true"); // unlike `disabled` it keeps the focus
  clear(place);
  try {
    await act();
    return true;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) {
      throw refusal;
    }
    show(place, refusal);
    return false;
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** Show a refusal in the place's own paragraph, else at the top of the page. */
export function show(place, refusal) {
  if (refusal.code === "confidentiality_required") {
    location.assign("/account#confidentiality"); // where it is read and confirmed
    return;
  }
  const input = refusal.field && place.querySelector(`[name="${CSS.escape(refusal.field)}"]`);
  const shown = [...place.querySelectorAll(".problem")].find((each) => each.checkVisibility());
  const said = shown ?? document.getElementById("page-problem");
  said.textContent = refusal.message;
  if (input) {
    input.setAttribute("aria-invalid", "true");
    input.focus();
  } else {
    said.scrollIntoView({ block: "nearest" });
  }
}

function clear(place) {
  for (const said of place.querySelectorAll(".problem")) {
    said.textContent = "";
  }
  for (const input of place.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
  }
}

/** A copy of the template `id`: text by data-field, the copy's first element given back. */
export function copy(id, values) {
  return filled(document.getElementById(id).content.firstElementChild.cloneNode(true), values);
}

/** Fill what has a data-field in `root`; what there is no value for is hidden. */
export function filled(root, values) {
  for (const slot of root.querySelectorAll("[data-field]")) {
    const value = values[slot.dataset.field];
    slot.textContent = value ?? "";
    slot.hidden = value === null || value === undefined || value === "";
  }
  return root;
}

/** Name a button of a row for those who hear it without the row around it. */
export function named(button, name) {
  button.setAttribute("aria-label", name);
  return button;
}

/** Let the buttons beside passwords show them. */
export function revealing(root) {
  for (const button of root.querySelectorAll("[data-reveals]")) {
    button.addEventListener("click", () => {
      const input = document.getElementById(button.dataset.reveals);
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.setAttribute("aria-pressed", String(!shown));
    });
  }
}
