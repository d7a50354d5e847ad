// What is held about oneself: corrected, taken along, closed.

import { ask } from "./api.js";
import { save } from "./download.js";
import { guarded, presses, sends } from "./forms.js";
import { speak } from "./frame.js";
import { language, word } from "./words.js";

/** Bring the section to life. */
export async function profile(section) {
  const [form, close] = ["profile", "close"].map((id) => document.getElementById(id));

  function show(account) {
    form.elements.name.value = account.name ?? "";
    form.elements.phone.value = account.phone ?? "";
    form.elements.language.value = account.language;
  }

  sends(form, async ({ name, phone, language: chosen }) => {
    show(await ask("PATCH", "/account", { name, phone: phone || null, language: chosen }));
    form.querySelector(".done").textContent = word("kept");
    speak(chosen);
    if (chosen !== language) {
      location.reload();
    }
  });
  presses(section.querySelector("[data-export]"), section, async () => {
    const own = await ask("GET", "/account/export");
    own.events = [];
    for (let after = -1; after !== null; ) {
      const page = await ask("GET", `/account/events?after=${after}`);
      own.events.push(...page.events);
      after = page.next;
    }
    const held = JSON.stringify(own, null, 2);
    save(new Blob([held], { type: "application/json" }), "kluis-account.json");
  });
  sends(close, async () => {
    await ask("DELETE", "/account");
    location.replace("/sign-in#closed");
  });
  // Shown with what it holds: what is typed before that would be written over.
  form.hidden = !(await guarded(section, form.querySelector("button"), async () => show(await ask("GET", "/account"))));
}
