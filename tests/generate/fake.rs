//! A model whose logits are a function of the history, the same as in scripts/goldens/logits.py.

pub(crate) fn mixed(x: u64) -> u64 {
    let x = ((x ^ (x >> 15)) * 2_246_822_519) & 0xffff_ffff;
    let x = ((x ^ (x >> 13)) * 3_266_489_917) & 0xffff_ffff;
    x ^ (x >> 16)
}

/// A model of which the logits depend on the last tokens.
pub(crate) struct Fake {
    pub(crate) vocabulary: usize,
    pub(crate) window: usize,
}

impl Fake {
    pub(crate) fn logits(&self, history: &[u32]) -> Vec<f32> {
        let last = &history[history.len().saturating_sub(self.window)..];
        let state = last.iter().fold(12345, |state, token| mixed((state * 1_664_525 + u64::from(*token) + 1) & 0xffff_ffff));
        let logit = |token| mixed((state ^ (token as u64 * 2_654_435_761)) & 0xffff_ffff) % 1_048_576;
        (0..self.vocabulary).map(|token| (logit(token) as f64 / 1_048_576.0 * 12.0 - 6.0) as f32).collect()
    }
}
