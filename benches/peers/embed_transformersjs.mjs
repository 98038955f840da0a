// Embeds the lines of a file: node embed_transformersjs.mjs MODELS_DIR MODEL SENTENCES THREADS   (MODELS_DIR/MODEL/onnx/model.onnx)
import fs from "node:fs";
import { env, pipeline } from "@huggingface/transformers";

const [models, name, file, threads] = process.argv.slice(2);
env.localModelPath = models;
env.allowRemoteModels = false;
const embed = await pipeline("feature-extraction", name, { dtype: "fp32", session_options: { intraOpNumThreads: Number(threads) } });
const options = { pooling: "mean", normalize: true };
const sentences = fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
await embed(sentences.slice(0, 1), options);
console.log("first");
await embed(sentences.slice(0, 32), options);
const start = performance.now(), before = process.cpuUsage();
for (let i = 0; i < sentences.length; i += 32) await embed(sentences.slice(i, i + 32), options);
const milliseconds = performance.now() - start, spent = process.cpuUsage(before);
console.log(JSON.stringify({ median_ms: milliseconds, processor_ms: (spent.user + spent.system) / 1e3 }));
