#![allow(unsafe_code, clippy::cast_precision_loss)]

use std::time::Duration;

use super::*;

/// Numbers between -1 and 1 that look random.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 2001) as f32 / 1000.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[derive(Clone, Copy)]
struct Case {
    shape: Shape,
    room: usize,
    in_place: bool,
    /// How many pairs are turned, and whether they lie side by side.
    rotary: Option<(usize, bool)>,
    softcap: f32,
    window: Option<usize>,
    bias: Option<[usize; 2]>,
    sinks: Option<bool>,
    threads: usize,
}

const PLAIN: Case = Case {
    shape: Shape { batch: 1, sequence: 1, fresh: 1, heads: 4, kv_heads: 2, size: 16 },
    room: 0,
    in_place: true,
    rotary: None,
    softcap: 0.0,
    window: None,
    bias: None,
    sinks: None,
    threads: 2,
};

/// What goes in.
struct Data {
    tokens: Vec<f32>,
    width: usize,
    past: [Vec<f32>; 2],
    cos: Vec<f32>,
    sin: Vec<f32>,
    bias: Vec<f32>,
    sinks: Vec<f32>,
}

impl Case {
    fn of(batch: usize, sequence: usize, heads: [usize; 2], size: usize) -> Self {
        Self { shape: Shape { batch, sequence, fresh: sequence, heads: heads[0], kv_heads: heads[1], size }, ..PLAIN }
    }

    fn data(&self, seed: u64) -> Data {
        let shape = self.shape;
        let width = (shape.heads + 2 * shape.kv_heads) * shape.size;
        let cache = shape.batch * shape.kv_heads * self.room * shape.size;
        let pairs = self.rotary.map_or(0, |(pairs, _)| pairs);
        let angles: Vec<f32> = numbers(self.room * pairs, seed + 3).into_iter().map(|x| 3.0 * x).collect();
        let [batch, heads] = self.bias.unwrap_or([0, 0]);
        Data {
            tokens: numbers(shape.batch * shape.sequence * width, seed).into_iter().map(|x| 2.0 * x).collect(),
            width,
            past: [numbers(cache, seed + 1), numbers(cache, seed + 2)],
            cos: angles.iter().map(|x| x.cos()).collect(),
            sin: angles.iter().map(|x| x.sin()).collect(),
            bias: numbers(batch * heads * shape.sequence * self.room, seed + 4),
            sinks: numbers(shape.heads, seed + 5),
        }
    }

