// Runs a folder that `formers convert` wrote with transformers.js, for exported_language.py: a request on standard input, and on standard output
// the new tokens of each prompt by type, but for the last. In 32 bits all prompts together, padded on the left as its pipelines do, must give the same.
// Usage: node exported_language.mjs (where @huggingface/transformers is installed)
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { createRequire } from "node:module";

const { folder, two_sided, prompts, new: count, dtypes, forced } = JSON.parse(readFileSync(0));
const { env, AutoModelForCausalLM, AutoModelForSeq2SeqLM, Tensor } = await import(createRequire(resolve("package.json")).resolve("@huggingface/transformers"));
env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));
const found = {};
for (const dtype of dtypes) {
  const model = await (two_sided ? AutoModelForSeq2SeqLM : AutoModelForCausalLM).from_pretrained(basename(folder), { dtype });
  const write = async (rows) => {
    const width = Math.max(...rows.map((row) => row.length));
    const pad = (row, filled) => {
      const rest = Array(width - row.length).fill(0);
      return two_sided ? [...filled, ...rest] : [...rest, ...filled];
    };
    const tensor = (each) => new Tensor("int64", BigInt64Array.from(rows.flatMap((row) => pad(row, each(row))), BigInt), [rows.length, width]);
    const written = await model.generate({
      input_ids: tensor((row) => row),
      attention_mask: tensor((row) => row.map(() => 1)),
      max_new_tokens: count,
      min_new_tokens: count,
      do_sample: false,
      num_beams: 1,
      ...(forced === null ? {} : { forced_bos_token_id: forced }),
    });
    return written.tolist().map((row) => row.map(Number).slice(two_sided ? 1 : width, -1));
  };
  found[dtype] = [];
  for (const prompt of prompts) found[dtype].push(...(await write([prompt])));
  if (dtype !== "fp32") continue;
  const together = JSON.stringify(await write(prompts));
  if (together !== JSON.stringify(found[dtype])) throw new Error(`prompts together give ${together}, not ${JSON.stringify(found[dtype])}`);
}
console.log(JSON.stringify(found));
