// Holds a JSON-LD document against SHACL shapes: node shacl.mjs NODE_PREFIX DOCUMENT SHAPES_DIRECTORY FILE...
// Prints what does not conform; status 1 then.
import fs from "fs";
import path from "path";
import { createRequire } from "module";
import { pathToFileURL } from "url";

const [prefix, document, directory, ...files] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(prefix), "x.js"));
const load = async (name) => { const m = await import(pathToFileURL(require.resolve(name))); return m.default ?? m; };
const jsonld = await load("jsonld"), n3 = await load("n3"), Validator = await load("rdf-validate-shacl");

const quads = await jsonld.toRDF(JSON.parse(fs.readFileSync(document, "utf8")), { format: "application/n-quads" });
const data = new n3.Store(new n3.Parser({ format: "N-Quads" }).parse(quads));
let bad = data.size < 20;
for (const file of files) {
  const shapes = new n3.Store(new n3.Parser().parse(fs.readFileSync(path.join(directory, file), "utf8")));
  const report = await new Validator(shapes, { allowNamedNodeInList: true }).validate(data);
  for (const r of report.results) {
    bad = true;
    console.log(file, r.focusNode?.value, r.path?.value, r.sourceConstraintComponent?.value, r.value?.value);
  }
}
process.exit(bad ? 1 : 0);
