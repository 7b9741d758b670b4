// What a message costs in Node.js: JSON.parse and a compiled ajv validator, on each argument: name/version:file.
// Prints a line for each: schema, microseconds. tests/bench/bench_schema.c runs it beside our own figures.
"use strict";
const fs = require("fs");

function validator() {
  try { // version 8: 2020-12
    const Ajv = require("ajv/dist/2020");
    return new Ajv({ strict: false, validateFormats: false });
  } catch (e) { // version 6, which Debian has: draft-07, of which our schemas use no more
    const Ajv = require("ajv");
    return new Ajv({ format: false, unknownFormats: "ignore", meta: false, validateSchema: false });
  }
}

// Microseconds a call, the best of some rounds.
function measure(call) {
  let best = Infinity;
  for (let round = 0; round < 4; round++) {
    const start = process.hrtime.bigint();
    let n = 0, now = start;
    for (; now - start < 20000000n; now = process.hrtime.bigint(), n += 200)
      for (let k = 0; k < 200; k++)
        if (!call())
          throw new Error("an example that fits is refused");
    best = Math.min(best, Number(now - start) / n / 1000);
  }
  return best;
}

for (const argument of process.argv.slice(2)) {
  const [, name, version, file] = argument.match(/^([^/]+)\/(\d+):(.*)$/);
  const schema = JSON.parse(fs.readFileSync(`schemas/${name}/${version}/schema.json`, "utf8"));
  delete schema.$schema;
  const check = validator().compile(schema);
  const bytes = fs.readFileSync(file);
  console.log(`${name}/${version} ${measure(() => check(JSON.parse(bytes.toString()))).toFixed(3)}`);
}
