// A JSON schema as rows: a name, a type in words, what else is known.

import { word } from "./words.js";

const DEEPEST = 3;

/** The schemas of a description, by name. */
export class Schemas {
  constructor(named) {
    this.named = named;
  }

  /** A row for each property of what a schema describes, those within them indented by name. */
  rows(schema, { isSent, prefix = "", depth = 0 }) {
    const found = this.resolved(schema ?? {});
    const inner = found.items ? this.resolved(found.items) : found;
    if (inner.properties === undefined) {
      return prefix || schema === null ? [] : [this.row("", found, false)];
    }
    return Object.entries(inner.properties).flatMap(([name, each]) => {
      const path = `${prefix}${name}`;
      const row = this.row(path, each, isSent && (inner.required ?? []).includes(name));
      const below = { isSent, prefix: `${path}.`, depth: depth + 1 };
      return depth < DEEPEST ? [row, ...this.rows(each, below)] : [row];
    });
  }

  row(name, schema, isRequired) {
    const found = this.resolved(schema);
    const about = [isRequired && word("required"), this.limits(found), schema.description ?? found.description];
    return { name, type: this.type(schema), about: about.filter(Boolean).join(" · ") };
  }

  /** What a reference, or a value that may be null, is about. */
  resolved(schema) {
    const some = schema.anyOf?.find((each) => each.type !== "null") ?? schema.allOf?.[0];
    const name = (some ?? schema).$ref?.split("/").at(-1);
    const found = name ? this.named[name] : some;
    return found ? this.resolved(found) : schema;
  }

  type(schema) {
    const found = this.resolved(schema);
    const isNullable = schema.anyOf?.some((each) => each.type === "null");
    const values = found.enum ?? (found.const === undefined ? null : [found.const]);
    const plain = found.format ?? found.type ?? "";
    const listed = found.items && word("list-of", { type: this.type(found.items) });
    const said = values ? word("one-of", { values: values.join(", ") }) : (listed ?? plain);
    return isNullable ? `${said} ${word("may-be-null")}` : said;
  }

  limits(found) {
    const lengths = [found.minLength ?? found.minItems ?? found.minimum, found.maxLength ?? found.maxItems ?? found.maximum];
    const known = lengths.some((each) => each !== undefined);
    const range = known && `${lengths[0] ?? 0} – ${lengths[1] ?? "…"}`;
    const other = found.default !== undefined && found.default !== null && word("default", { value: found.default });
    return [range, other].filter(Boolean).join(" · ");
  }
}
