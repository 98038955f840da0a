//! What positions add to the words of an encoder or a decoder.

use formers_converters::{Error, Weights, graph::Tensor, layers::embedding};

/// Positions of a table that was learned, of whose rows no token has the first `unused`.
pub(crate) fn learned(w: &Weights, places: &Tensor, unused: i64) -> Tensor {
    if unused == 0 { embedding(w, places) } else { embedding(w, &(places + w.graph().ints(&[], &[unused]))) }
}

/// No model has as many positions, nor so wide ones; a config that says so would take all memory.
pub(crate) const MOST: usize = 1 << 16;

/// So many positions of this width: sines, and behind all of them cosines. A checkpoint may have the table.
pub(crate) fn sines(w: &Weights, places: &Tensor, [count, width]: [usize; 2]) -> Tensor {
    if w.has("weight") {
        return embedding(w, places);
    }
    let (count, width) = (count.min(MOST), width.min(MOST));
    if count * width > MOST << 8 {
        w.graph().fail(Error::config(format!("config.json: {count} positions of width {width} make no sense")));
        return places.cast(w.graph().float()).unsqueeze(&[2]);
    }
    let angle = |place: usize, i: usize| place as f64 / 10000_f64.powf((2 * (i / 2)) as f64 / width as f64);
    let row = |place: usize| {
        let sines = (0..width).step_by(2).map(move |i| angle(place, i).sin());
        sines.chain((1..width).step_by(2).map(move |i| angle(place, i).cos()))
    };
    let table: Vec<f32> = (0..count).flat_map(row).map(|x| x as f32).collect();
    w.graph().floats(&[count, width], &table).gather(places, 0)
}
