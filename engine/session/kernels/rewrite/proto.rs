//! Messages in the format of protobuf: fields that are read in place, and written anew where something changes.

/// A field of a message.
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) whole: &'a [u8],
    pub(super) integer: Option<u64>,
    pub(super) float: Option<f32>,
    pub(super) bytes: Option<&'a [u8]>,
}

/// The fields of a message; the last is `None` where it is damaged.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let start = self.0;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok()?;
        let (mut integer, mut float, mut bytes) = (None, None, None);
        match key & 7 {
            0 => integer = Some(self.varint()?),
            1 => _ = self.take(8)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                bytes = Some(self.take(length)?);
            }
            5 => float = Some(f32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            _ => return None,
        }
        Some(Field { number, whole: start.get(..start.len() - self.0.len())?, integer, float, bytes })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// The first field with this number.
pub(super) fn first(message: &[u8], number: u32) -> Option<Field<'_>> {
    Fields(message).flatten().find(|field| field.number == number)
}

pub(super) fn first_bytes(message: &[u8], number: u32) -> Option<&[u8]> {
    first(message, number)?.bytes
}

pub(super) fn first_integer(message: &[u8], number: u32) -> Option<u64> {
    first(message, number)?.integer
}

pub(super) fn write(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    write_varint(out, u64::from(number << 3 | 2));
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn write_integer(out: &mut Vec<u8>, number: u32, integer: u64) {
    write_varint(out, u64::from(number << 3));
    write_varint(out, integer);
}

pub(super) fn write_float(out: &mut Vec<u8>, number: u32, float: f32) {
    write_varint(out, u64::from(number << 3 | 5));
    out.extend_from_slice(&float.to_le_bytes());
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
