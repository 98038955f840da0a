#![allow(clippy::cast_precision_loss)]

use super::activations::Activations;
use super::avx512::{self, Output};
use super::gate::Gate;
use super::packed::{Packed, Shape, Stored};
use super::pages::{Block, Pages};
use super::{BLOCK, DOMAIN, rewrite};

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Between -1 and 1.
    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.next() % 2001) as f32 / 1000.0 - 1.0).collect()
    }
}

/// A matrix as `MatMulNBits` stores it.
struct Matrix {
    shape: Shape,
    weights: Vec<u8>,
    scales: Vec<f32>,
    zero_points: Option<Vec<u8>>,
}

impl Matrix {
    fn new(numbers: &mut Numbers, shape: Shape, halves: bool, zero_points: bool) -> Self {
        let scale = |x: f32| if halves { half::f16::from_f32(x).to_f32() } else { x };
        Self {
            shape,
            weights: numbers.bytes(shape.rows * shape.columns * shape.bits / 8),
            scales: numbers.floats(shape.rows * shape.blocks()).into_iter().map(|x| scale(0.01 + x / 150.0)).collect(),
            zero_points: zero_points.then(|| numbers.bytes(shape.rows * (shape.blocks() * shape.bits).div_ceil(8))),
        }
    }

    fn weight(&self, row: usize, column: usize) -> f64 {
        let Shape { columns, bits, block, .. } = self.shape;
        let place = row * self.shape.blocks() + column / block;
        let of = |bytes: &[u8], index: usize| if bits == 8 { bytes[index] } else { bytes[index / 2] >> (4 * (index % 2)) & 15 };
        let points = |points: &Vec<u8>| {
            let a_row = (self.shape.blocks() * bits).div_ceil(8);
            of(&points[row * a_row..(row + 1) * a_row], column / block)
        };
        let zero_point = self.zero_points.as_ref().map_or(self.shape.middle() as u8, points);
        f64::from(i32::from(of(&self.weights, row * columns + column)) - i32::from(zero_point)) * f64::from(self.scales[place])
    }

    fn stored(&self) -> Stored<'_> {
        Stored { weights: &self.weights, scales: &self.scales, zero_points: self.zero_points.as_deref() }
    }

    fn packed(&self) -> Packed {
        Packed::new(self.shape, &[self.stored()], &Pages::default(), |count, work| (0..count).for_each(work)).unwrap()
    }
}

/// The rounding to 8 bits, as it is defined.
fn rounded(values: &[f32], block: usize) -> Vec<f64> {
    let round = |block: &[f32]| {
        let most = block.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = if most > 0.0 { 127.0 / most } else { 0.0 };
        block.iter().map(|x| f64::from((x * scale).round_ties_even()) * f64::from(most / 127.0)).collect::<Vec<_>>()
    };
    values.chunks(block).flat_map(round).collect()
}

fn quantized(shape: Shape, values: &[f32]) -> Activations {
    let mut activations = Activations::default();
    activations.resize(values.len() / shape.columns, shape.columns, shape.block);
    let mut rows = values.chunks(shape.columns);
    for mut group in activations.groups() {
        for row in 0..group.rows {
            avx512::quantize(rows.next().unwrap(), shape.block, shape.bits, row, &mut group);
        }
    }
    activations
}

fn product(packed: &Packed, values: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let Shape { rows: outputs, columns, .. } = packed.shape;
    let activations = quantized(packed.shape, values);
    let mut out = vec![f32::NAN; values.len() / columns * outputs];
    let output = Output::new(&mut out);
    // In two parts, as two threads would.
    let tiles = packed.shape.tiles();
    avx512::product(packed, &activations, bias, tiles / 2..tiles, output);
    avx512::product(packed, &activations, bias, 0..tiles / 2, output);
    out
}

