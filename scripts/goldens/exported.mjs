// Runs a folder that `formers convert` wrote with transformers.js, and compares with the golden's answers.
// Usage: node exported.mjs FOLDER GOLDEN TASK (where @huggingface/transformers is installed)
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { createRequire } from "node:module";

const [folder, golden, task] = process.argv.slice(2);
const { env, pipeline } = await import(createRequire(resolve("package.json")).resolve("@huggingface/transformers"));
env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));
const pipe = await pipeline(task, basename(folder), { dtype: "fp32" });
let checked = 0;
for (const { task: of, inputs, parameters, answer } of JSON.parse(readFileSync(golden)).cases) {
  if (of !== task || typeof inputs !== "string" || Object.keys(parameters).length || !Array.isArray(answer)) continue;
  const [given] = await pipe(inputs);
  const [wanted] = answer;
  if (given.label !== wanted.label || Math.abs(given.score - wanted.score) > 1e-4)
    throw new Error(`${inputs}: ${JSON.stringify(given)}, not ${JSON.stringify(wanted)}`);
  checked += 1;
}
if (!checked) throw new Error("no case to compare");
console.log(`transformers.js: ${checked} answers agree`);
