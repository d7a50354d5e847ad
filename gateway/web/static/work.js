// A planner's own cases: those to plan by the day they are wanted, and those that are done.

import { byDue, casesIn, day, dueWord, isLate, reference } from "./cases.js";
import { copy, guarded } from "./forms.js";
import { begin } from "./frame.js";
import { word } from "./words.js";

const [planning, done] = ["planning", "done"].map((id) => document.getElementById(id));

await begin(async (session) => {
  function row(found) {
    const mine = found.assignments.find((each) => each.account_id === session.account.id);
    const until = mine?.ends_at ? word("yours-until", { day: day(mine.ends_at) }) : word("no-end");
    const isDone = found.state === "completed";
    const made = copy("case", {
      name: word("case", { reference: reference(found.id) }),
      late: isLate(found) ? word("late") : null,
      about: `${word(`treatment-${found.treatment}`)} · ${until}`,
      due: isDone ? null : dueWord(found),
    });
    made.querySelector("a").href = `/cases/${found.id}`;
    made.classList.toggle("late", isLate(found));
    return made;
  }

  function show(section, found) {
    section.querySelector("[data-list]").replaceChildren(...found.map(row));
  }

  if (location.hash === "#handed-over") {
    document.getElementById("page-done").textContent = word("handed-over");
    history.replaceState(null, "", location.pathname);
  }
  await guarded(planning, planning, async () => {
    const open = (await casesIn("planning")).sort(byDue);
    show(planning, open);
    planning.querySelector("[data-none]").hidden = open.length > 0;
    const over = await casesIn("completed");
    show(done, over);
    done.hidden = over.length === 0;
  });
});
