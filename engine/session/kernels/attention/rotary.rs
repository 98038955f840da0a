//! Rotary embeddings: pairs of a head's numbers are turned by angles that grow with the position.

/// The angles of this run's tokens.
pub(super) struct Rotary<'a> {
    /// `(positions, pairs)`
    pub(super) cos: &'a [f32],
    pub(super) sin: &'a [f32],
    pub(super) pairs: usize,
    /// Whether a pair lies side by side; otherwise its second number is `pairs` behind the first.
    pub(super) interleaved: bool,
    /// The position of each token, `(batch, sequence)`.
    pub(super) positions: Vec<usize>,
}

impl Rotary<'_> {
    /// Whether all positions have angles, and pairs fit into a head of this width.
    pub(super) fn is_sound(&self, size: usize) -> bool {
        let rows = self.cos.len().checked_div(self.pairs).unwrap_or(0);
        self.cos.len() == self.sin.len() && self.pairs <= size / 2 && self.positions.iter().all(|position| *position < rows)
    }

    /// A head of a token, turned; what is behind its pairs stays as it is.
    pub(super) fn turn(&self, token: usize, from: &[f32], to: &mut [f32]) {
        let position = self.positions.get(token).copied().unwrap_or(0);
        let angles = position * self.pairs..(position + 1) * self.pairs;
        let (Some(cos), Some(sin)) = (self.cos.get(angles.clone()), self.sin.get(angles)) else { return };
        if self.interleaved {
            let pairs = from.as_chunks::<2>().0.iter().zip(to.as_chunks_mut::<2>().0);
            for (((from, to), cos), sin) in pairs.zip(cos).zip(sin) {
                *to = [from[0] * cos - from[1] * sin, from[1] * cos + from[0] * sin];
            }
        } else {
            let (Some((first, second)), Some((to_first, to_second))) = (split(from, self.pairs), split_mut(to, self.pairs)) else { return };
            for ((((x, y), to), cos), sin) in first.iter().zip(second).zip(to_first).zip(cos).zip(sin) {
                *to = x * cos - y * sin;
            }
            for ((((x, y), to), cos), sin) in first.iter().zip(second).zip(to_second).zip(cos).zip(sin) {
                *to = y * cos + x * sin;
            }
        }
        let done = 2 * self.pairs;
        if let (Some(from), Some(to)) = (from.get(done..), to.get_mut(done..)) {
            to.copy_from_slice(from);
        }
    }
}

fn split(head: &[f32], pairs: usize) -> Option<(&[f32], &[f32])> {
    let (first, rest) = head.split_at_checked(pairs)?;
    Some((first, rest.get(..pairs)?))
}

fn split_mut(head: &mut [f32], pairs: usize) -> Option<(&mut [f32], &mut [f32])> {
    let (first, rest) = head.split_at_mut_checked(pairs)?;
    Some((first, rest.get_mut(..pairs)?))
}
