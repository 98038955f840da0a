//! What the container says about its primary picture: where its data are, their colours, and how they are to be turned.

use std::borrow::Cow;

use image::metadata::Orientation;

use crate::preprocess::boxes::{child, children};

/// The most tiles of one picture.
const MAX_TILES: usize = 4096;

/// How luma and colour differences are to be understood, in the numbers of the standard (ISO/IEC 23091-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) primaries: u32,
    pub(super) matrix: u32,
    pub(super) full_range: bool,
}

/// The primary picture.
pub(super) struct Still<'a> {
    /// The AV1 data of each tile, row by row.
    pub(super) tiles: Vec<Cow<'a, [u8]>>,
    /// Columns and rows of tiles.
    pub(super) grid: (usize, usize),
    /// Width and height of a grid.
    pub(super) size: (u32, u32),
    /// Where the container says so; else the AV1 data do.
    pub(super) colours: Option<Colours>,
    pub(super) orientation: Orientation,
}

/// Nothing where the container is not as it should be.
pub(super) fn read(bytes: &[u8]) -> Option<Still<'_>> {
    let meta = child(bytes, b"meta")?.get(4..)?;
    let mut field = Fields(child(meta, b"pitm")?);
    let primary = match field.version()? {
        0 => field.number(2)?,
        _ => field.number(4)?,
    };
    let kind = item_kind(meta, primary)?;
    let mut still = Still { tiles: Vec::new(), grid: (1, 1), size: (0, 0), colours: None, orientation: Orientation::NoTransforms };
    let parts = match &kind {
        b"av01" => vec![primary],
        b"grid" => {
            let data = item_data(bytes, meta, primary)?;
            let mut field = Fields(&data);
            field.number(1)?;
            let wide = field.number(1)? & 1 == 1;
            let (rows, columns) = (field.number(1)? as usize + 1, field.number(1)? as usize + 1);
            let side = if wide { 4 } else { 2 };
            still.grid = (columns, rows);
            still.size = (field.number(side)? as u32, field.number(side)? as u32);
            let parts = parts_of(meta, primary)?;
            if parts.len() != rows * columns || parts.len() > MAX_TILES {
                return None;
            }
            parts
        }
        _ => return None,
    };
    for part in parts {
        still.tiles.push(item_data(bytes, meta, part)?);
    }
    let (mut angle, mut mirror) = (0, None);
    for (kind, body) in properties(meta, primary)? {
        match &kind {
            b"colr" if body.starts_with(b"nclx") => {
                let mut field = Fields(&body[4..]);
                let (primaries, _transfer, matrix) = (field.number(2)?, field.number(2)?, field.number(2)?);
                still.colours =
                    Some(Colours { primaries: primaries as u32, matrix: matrix as u32, full_range: field.number(1)? & 128 != 0 });
            }
            b"irot" => angle = body.first()? & 3,
            b"imir" => mirror = Some(body.first()? & 1),
            _ => {}
        }
    }
    still.orientation = orientation(angle, mirror);
    Some(still)
}

/// Quarter turns against the clock, and then a mirror: 0 swaps top and bottom, 1 left and right.
fn orientation(angle: u8, mirror: Option<u8>) -> Orientation {
    let exif = match (angle, mirror) {
        (0, None) => 1,
        (0, Some(0)) | (2, Some(1)) => 4,
        (0, Some(_)) | (2, Some(_)) => 2,
        (1, None) => 8,
        (1, Some(0)) | (3, Some(1)) => 5,
        (1, Some(_)) | (3, Some(_)) => 7,
        (2, None) => 3,
        _ => 6,
    };
    Orientation::from_exif(exif).unwrap_or(Orientation::NoTransforms)
}

