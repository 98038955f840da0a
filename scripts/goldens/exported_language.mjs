// Runs a folder that `formers convert` wrote with transformers.js, for exported_language.py: a request on standard input, and on standard output
// the new tokens of each prompt by type, but for the last.
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
  found[dtype] = [];
  for (const prompt of prompts) {
    const tensor = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
    const written = await model.generate({
      input_ids: tensor(prompt),
      attention_mask: tensor(prompt.map(() => 1)),
      max_new_tokens: count,
      min_new_tokens: count,
      do_sample: false,
      num_beams: 1,
      ...(forced === null ? {} : { forced_bos_token_id: forced }),
    });
    found[dtype].push(written.tolist()[0].map(Number).slice(two_sided ? 1 : prompt.length, -1));
  }
}
console.log(JSON.stringify(found));
