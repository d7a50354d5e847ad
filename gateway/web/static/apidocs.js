// The API as the server itself describes it (OpenAPI 3.1), made readable.

import { once } from "./api.js";
import { copy, guarded } from "./forms.js";
import { frame } from "./frame.js";
import { Schemas } from "./schemas.js";
import { word } from "./words.js";

const PREFIX = "/api/v1/";
const place = document.getElementById("operations");
const find = document.getElementById("apidocs-find");
const said = document.getElementById("apidocs-found");

frame();
await guarded(document.getElementById("main"), find, async () => {
  const described = await once("GET", "/openapi.json");
  const schemas = new Schemas(described.components.schemas);
  document.querySelector("[data-version]").textContent = word("version", described.info);
  const groups = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    const name = path.startsWith(PREFIX) ? path.slice(PREFIX.length).split("/")[0] : "/";
    groups.set(name, [...(groups.get(name) ?? []), ...operations(path, methods, schemas)]);
  }
  const sections = [...groups].sort().map(([name, rows]) => {
    const section = copy("group", { name });
    section.append(...rows);
    return section;
  });
  place.replaceChildren(...sections);
  find.form.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", narrow);
  narrow();
});

function operations(path, methods, schemas) {
  return Object.entries(methods).map(([method, operation]) => {
    const made = copy("operation", { method: method.toUpperCase(), path, summary: operation.summary });
    made.dataset.text = `${method} ${path} ${operation.summary} ${operation["x-kluis-action"] ?? ""}`.toLowerCase();
    made.addEventListener("toggle", () => fill(made.querySelector("div"), operation, schemas));
    return made;
  });
}

/** Show the requests that hold what is typed, and say how many they are. */
function narrow() {
  const wanted = find.value.trim().toLowerCase();
  let number = 0;
  for (const each of place.querySelectorAll("details")) {
    each.hidden = !each.dataset.text.includes(wanted);
    number += each.hidden ? 0 : 1;
  }
  for (const section of place.children) {
    section.hidden = section.querySelector("details:not([hidden])") === null;
  }
  said.textContent = word(`requests-${number > 1 ? "n" : number}`, { number });
}

/** What is inside an operation is made when somebody opens it. */
function fill(inside, operation, schemas) {
  if (inside.firstChild !== null) {
    return;
  }
  const act = operation["x-kluis-action"];
  part(inside, word("act"), [{ name: "", type: word(act ? "act-named" : "act-open", { act }) }]);
  part(
    inside,
    word("parameters"),
    operation.parameters.map((each) => schemas.row(each.name, each.schema, each.required)),
  );
  part(inside, word("body"), schemas.rows(body(operation.requestBody), { isSent: true }));
  for (const [status, answer] of Object.entries(operation.responses)) {
    if (status < 400) {
      part(inside, word("answer", { status }), schemas.rows(body(answer), { isSent: false }));
    }
  }
  const refusals = Object.entries(operation.responses).filter(([status]) => status >= 400);
  part(inside, word("refusals"), refusals.map(([name, { description: type }]) => ({ name, type })));
}

function body(described) {
  const [[type, content] = []] = Object.entries(described?.content ?? {});
  return content === undefined ? null : (content.schema ?? { type });
}

function part(inside, name, rows) {
  if (rows.length > 0) {
    const made = copy("part", { name });
    made.querySelector("ul").append(...rows.map((each) => copy("property", each)));
    inside.append(made);
  }
}
