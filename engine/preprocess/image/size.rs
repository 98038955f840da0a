//! The `size`, `crop_size` and `pad_size` entries of image processors, and the sizes they lead to.

use serde_json::Value;

use super::MAX_PIXELS;
use crate::{Error, Result};

/// A size as image processors write it, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Exactly this size.
    HeightWidth {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// The shorter side gets this length, the other follows; with `longest_edge` as an upper bound on the longer side.
    ShortestEdge {
        /// Length of the shorter side.
        shortest_edge: u32,
        /// Upper bound on the longer side.
        longest_edge: Option<u32>,
    },
    /// The longer side gets this length.
    LongestEdge {
        /// Length of the longer side.
        longest_edge: u32,
    },
    /// The largest size with the same proportions that fits.
    MaxHeightWidth {
        /// Upper bound on the rows.
        max_height: u32,
        /// Upper bound on the columns.
        max_width: u32,
    },
    /// Bounds on the number of pixels, for processors that keep the proportions.
    Pixels {
        /// Fewest pixels.
        min_pixels: u32,
        /// Most pixels.
        max_pixels: u32,
    },
}

impl Size {
    /// Reads a size: a number, a pair (height, width), or an object. A single number is a square, or where `default_to_square`
    /// is off, the shorter side.
    pub fn from_json(field: &str, value: &Value, default_to_square: bool) -> Result<Self> {
        let side = |value: &Value| -> Result<u32> {
            let side = value.as_u64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0).map(|f| f as u64));
            match side {
                Some(side @ 1..) if side <= u64::from(u32::MAX) => Ok(side as u32),
                _ => Err(Error::config(format!("{field}: {value} is not a size in pixels"))),
            }
        };
        match value {
            Value::Number(_) if default_to_square => Ok(Self::HeightWidth { height: side(value)?, width: side(value)? }),
            Value::Number(_) => Ok(Self::ShortestEdge { shortest_edge: side(value)?, longest_edge: None }),
            Value::Array(pair) => match pair.as_slice() {
                [height, width] => Ok(Self::HeightWidth { height: side(height)?, width: side(width)? }),
                _ => Err(Error::config(format!("{field}: expected two numbers (height, width), found {value}"))),
            },
            Value::Object(entries) => {
                let given: Vec<(&str, &Value)> = entries.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.as_str(), v)).collect();
                let of = |key: &str| given.iter().find(|(k, _)| *k == key).map(|(_, v)| side(v)).transpose();
                let size = match (of("height")?, of("width")?, of("shortest_edge")?, of("longest_edge")?) {
                    (Some(height), Some(width), None, None) => Some((Self::HeightWidth { height, width }, 2)),
                    (None, None, Some(shortest_edge), Some(longest)) => {
                        Some((Self::ShortestEdge { shortest_edge, longest_edge: Some(longest) }, 2))
                    }
                    (None, None, Some(shortest_edge), None) => Some((Self::ShortestEdge { shortest_edge, longest_edge: None }, 1)),
                    (None, None, None, Some(longest_edge)) => Some((Self::LongestEdge { longest_edge }, 1)),
                    (None, None, None, None) => match (of("max_height")?, of("max_width")?, of("min_pixels")?, of("max_pixels")?) {
                        (Some(max_height), Some(max_width), None, None) => Some((Self::MaxHeightWidth { max_height, max_width }, 2)),
                        (None, None, Some(min_pixels), Some(max_pixels)) => Some((Self::Pixels { min_pixels, max_pixels }, 2)),
                        _ => None,
                    },
                    _ => None,
                };
                match size {
                    Some((size, keys)) if keys == given.len() => Ok(size),
                    _ => Err(Error::config(format!(
                        "{field}: expected height and width, shortest_edge, longest_edge, both edges, max_height and max_width, \
                         or min_pixels and max_pixels, found {value}"
                    ))),
                }
            }
            _ => Err(Error::config(format!("{field}: {value} is not a size"))),
        }
    }

    /// The (height, width) that an image of this (height, width) is resized to.
    pub(super) fn of_image(self, height: u32, width: u32) -> Result<(u32, u32)> {
        let (new_height, new_width) = match self {
            Self::HeightWidth { height, width } => (f64::from(height), f64::from(width)),
            Self::ShortestEdge { shortest_edge, longest_edge: None } => shortest_edge_only(height, width, shortest_edge),
            Self::ShortestEdge { shortest_edge, longest_edge: Some(longest) } => both_edges(height, width, shortest_edge, longest),
            Self::MaxHeightWidth { max_height, max_width } => {
                let scale = (f64::from(max_height) / f64::from(height)).min(f64::from(max_width) / f64::from(width));
                ((f64::from(height) * scale).trunc(), (f64::from(width) * scale).trunc())
            }
            Self::LongestEdge { .. } | Self::Pixels { .. } => {
                return Err(Error::config(
                    "size: this image processor resizes to height and width, to shortest_edge or to max_height and max_width",
                ));
            }
        };
        if new_height < 1.0 || new_width < 1.0 || new_height * new_width > MAX_PIXELS as f64 {
            let message = format!("an image of {width}x{height} pixels would be resized to {new_width}x{new_height}");
            return Err(Error::new(crate::ErrorKind::Media, message));
        }
        Ok((new_height as u32, new_width as u32))
    }

    /// The exact (height, width) of a crop or of padding.
    pub(super) fn exact(self, field: &str) -> Result<(u32, u32)> {
        match self {
            Self::HeightWidth { height, width } if u64::from(height) * u64::from(width) <= MAX_PIXELS => Ok((height, width)),
            Self::HeightWidth { height, width } => Err(Error::config(format!("{field}: {width}x{height} pixels are too many"))),
            other => Err(Error::config(format!("{field}: expected height and width, found {other:?}"))),
        }
    }
}

