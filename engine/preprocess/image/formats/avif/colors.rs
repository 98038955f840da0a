//! Luma and colour differences become RGB as in libavif, which Pillow uses: by libyuv's fixed-point arithmetic where it knows the
//! matrix, else in floating point.

use super::av1::Planes;
use super::container::Colours;

/// What pictures without any statement have.
const UNSPECIFIED: u32 = 2;

/// The RGB bytes; nothing for matrices that are not known.
pub(super) fn to_rgb(planes: &Planes, colours: Colours) -> Option<Vec<u8>> {
    match fixed(colours) {
        Some(fixed) => Some(by_libyuv(planes, fixed)),
        None => in_floating_point(planes, colours),
    }
}

/// libyuv's constants for the matrices that it knows; first for the full range of values, then for the limited one.
fn fixed(colours: Colours) -> Option<&'static Fixed> {
    // A matrix that follows from the primaries.
    let matrix = match (colours.matrix, colours.primaries) {
        (12, 1 | 2) => 1,
        (12, 5 | 6) => 6,
        (12, 9) => 9,
        (matrix, _) => matrix,
    };
    static BT709: [Fixed; 2] = [Fixed::full(119, 12, 30, 101), Fixed::limited(18997, 128, 14, 34, 115)];
    static BT601: [Fixed; 2] = [Fixed::full(113, 22, 46, 90), Fixed::limited(18997, 128, 25, 52, 102)];
    static BT2020: [Fixed; 2] = [Fixed::full(120, 11, 37, 94), Fixed::limited(19003, 128, 12, 42, 107)];
    let ranges = match matrix {
        1 => &BT709,
        UNSPECIFIED | 5 | 6 => &BT601,
        9 => &BT2020,
        _ => return None,
    };
    Some(&ranges[usize::from(!colours.full_range)])
}

/// Weights in 64ths.
struct Fixed {
    /// Of luma, times 65536 / 257.
    luma: i32,
    /// Added to all, with what rounds.
    bias: i32,
    blue_to_blue: i32,
    blue_to_green: i32,
    red_to_green: i32,
    red_to_red: i32,
}

impl Fixed {
    const fn full(blue_to_blue: i32, blue_to_green: i32, red_to_green: i32, red_to_red: i32) -> Self {
        Self { luma: 16320, bias: 32, blue_to_blue, blue_to_green, red_to_green, red_to_red }
    }

    const fn limited(luma: i32, blue_to_blue: i32, blue_to_green: i32, red_to_green: i32, red_to_red: i32) -> Self {
        Self { luma, bias: -1160, blue_to_blue, blue_to_green, red_to_green, red_to_red }
    }

    fn pixel(&self, luma: i32, blue: i32, red: i32) -> [u8; 3] {
        let y = ((luma * 0x0101 * self.luma) >> 16) + self.bias;
        let (blue, red) = (blue - 128, red - 128);
        [y + red * self.red_to_red, y - blue * self.blue_to_green - red * self.red_to_green, y + blue * self.blue_to_blue]
            .map(|value| (value >> 6).clamp(0, 255) as u8)
    }
}

fn by_libyuv(planes: &Planes, fixed: &Fixed) -> Vec<u8> {
    let shift = planes.depth.saturating_sub(8);
    let narrow = |plane: &[u16]| -> Vec<u8> { plane.iter().map(|v| (v >> shift).min(255) as u8).collect() };
    let luma = narrow(&planes.samples[0]);
    let differences: Vec<Vec<u8>> = planes.samples[1..].iter().map(|plane| spread(&narrow(plane), planes)).collect();
    let mut raw = Vec::with_capacity(luma.len() * 3);
    for (i, y) in luma.iter().enumerate() {
        let (blue, red) = match differences.as_slice() {
            [blue, red] => (blue[i], red[i]),
            _ => (128, 128),
        };
        raw.extend(fixed.pixel(i32::from(*y), i32::from(blue), i32::from(red)));
    }
    raw
}

/// Differences with half of the columns or rows, between their neighbours: three parts of the nearer and one of the farther.
fn spread(plane: &[u8], planes: &Planes) -> Vec<u8> {
    let (width, height) = (planes.width, planes.height);
    if !planes.halved.0 {
        return plane.to_vec();
    }
    let columns = width.div_ceil(2);
    let rows = plane.len() / columns;
    // The sample nearest to a place in the larger picture, and the next one in its direction, if there is any.
    let neighbours = |place: usize, count: usize| -> (usize, usize) {
        let near = place / 2;
        let far = if place % 2 == 1 { near + 1 } else { near.wrapping_sub(1) };
        (near, if far < count { far } else { near })
    };
    let mut spread = Vec::with_capacity(width * height);
    for y in 0..height {
        let (near_row, far_row) = if planes.halved.1 { neighbours(y, rows) } else { (y, y) };
        for x in 0..width {
            // The last column is its nearest sample, also where that would have a neighbour.
            let (near, far) = if x + 1 == width { (x / 2, x / 2) } else { neighbours(x, columns) };
            let at = |row: usize, column: usize| u32::from(plane[row * columns + column]);
            spread.push(if near_row == far_row {
                ((3 * at(near_row, near) + at(near_row, far) + 2) >> 2) as u8
            } else {
                ((9 * at(near_row, near) + 3 * at(near_row, far) + 3 * at(far_row, near) + at(far_row, far) + 8) >> 4) as u8
            });
        }
    }
    spread
}

/// The matrices that are no weights: none at all (the planes are green, blue and red), and YCgCo.
fn in_floating_point(planes: &Planes, colours: Colours) -> Option<Vec<u8>> {
    let largest = f64::from((1u32 << planes.depth) - 1);
    let scale = f64::from(1u32 << (planes.depth - 8));
    let (offset, range) = if colours.full_range { (0.0, largest) } else { (16.0 * scale, 219.0 * scale) };
    let chroma = if colours.full_range { largest } else { 224.0 * scale };
    let middle = f64::from(1u32 << (planes.depth - 1));
    let byte = |x: f64| (x.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    let luma = |v: u16| (f64::from(v) - offset) / range;
    let difference = |v: u16| (f64::from(v) - middle) / chroma;
    let [first, second, third] = planes.samples.as_slice() else {
        return Some(planes.samples[0].iter().flat_map(|v| [byte(luma(*v)); 3]).collect());
    };
    if planes.halved != (false, false) {
        return None;
    }
    let pixels = first.iter().zip(second).zip(third).map(|((a, b), c)| match colours.matrix {
        0 => Some([byte(luma(*c)), byte(luma(*a)), byte(luma(*b))]),
        8 => {
            let (y, green, orange) = (luma(*a), difference(*b), difference(*c));
            Some([byte(y - green + orange), byte(y + green), byte(y - green - orange)])
        }
        _ => None,
    });
    let pixels: Option<Vec<[u8; 3]>> = pixels.collect();
    Some(pixels?.into_iter().flatten().collect())
}