    fn rotary<'a>(&self, data: &'a Data, spans: &[Span]) -> Option<Rotary<'a>> {
        let positions = spans.iter().flat_map(|span| (0..self.shape.sequence).map(|token| span.start + token)).collect();
        self.rotary.map(|(pairs, interleaved)| Rotary { cos: &data.cos, sin: &data.sin, pairs, interleaved, positions })
    }

    /// Results, and the present.
    fn run(&self, data: &Data, spans: &[Span]) -> (Vec<f32>, [Vec<f32>; 2]) {
        let shape = self.shape;
        let rows = |first| Rows { values: &data.tokens, width: data.width, first: first * shape.size };
        let mut present = if self.in_place { data.past.clone() } else { data.past.clone().map(|past| vec![7.0; past.len()]) };
        let [keys, values] = [0, 1].map(|part| {
            let to = (present[part].as_mut_ptr(), present[part].len());
            let from = if self.in_place { (to.0.cast_const(), to.1) } else { (data.past[part].as_ptr(), to.1) };
            unsafe { Cache::new(from, to) }
        });
        let [batch, heads] = self.bias.unwrap_or([0, 0]);
        let attention = Attention {
            shape,
            query: rows(0),
            key: rows(shape.heads),
            value: rows(shape.heads + shape.kv_heads),
            keys,
            values,
            spans: spans.to_vec(),
            rotary: self.rotary(data, spans),
            scores: Scores {
                scale: 1.2 / (shape.size as f32).sqrt(),
                softcap: self.softcap,
                window: self.window,
                bias: self.bias.map(|_| Bias { values: &data.bias, batch, heads, total: self.room }),
                sinks: self.sinks.map_or(Sinks::None, |each| if each { Sinks::Each(&data.sinks) } else { Sinks::Zero }),
            },
        };
        let mut output = vec![f32::NAN; shape.batch * shape.sequence * shape.heads * shape.size];
        attention.run(&mut output, &Pool::new(self.threads, Duration::from_micros(50))).unwrap();
        (output, present)
    }

    /// The same by the formula, in 64 bits.
    fn check(&self, spans: &[Span]) {
        let shape = self.shape;
        let data = self.data(7);
        let (output, present) = self.run(&data, spans);
        let rotary = self.rotary(&data, spans);
        let head = |token: usize, head: usize, turned: bool| {
            let from = &data.tokens[token * data.width + head * shape.size..][..shape.size];
            let mut to = from.to_vec();
            if let Some(rotary) = rotary.as_ref().filter(|_| turned) {
                for pair in 0..rotary.pairs {
                    let (x, y) = if rotary.interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + rotary.pairs) };
                    let angle = rotary.positions[token] * rotary.pairs + pair;
                    to[x] = from[x] * rotary.cos[angle] - from[y] * rotary.sin[angle];
                    to[y] = from[y] * rotary.cos[angle] + from[x] * rotary.sin[angle];
                }
            }
            to
        };
        let wide = |head: &[f32]| head.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        for (row, span) in spans.iter().enumerate() {
            let mut seen = [vec![], vec![]];
            for kv_head in 0..shape.kv_heads {
                let start = (row * shape.kv_heads + kv_head) * self.room * shape.size;
                for part in 0..2 {
                    let mut all = data.past[part][start..][..span.kept * shape.size].to_vec();
                    for token in row * shape.sequence..row * shape.sequence + shape.fresh {
                        all.extend(head(token, shape.heads + part * shape.kv_heads + kv_head, part == 0));
                    }
                    let rest =
                        if self.in_place { data.past[part][start + all.len()..].to_vec() } else { vec![0.0; self.room * shape.size] };
                    all.extend(&rest[..self.room * shape.size - all.len()]);
                    for (place, (is, should)) in present[part][start..].iter().zip(&all).enumerate() {
                        assert!((is - should).abs() < 1e-5, "{part} of row {row}, head {kv_head}, number {place}: {is} for {should}");
                    }
                    seen[part].push(wide(&all));
                }
            }
            for token in 0..shape.sequence {
                let end = span.end.min(span.start + token + 1);
                let start = self.window.map_or(0, |window| end.saturating_sub(window));
                for query_head in 0..shape.heads {
                    let query = wide(&head(row * shape.sequence + token, query_head, true));
                    let group = query_head / shape.group();
                    let score = |place: usize| {
                        let key = &seen[0][group][place * shape.size..];
                        let mut score =
                            f64::from(1.2 / (shape.size as f32).sqrt()) * query.iter().zip(key).map(|(x, y)| x * y).sum::<f64>();
                        if self.softcap > 0.0 {
                            score = f64::from(self.softcap) * (score / f64::from(self.softcap)).tanh();
                        }
                        let bias = self.bias.map(|[batch, heads]| {
                            let row = (row % batch * heads + query_head % heads) * shape.sequence + token;
                            f64::from(data.bias[row * self.room + place])
                        });
                        (score + bias.unwrap_or(0.0)).exp()
                    };
                    let weights: Vec<f64> = (start..end).map(score).collect();
                    let sink = self.sinks.map_or(0.0, |each| if each { f64::from(data.sinks[query_head]).exp() } else { 1.0 });
                    let sum = weights.iter().sum::<f64>() + sink;
                    for column in 0..shape.size {
                        let value = |place: usize| seen[1][group][place * shape.size + column];
                        let should: f64 = (start..end).zip(&weights).map(|(place, weight)| weight / sum * value(place)).sum();
                        let place = ((row * shape.sequence + token) * shape.heads + query_head) * shape.size + column;
                        let is = f64::from(output[place]);
                        assert!((is - should).abs() < 1e-5, "row {row}, token {token}, head {query_head}, {column}: {is} for {should}");
                    }
                }
            }
        }
    }
}

fn behind(start: usize, sequence: usize) -> Span {
    Span { kept: start, start, end: start + sequence }
}

fn usable() -> bool {
    crate::session::kernels::avx512::usable()
}

#[test]
fn it_is_the_formula() {
    if !usable() {
        return;
    }
    for (size, heads) in [(64, [14, 2]), (80, [4, 4]), (96, [6, 1]), (128, [2, 1]), (256, [2, 1]), (8, [3, 3]), (24, [130, 1])] {
        for (start, sequence) in [(0, 1), (5, 1), (300, 1), (0, 33), (130, 7), (0, 150)] {
            let case = Case { room: start + sequence + 9, ..Case::of(1, sequence, heads, size) };
            case.check(&[behind(start, sequence)]);
            if size == 24 && sequence > 33 {
                break;
            }
        }
    }
    Case { room: 2100, ..Case::of(1, 1, [4, 1], 64) }.check(&[behind(2050, 1)]);
    Case { room: 700, ..Case::of(1, 3, [40, 20], 8) }.check(&[behind(600, 3)]);
}