fn shortest_edge_only(height: u32, width: u32, shortest_edge: u32) -> (f64, f64) {
    let short = f64::from(shortest_edge);
    let long = (short * f64::from(height.max(width)) / f64::from(height.min(width))).trunc();
    if width <= height { (long, short) } else { (short, long) }
}

/// The rule of the DETR family: the bound on the longer side lowers the shorter one, which is rounded before it is compared but not
/// before the longer side follows from it.
fn both_edges(height: u32, width: u32, shortest_edge: u32, longest_edge: u32) -> (f64, f64) {
    let (h, w) = (f64::from(height), f64::from(width));
    let (short, long) = (h.min(w), h.max(w));
    let mut size = f64::from(shortest_edge);
    let mut exact = size;
    if long / short * size > f64::from(longest_edge) {
        exact = f64::from(longest_edge) * short / long;
        size = exact.round_ties_even();
    }
    if (height <= width && h == size) || (width <= height && w == size) {
        (h, w)
    } else if width < height {
        ((exact * h / w).trunc(), size)
    } else {
        (size, (exact * w / h).trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_every_form() {
        let cases = [
            (json!(224), true, Size::HeightWidth { height: 224, width: 224 }),
            (json!(224), false, Size::ShortestEdge { shortest_edge: 224, longest_edge: None }),
            (json!([192, 256]), true, Size::HeightWidth { height: 192, width: 256 }),
            (json!({"height": 3, "width": 4}), false, Size::HeightWidth { height: 3, width: 4 }),
            (json!({"shortest_edge": 8, "longest_edge": 9}), true, Size::ShortestEdge { shortest_edge: 8, longest_edge: Some(9) }),
            (json!({"longest_edge": 9, "height": null}), true, Size::LongestEdge { longest_edge: 9 }),
            (json!({"max_height": 5, "max_width": 6}), true, Size::MaxHeightWidth { max_height: 5, max_width: 6 }),
            (json!({"min_pixels": 5, "max_pixels": 6}), true, Size::Pixels { min_pixels: 5, max_pixels: 6 }),
        ];
        for (value, square, expected) in cases {
            assert_eq!(Size::from_json("size", &value, square).unwrap(), expected, "{value}");
        }
        for bad in [json!(0), json!(-1), json!("224"), json!([1]), json!({"height": 3}), json!({"height": 3, "width": 4, "depth": 5})] {
            assert!(Size::from_json("size", &bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_absurd_results() {
        let edge = Size::ShortestEdge { shortest_edge: 1000, longest_edge: None };
        assert!(edge.of_image(1, 4_000_000).is_err());
        assert!(Size::HeightWidth { height: u32::MAX, width: u32::MAX }.exact("crop_size").is_err());
    }
}