/// The four letters that say what an item is.
fn item_kind(meta: &[u8], id: u64) -> Option<[u8; 4]> {
    let mut field = Fields(child(meta, b"iinf")?);
    let count = if field.version()? == 0 { 2 } else { 4 };
    field.number(count)?;
    children(field.0).filter(|(kind, _)| kind == b"infe").find_map(|(_, body)| {
        let mut field = Fields(body);
        let size = if field.version()? < 3 { 2 } else { 4 };
        let this = field.number(size)?;
        field.number(2)?;
        let kind: [u8; 4] = field.0.get(..4)?.try_into().ok()?;
        (this == id).then_some(kind)
    })
}

/// The items that an item is made of.
fn parts_of(meta: &[u8], id: u64) -> Option<Vec<u64>> {
    let mut field = Fields(child(meta, b"iref")?);
    let size = if field.version()? == 0 { 2 } else { 4 };
    children(field.0).filter(|(kind, _)| kind == b"dimg").find_map(|(_, body)| {
        let mut field = Fields(body);
        let from = field.number(size)?;
        let count = field.number(2)?;
        (from == id).then(|| (0..count).map_while(|_| field.number(size)).collect())
    })
}

/// The names and contents of an item's properties.
fn properties(meta: &[u8], id: u64) -> Option<Vec<([u8; 4], &[u8])>> {
    let all = child(meta, b"iprp")?;
    let known: Vec<_> = children(child(all, b"ipco")?).collect();
    let mut field = Fields(child(all, b"ipma")?);
    let head = field.number(4)?;
    let (id_size, index_size) = (if head >> 24 == 0 { 2 } else { 4 }, if head & 1 == 0 { 1 } else { 2 });
    let mut found = Vec::new();
    for _ in 0..field.number(4)? {
        let this = field.number(id_size)?;
        for _ in 0..field.number(1)? {
            // The first bit says whether the property must be understood.
            let index = field.number(index_size)? & ((1 << (8 * index_size - 1)) - 1);
            if this == id {
                found.extend(usize::try_from(index).ok().and_then(|i| known.get(i.checked_sub(1)?)).copied());
            }
        }
    }
    Some(found)
}

/// The bytes of an item: stretches of the file, or of a box in the container's head.
fn item_data<'a>(bytes: &'a [u8], meta: &'a [u8], id: u64) -> Option<Cow<'a, [u8]>> {
    let mut field = Fields(child(meta, b"iloc")?);
    let version = field.version()?;
    let sizes = field.number(2)?;
    let size = |shift: u64| usize::try_from(sizes >> shift & 15).unwrap_or(0);
    let (offset_size, length_size, base_size) = (size(12), size(8), size(4));
    let index_size = if version > 0 { size(0) } else { 0 };
    let id_size = if version < 2 { 2 } else { 4 };
    for _ in 0..field.number(id_size)? {
        let this = field.number(id_size)?;
        let method = if version > 0 { field.number(2)? & 15 } else { 0 };
        field.number(2)?;
        let base = field.number(base_size)?;
        let mut data = Cow::Borrowed(&[][..]);
        for _ in 0..field.number(2)? {
            field.number(index_size)?;
            let (offset, length) = (field.number(offset_size)?, field.number(length_size)?);
            if this != id {
                continue;
            }
            let source = match method {
                0 => bytes,
                1 => child(meta, b"idat")?,
                _ => return None,
            };
            let start = usize::try_from(base.checked_add(offset)?).ok()?;
            let rest = source.get(start..)?;
            let stretch = if length == 0 { rest } else { rest.get(..usize::try_from(length).ok()?)? };
            if data.is_empty() {
                data = Cow::Borrowed(stretch);
            } else if data.len() + stretch.len() <= bytes.len() {
                data.to_mut().extend_from_slice(stretch);
            } else {
                return None;
            }
        }
        if this == id {
            return Some(data);
        }
    }
    None
}

/// Numbers of up to eight bytes, the highest first.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self, size: usize) -> Option<u64> {
        let (field, rest) = self.0.split_at_checked(size.min(8))?;
        self.0 = rest;
        Some(field.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// The version that a box begins with, and three bytes of flags.
    fn version(&mut self) -> Option<u64> {
        Some(self.number(4)? >> 24)
    }
}