#[test]
fn gates_are_those_of_two_products() {
    if !avx512::usable() {
        return;
    }
    let mut numbers = Numbers(13);
    let silu = Gate { linear: 1.0, cubic: 0.0 };
    for bits in [4, 8] {
        let shape = Shape { rows: 80, columns: 192, bits, block: 64 };
        for (halves, points) in [([true, true], [false, false]), ([true, false], [false, true]), ([false, true], [true, true])] {
            let matrices = [0, 1].map(|i| Matrix::new(&mut numbers, shape, halves[i], points[i]));
            let stored = matrices.each_ref().map(Matrix::stored);
            let packed = Packed::new(shape, &stored, &Pages::default(), |count, work| (0..count).for_each(work)).unwrap();
            let bias = numbers.floats(80);
            for rows in [1, 5, 140] {
                let values = numbers.floats(rows * 192);
                let activations = quantized(shape, &values);
                let mut out = vec![f32::NAN; rows * 80];
                let output = Output::new(&mut out);
                avx512::gated(&packed, &activations, [None, Some(&bias)], silu, 3..5, output);
                avx512::gated(&packed, &activations, [None, Some(&bias)], silu, 0..3, output);
                let (gate, up) = (product(&matrices[0].packed(), &values, None), product(&matrices[1].packed(), &values, Some(&bias)));
                for ((given, gate), up) in out.iter().zip(gate).zip(up) {
                    let expected = gate / (1.0 + (-gate).exp()) * up;
                    assert!((given - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{bits} bits, {rows} rows: {given} for {expected}");
                }
            }
        }
    }
    // Groups of 16 rows that are not whole cannot take turns.
    let matrix = Matrix::new(&mut numbers, Shape { rows: 40, columns: 64, bits: 4, block: 32 }, true, false);
    let both = [matrix.stored(), matrix.stored()];
    assert!(Packed::new(matrix.shape, &both, &Pages::default(), |count, work| (0..count).for_each(work)).is_none());
}

#[test]
fn products_are_those_of_the_rounded_activations() {
    if !avx512::usable() {
        return;
    }
    let mut numbers = Numbers(7);
    for (bits, halves, zero_points) in
        [(4, true, false), (4, false, false), (4, true, true), (8, true, false), (8, false, true), (4, false, true), (8, true, true)]
    {
        for (outputs, columns, block) in [(16, 32, 32), (41, 192, 64), (7, 256, 256), (100, 96, 32)] {
            let matrix = Matrix::new(&mut numbers, Shape { rows: outputs, columns, bits, block }, halves, zero_points);
            let packed = matrix.packed();
            let bias = numbers.floats(outputs);
            for rows in [1, 2, 3, 8, 15, 140] {
                let mut values = numbers.floats(rows * columns);
                values[..BLOCK].fill(0.0);
                let given = product(&packed, &values, Some(&bias));
                for (i, given) in given.iter().enumerate() {
                    let (row, output) = (i / outputs, i % outputs);
                    let products = rounded(&values[row * columns..(row + 1) * columns], block)
                        .into_iter()
                        .enumerate()
                        .map(|(k, x)| x * matrix.weight(output, k));
                    let expected = products.sum::<f64>() + f64::from(bias[output]);
                    let error = (f64::from(*given) - expected).abs();
                    assert!(error < 2e-5, "{bits} bits, {outputs} x {columns} in blocks of {block}, {rows} rows: {given} for {expected}");
                }
            }
        }
    }
}

#[test]
fn a_row_is_the_same_in_any_batch() {
    if !avx512::usable() {
        return;
    }
    let mut numbers = Numbers(11);
    let matrix = Matrix::new(&mut numbers, Shape { rows: 48, columns: 320, bits: 4, block: 64 }, true, false);
    let packed = matrix.packed();
    let values = numbers.floats(15 * 320);
    let together = product(&packed, &values, None);
    for row in 0..15 {
        assert_eq!(product(&packed, &values[row * 320..(row + 1) * 320], None), together[row * 48..(row + 1) * 48]);
    }
}

#[test]
fn zero_points_in_the_middle_cost_nothing() {
    let mut numbers = Numbers(3);
    let shape = Shape { rows: 3, columns: 96, bits: 4, block: 32 };
    let mut matrix = Matrix::new(&mut numbers, shape, true, true);
    assert!(matrix.packed().offsets.is_some());
    matrix.zero_points = Some(vec![0x88; 6]);
    assert!(matrix.packed().offsets.is_none());
}

#[test]
fn parts_of_other_sizes_are_refused() {
    let mut numbers = Numbers(5);
    let shape = Shape { rows: 3, columns: 96, bits: 4, block: 32 };
    let spoil: [fn(&mut Matrix); 4] = [
        |matrix| matrix.weights.truncate(1),
        |matrix| matrix.scales.push(1.0),
        |matrix| matrix.zero_points = Some(vec![0; 5]),
        |matrix| matrix.shape.rows = 0,
    ];
    for spoil in spoil {
        let mut matrix = Matrix::new(&mut numbers, shape, true, true);
        spoil(&mut matrix);
        assert!(Packed::new(matrix.shape, &[matrix.stored()], &Pages::default(), |count, work| (0..count).for_each(work)).is_none());
    }
}

fn stay(location: &str) -> Option<String> {
    Some(location.to_owned())
}

#[test]
fn what_is_no_model_stays() {
    let mut numbers = Numbers(9);
    for length in 0..200 {
        assert!(rewrite::rewrite(&numbers.bytes(length), &stay).is_none());
    }
    // A field that says it is longer than all there is, and a number without an end.
    assert!(rewrite::rewrite(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], &stay).is_none());
    assert!(rewrite::rewrite(&[0xff; 11], &stay).is_none());
}

/// The bytes of a message: fields with bytes in them, and one with a number.
fn message(fields: &[(u8, &[u8])], number: Option<(u8, u8)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, bytes) in fields {
        out.push(field << 3 | 2);
        out.extend([bytes.len() as u8 & 0x7f | 0x80, (bytes.len() >> 7) as u8]);
        out.extend_from_slice(bytes);
    }
    out.extend(number.map(|(field, value)| [field << 3, value]).into_iter().flatten());
    out
}

