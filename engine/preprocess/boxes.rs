//! The boxes that files of the MP4 family are made of, for sounds and pictures alike.

/// The content of the first box with this name.
pub(crate) fn child<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes).find(|(kind, _)| kind == name).map(|(_, body)| body)
}

/// The boxes in a box: their names and contents.
pub(crate) fn children(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
        let (header, size) = match size {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)).ok()?),
            size => (8, size),
        };
        let (this, next) = bytes.split_at_checked(size)?;
        bytes = next;
        Some((kind, this.get(header..)?))
    })
}