#[test]
fn what_happens_to_scores_is_the_formula() {
    if !usable() {
        return;
    }
    let cases = [
        Case { window: Some(1), ..PLAIN },
        Case { window: Some(17), ..PLAIN },
        Case { window: Some(100), ..PLAIN },
        Case { softcap: 0.5, ..PLAIN },
        Case { sinks: Some(true), ..PLAIN },
        Case { sinks: Some(false), window: Some(30), ..PLAIN },
        Case { rotary: Some((8, false)), ..PLAIN },
        Case { rotary: Some((8, true)), in_place: false, ..PLAIN },
        Case { rotary: Some((3, false)), ..PLAIN },
        Case { rotary: Some((5, true)), softcap: 2.0, sinks: Some(true), bias: Some([1, 4]), window: Some(90), ..PLAIN },
        Case { bias: Some([1, 1]), ..PLAIN },
        Case { in_place: false, ..PLAIN },
    ];
    for case in cases {
        for (start, sequence) in [(0, 1), (0, 70), (200, 1), (150, 40)] {
            let shape = Shape { sequence, fresh: sequence, ..case.shape };
            Case { shape, room: start + sequence + 3, ..case }.check(&[behind(start, sequence)]);
        }
    }
}

#[test]
fn rows_have_their_own_lengths() {
    if !usable() {
        return;
    }
    for in_place in [true, false] {
        for bias in [None, Some([3, 1]), Some([3, 4]), Some([1, 4])] {
            let one = Case { bias, in_place, room: 400, rotary: Some((8, false)), ..Case::of(3, 1, [4, 2], 16) };
            one.check(&[behind(0, 1), behind(399, 1), behind(37, 1)]);
            // A prompt with padding behind, over whatever was there.
            let prompt = Case { shape: Shape { sequence: 50, fresh: 50, ..one.shape }, ..one };
            prompt.check(&[50, 1, 33].map(|end| Span { kept: 0, start: 0, end }));
        }
    }
    // Keys and values of another layer.
    let others = Case { room: 90, ..Case::of(1, 5, [4, 2], 16) };
    let others = Case { shape: Shape { fresh: 0, ..others.shape }, ..others };
    others.check(&[Span { kept: 60, start: 55, end: 60 }]);
}

#[test]
fn a_row_is_the_same_in_any_batch_part_and_thread() {
    if !usable() {
        return;
    }
    let case = Case { room: 600, window: Some(350), rotary: Some((16, false)), sinks: Some(true), ..Case::of(1, 530, [4, 2], 40) };
    let data = case.data(3);
    let (whole, present) = case.run(&data, &[behind(0, 530)]);
    let width = 4 * 40;
    for threads in [1, 3] {
        assert!(Case { threads, ..case }.run(&data, &[behind(0, 530)]).0 == whole);
        for (start, end) in [(0, 1), (100, 101), (529, 530), (37, 300), (520, 530)] {
            let count = end - start;
            let shape = Shape { sequence: count, fresh: count, ..case.shape };
            let part = Case { shape, threads, ..case };
            let tokens = data.tokens[start * data.width..end * data.width].to_vec();
            let part_of = Data {
                tokens,
                past: present.clone(),
                cos: data.cos.clone(),
                sin: data.sin.clone(),
                bias: vec![],
                sinks: data.sinks.clone(),
                ..data
            };
            assert!(part.run(&part_of, &[behind(start, count)]).0 == whole[start * width..end * width], "{start} to {end}");
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn exponentials_are_exact_to_a_rounding() {
    use std::arch::x86_64::*;
    if !usable() {
        return;
    }
    let check = |x: f32, of: unsafe fn(__m512) -> __m512, should: f64| {
        let is = f64::from(unsafe { std::mem::transmute::<__m512, [f32; 16]>(of(std::mem::transmute::<[f32; 16], __m512>([x; 16]))) }[3]);
        let ulp = f64::from(f32::EPSILON) * should.abs();
        assert!((is - should).abs() <= 1.5 * ulp, "{x}: {is} for {should}");
    };
    for step in 0..200_000 {
        let x = -(step as f32) * 0.000_43;
        check(x, |x| unsafe { avx512::exp(x) }, f64::from(x).exp());
        for x in [x / 4.0, -x / 4.0, x / 4096.0] {
            check(x, |x| unsafe { avx512::tanh(x) }, f64::from(x).tanh());
        }
    }
    for (x, should) in [(f32::NEG_INFINITY, 0.0), (f32::MIN, 0.0), (-200.0, 0.0), (0.0, 1.0)] {
        check(x, |x| unsafe { avx512::exp(x) }, should);
    }
    let nan = unsafe { std::mem::transmute::<__m512, [f32; 16]>(avx512::exp(std::mem::transmute::<[f32; 16], __m512>([f32::NAN; 16]))) };
    assert!(nan[0].is_nan());
}
