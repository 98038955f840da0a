//! Checkpoints for tests and benchmarks whose weights are drawn from a seed, so that no repository has to hold them.
//!
//! Beside a checkpoint's `config.json` lies `weights.json` in place of `model.safetensors`:
//!
//! ```json
//! {"seed": 7, "crc32": "8f3c11aa", "files": {"vocab.txt": "../../shared/vocab-5d2e90c1.txt"}, "tensors": {
//!   "encoder.bias": {"dtype": "F32", "shape": [32], "mean": 0, "scale": 3.964e-06}
//! }}
//! ```
//!
//! - `tensors`: what `model.safetensors` holds. The draw is defined at [`Tensor`]; `scripts/goldens/drawn.py` draws the same to the bit,
//!   and writes the files.
//! - `crc32`: the CRC-32 of `model.safetensors`. What is drawn otherwise, here or there, is an error and not a wrong answer.
//! - `files`: files of the checkpoint that others have as well, by their place relative to the folder.
//!
//! [`checkpoint`] makes the checkpoint of such a folder once, under `target/goldens`. The program `formers-testing` makes one anywhere,
//! of any size.

mod draw;
mod folder;
mod weights;

#[cfg(test)]
mod tests;

pub use folder::{checkpoint, golden, goldens, make, name};
pub use weights::{Dtype, Tensor, Weights};