/// A model with one product, whose attributes and inputs are these.
fn model(attributes: &[(&str, u8)], inputs: &[&str], graph_inputs: &[&str]) -> Vec<u8> {
    let attributes: Vec<_> = attributes.iter().map(|(name, value)| message(&[(1, name.as_bytes())], Some((3, *value)))).collect();
    let mut node: Vec<(u8, &[u8])> = inputs.iter().map(|input| (1, input.as_bytes())).collect();
    node.extend([(2, &b"y"[..]), (4, b"MatMulNBits"), (7, b"com.microsoft")]);
    node.extend(attributes.iter().map(|attribute| (5, &attribute[..])));
    let node = message(&node, None);
    let constants = [("w", 2), ("s", 1), ("z", 2), ("h", 10)].map(|(name, dtype)| message(&[(8, name.as_bytes())], Some((2, dtype))));
    let mut graph: Vec<(u8, &[u8])> = vec![(1, &node)];
    graph.extend(constants.iter().map(|constant| (5, &constant[..])));
    let given: Vec<_> = graph_inputs.iter().map(|name| message(&[(1, name.as_bytes())], None)).collect();
    graph.extend(given.iter().map(|input| (11, &input[..])));
    message(&[(7, &message(&graph, None))], Some((1, 10)))
}

#[test]
fn only_products_that_suit_are_ours() {
    let usual = [("K", 64), ("N", 8), ("bits", 4), ("block_size", 32), ("accuracy_level", 4)];
    let with = |name: &str, value: u8| usual.map(|(there, usual)| (there, if there == name { value } else { usual }));
    let ours = |attributes: &[(&str, u8)], inputs: &[&str], given: &[&str]| {
        let rewritten = rewrite::rewrite(&model(attributes, inputs, given), &stay);
        rewritten.inspect(|bytes| {
            // The node's domain and the model's.
            let found = bytes.windows(DOMAIN.len()).filter(|window| *window == DOMAIN.as_bytes()).count();
            assert_eq!((found, bytes.windows(13).any(|window| window == b"com.microsoft")), (2, false));
        })
    };
    for inputs in [&["x", "w", "s"][..], &["x", "w", "s", "z"], &["x", "w", "s", "", "", "b"]] {
        assert!(ours(&usual, inputs, &["x"]).is_some(), "{inputs:?}");
    }
    assert!(ours(&with("bits", 8), &["x", "w", "s"], &["x"]).is_some());
    for (name, value) in
        [("bits", 2), ("block_size", 16), ("block_size", 33), ("block_size", 0), ("K", 65), ("K", 0), ("accuracy_level", 0)]
    {
        assert!(ours(&with(name, value), &["x", "w", "s"], &["x"]).is_none(), "{name} {value}");
    }
    // Half-precision scales, an order of columns, weights that are computed, or that a caller may replace.
    for (inputs, given) in [
        (&["x", "w", "h"][..], &["x"][..]),
        (&["x", "w", "s", "", "g"], &["x"]),
        (&["x", "x", "s"], &["x"]),
        (&["x", "w", "s", "s"], &["x"]),
        (&["x", "w", "s"], &["x", "w"]),
        (&["x", "w"], &["x"]),
    ] {
        assert!(ours(&usual, inputs, given).is_none(), "{inputs:?}");
    }
}

#[test]
fn matrices_that_cannot_be_are_refused() {
    let usual = Shape { rows: 3, columns: 96, bits: 4, block: 32 };
    assert!(usual.is_sound());
    for shape in [
        Shape { rows: 0, ..usual },
        Shape { rows: usize::MAX, ..usual },
        Shape { rows: 1 << 60, columns: 1 << 62, ..usual },
        Shape { rows: 1 << 40, columns: 1 << 20, ..usual },
        Shape { columns: 0, ..usual },
        Shape { columns: 80, ..usual },
        Shape { bits: 2, ..usual },
        Shape { block: 0, ..usual },
        Shape { block: 16, ..usual },
        Shape { block: 48, ..usual },
    ] {
        assert!(!shape.is_sound(), "{shape:?}");
    }
}

#[test]
fn blocks_of_memory_are_apart_and_empty() {
    let pages = Pages::default();
    let lengths = [1, 100, 5 << 20, 3, 17 << 20, 1 << 20, 0];
    let mut blocks: Vec<Block<u32>> = lengths.iter().map(|length| pages.block(*length).unwrap()).collect();
    for (number, block) in blocks.iter_mut().enumerate() {
        assert!(block.len() == lengths[number] && block.as_ptr().addr().is_multiple_of(64) && block.iter().all(|value| *value == 0));
        block.fill(number as u32 + 1);
    }
    drop(pages);
    for (number, block) in blocks.iter().enumerate() {
        assert!(block.iter().all(|value| *value == number as u32 + 1));
    }
    assert!(Pages::default().block::<u64>(usize::MAX).is_none());
    assert!(Pages::default().block::<u64>(usize::MAX / 16).is_none());
}
