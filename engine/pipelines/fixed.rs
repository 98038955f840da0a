//! Graphs whose inputs have fixed sizes: texts are cut to their length, and batches are filled up to their sizes.

use ndarray::{Array, Axis, RemoveAxis};

use crate::{
    Error, Result,
    session::{Dim, Port},
};

/// A batch has no more numbers in one input than this, whatever a graph says.
const MOST: usize = 1 << 26;

/// The sizes that the inputs of a graph have once and for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fixed {
    /// The size of a batch.
    pub(crate) rows: Option<usize>,
    /// The length of a text, or in general the second size.
    pub(crate) length: Option<usize>,
}

impl Fixed {
    /// Those of inputs `(batch, sequence)`; others do not count.
    ///
    /// # Errors
    /// Inputs that want different sizes, and sizes that make no sense.
    #[cfg(feature = "text")]
    pub(crate) fn of_texts(inputs: &[Port]) -> Result<Self> {
        let mut fixed = Self::default();
        for port in inputs {
            let [rows, length] = port.shape.as_slice() else { continue };
            fixed.rows = agreed(fixed.rows, rows, port)?;
            fixed.length = agreed(fixed.length, length, port)?;
        }
        fixed.checked(1)
    }

    /// That of batches of pictures.
    #[cfg(feature = "image")]
    pub(crate) fn of_pictures(pixel_values: Option<&Port>) -> Result<Self> {
        let Some(port) = pixel_values else { return Ok(Self::default()) };
        let Some(rows) = port.shape.first() else { return Ok(Self::default()) };
        let numbers = port.shape.iter().skip(1).map(|dim| if let Dim::Fixed(size) = dim { *size } else { 1 });
        let fixed = Self { rows: agreed(None, rows, port)?, length: None };
        fixed.checked(numbers.fold(1, usize::saturating_mul))
    }

    fn checked(self, numbers: usize) -> Result<Self> {
        let size = self.rows.unwrap_or(1).saturating_mul(self.length.unwrap_or(1)).saturating_mul(numbers);
        match size {
            0 => Err(Error::unsupported("the model takes batches of no size at all")),
            size if size > MOST => Err(Error::unsupported("the model takes batches of a fixed size that is larger than anything useful")),
            _ => Ok(self),
        }
    }

    /// The rows of a batch, and as many copies of the last one as a whole batch needs.
    pub(crate) fn filled<T: Clone, D: RemoveAxis>(self, batch: &Array<T, D>) -> Option<Array<T, D>> {
        let count = batch.len_of(Axis(0));
        let rows = self.rows.filter(|rows| *rows > count && count > 0)?;
        let places: Vec<usize> = (0..rows).map(|row| row.min(count - 1)).collect();
        Some(batch.select(Axis(0), &places))
    }
}

fn agreed(size: Option<usize>, dim: &Dim, port: &Port) -> Result<Option<usize>> {
    match (size, dim) {
        (Some(other), Dim::Fixed(size)) if other != *size => {
            Err(Error::unsupported(format!("the model's inputs do not go together: one has {other} where `{port}` has {size}")))
        }
        (_, Dim::Fixed(size)) => Ok(Some(*size)),
        (size, _) => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn port(shape: &[Dim]) -> Port {
        Port { name: "input_ids".into(), dtype: None, shape: shape.to_vec() }
    }

    #[test]
    #[cfg(feature = "text")]
    fn sizes_of_all_inputs_agree() {
        let any = || Dim::Named("batch".into());
        let of = |ports: &[Port]| Fixed::of_texts(ports).map(|fixed| (fixed.rows, fixed.length));
        assert_eq!(of(&[port(&[any(), Dim::Fixed(16)]), port(&[any(), Dim::Unknown])]).unwrap(), (None, Some(16)));
        assert_eq!(
            of(&[port(&[Dim::Fixed(2), any()]), port(&[Dim::Fixed(2), Dim::Fixed(8)]), port(&[Dim::Fixed(7)])]).unwrap(),
            (Some(2), Some(8))
        );
        assert_eq!(of(&[]).unwrap(), (None, None));
        for wrong in [[Dim::Fixed(0), Dim::Fixed(4)], [Dim::Fixed(usize::MAX), Dim::Fixed(4)]] {
            assert!(of(&[port(&wrong)]).is_err());
        }
        assert!(of(&[port(&[any(), Dim::Fixed(16)]), port(&[any(), Dim::Fixed(8)])]).unwrap_err().to_string().contains("16"));
    }

    #[test]
    fn batches_are_filled_with_their_last_row() {
        let fixed = |rows| Fixed { rows, length: None };
        assert_eq!(fixed(Some(3)).filled(&array![[1, 2], [3, 4]]).unwrap(), array![[1, 2], [3, 4], [3, 4]]);
        assert!(fixed(Some(2)).filled(&array![[1, 2], [3, 4]]).is_none());
        assert!(fixed(None).filled(&array![[1, 2]]).is_none());
    }
}
