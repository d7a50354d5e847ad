// Makes gateway/web/built of gateway/web/modules: each module one file, with what it takes from npm
// and from folders below it. What it takes from ../static stays the file that the pages share, for
// that has a state (the session's token) which must not be there twice. Run by `make install`.

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILT = join(HERE, "built");
const LICENCES = "licences.txt";

const shared = {
  name: "shared",
  setup({ onResolve }) {
    onResolve({ filter: /\/static\/[\w-]+\.js$/ }, ({ path }) => ({
      path: path.replace(/^.*\/static\//, "./"),
      external: true,
    }));
  },
};

/** The packages that a bundle has something of. */
function packages(inputs) {
  const found = Object.keys(inputs).map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(found.filter(Boolean))].sort();
}

/** Their licences ask to go with every copy. */
async function licence(name) {
  const folder = join(ROOT, "node_modules", name);
  const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) {
    throw new Error(`${name} has no licence`);
  }
  return `${name}\n\n${await readFile(join(folder, file), "utf-8")}`;
}

const modules = (await readdir(join(HERE, "modules"))).filter((name) => name.endsWith(".js"));
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: modules.map((name) => join(HERE, "modules", name)),
  outdir: BUILT,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  banner: { js: `// Licences: ${LICENCES}` },
  metafile: true,
  plugins: [shared],
});
const texts = await Promise.all(packages(metafile.inputs).map(licence));
const made = new Set([LICENCES, ...Object.keys(metafile.outputs).map((path) => basename(path))]);
for (const name of await readdir(BUILT)) {
  if (!made.has(name)) {
    await rm(join(BUILT, name));
  }
}
await writeFile(join(BUILT, LICENCES), texts.join("\n\n"));
