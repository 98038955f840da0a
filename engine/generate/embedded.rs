//! What a decoder reads in place of tokens: their embeddings, by a table, and in the places of one token features of pictures or sounds.

use std::sync::Arc;

use ndarray::Array2;

use crate::model::Model;
use crate::session::{Session, Value};
use crate::{Error, ErrorKind, Result};

/// Features that are read in the places of a token.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// The token.
    pub token: u32,
    /// Those of each row, `(places, width)`: its first places of the token have them, in their order.
    pub rows: Vec<Arc<Array2<f32>>>,
}

impl Features {
    /// Embeddings of tokens, `(rows, places, width)`, with the features in them: for each row, whose features it has, how many places come
    /// before its first token, and its tokens.
    pub(super) fn put<'t>(&self, embeddings: Value, rows: impl Iterator<Item = (usize, usize, &'t [u32])>) -> Result<Value> {
        if self.rows.iter().all(|features| features.is_empty()) {
            return Ok(embeddings);
        }
        let mut embeddings = embeddings.to_f32()?.into_owned();
        let &[_, places, width] = embeddings.shape() else {
            let message = format!("embeddings have shape {:?}, not (rows, tokens, width)", embeddings.shape());
            return Err(Error::new(ErrorKind::Runtime, message));
        };
        let mut flat = embeddings.as_slice_mut();
        for (row, (source, lead, tokens)) in rows.enumerate() {
            let Some(features) = self.rows.get(source) else { continue };
            if features.ncols() != width && features.nrows() > 0 {
                let message = format!("features are {} wide, and embeddings of tokens {width}", features.ncols());
                return Err(Error::new(ErrorKind::Runtime, message));
            }
            let at = (0..).zip(tokens).filter(|(_, token)| **token == self.token).map(|(place, _)| place);
            for (place, feature) in at.zip(features.outer_iter()) {
                let start = (row * places + lead + place) * width;
                let target = flat.as_mut().and_then(|flat| flat.get_mut(start..start + width));
                target.into_iter().flatten().zip(&feature).for_each(|(target, feature)| *target = *feature);
            }
        }
        Ok(Value::from(embeddings))
    }
}

/// What makes embeddings of the tokens of some rows.
#[derive(Debug)]
pub(super) struct Embedded<'a> {
    table: &'a Session,
    features: Option<Features>,
    /// Which of the first rows each row was; empty as long as all are as they were.
    sources: Vec<usize>,
}

impl<'a> Embedded<'a> {
    /// The role of the graph with the table.
    pub(super) const TABLE: &'static str = "embed_tokens";
    /// What it gives, and the decoder reads.
    pub(super) const EMBEDDINGS: &'static str = "inputs_embeds";

    /// Of a model that has such a table.
    ///
    /// # Errors
    /// A table that reads more than tokens, or gives something else.
    pub(super) fn new(model: &'a Model, features: Option<Features>) -> Result<Self> {
        let table = model.session(Self::TABLE)?;
        table.check_inputs(&["input_ids"])?;
        if table.output(Self::EMBEDDINGS).is_none() {
            return Err(Error::unsupported(format!("{} gives no `{}`", Self::TABLE, Self::EMBEDDINGS)));
        }
        Ok(Self { table, features, sources: Vec::new() })
    }

    /// Row `i` goes on from what row `rows[i]` was.
    pub(super) fn select(&mut self, rows: &[usize]) {
        let source = |row: &usize| if self.sources.is_empty() { Some(*row) } else { self.sources.get(*row).copied() };
        self.sources = rows.iter().map(|row| source(row).unwrap_or(usize::MAX)).collect();
    }

    /// The embeddings of tokens, `(rows, tokens, width)`; a row that has no tokens yet begins with its prompt, which has the features.
    pub(super) fn of(&self, ids: Value, tokens: &[&[u32]], lengths: &[usize]) -> Result<Value> {
        let mut given = self.table.run_with([("input_ids", ids)], Some(&[Self::EMBEDDINGS]), None)?;
        let embeddings = given.take(Self::EMBEDDINGS)?;
        let Some(features) = self.features.as_ref().filter(|_| lengths.contains(&0)) else { return Ok(embeddings) };
        let source = |row: usize| if self.sources.is_empty() { row } else { self.sources.get(row).copied().unwrap_or(usize::MAX) };
        let begins = |row: &usize| lengths.get(*row) == Some(&0);
        features.put(embeddings, (0..).zip(tokens).map(|(row, tokens)| (if begins(&row) { source(row) } else { usize::MAX }, 0, *tokens)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stand_in_the_first_places_of_their_token() {
        let rows = vec![Arc::new(Array2::from_elem((2, 2), 7.0)), Arc::new(Array2::from_elem((0, 2), 0.0))];
        let features = Features { token: 5, rows };
        let zeros = Value::new::<f32>(&[2, 4, 2], vec![0.0; 16]).unwrap();
        let put = features.put(zeros.clone(), [(0, 1, &[5, 1, 5][..]), (1, 0, &[5, 5][..])].into_iter()).unwrap();
        let expected = [0.0, 0.0, 7.0, 7.0, 0.0, 0.0, 7.0, 7.0];
        assert_eq!(put.to_f32().unwrap().as_slice().unwrap(), [expected, [0.0; 8]].concat());
        // A third place of the token keeps its embedding, and so does a row without features.
        let third = features.put(zeros, [(0, 0, &[5, 5, 5][..]), (9, 0, &[5][..])].into_iter()).unwrap();
        assert_eq!(third.to_f32().unwrap().iter().filter(|x| **x == 7.0).count(), 4);
    }

    #[test]
    fn features_of_another_width_are_an_error() {
        let features = Features { token: 5, rows: vec![Arc::new(Array2::zeros((1, 3)))] };
        for shape in [&[1, 1, 2][..], &[1, 2]] {
            assert!(features.put(Value::new::<f32>(shape, vec![0.0; 2]).unwrap(), [(0, 0, &[5][..])].into_iter()).is_err());
        }
    }
}
