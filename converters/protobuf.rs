//! Messages in the format of protobuf: fields that are read in place, and written anew where something changes.

/// A field of a message.
#[derive(Debug)]
pub struct Field<'a> {
    /// Which field it is.
    pub number: u32,
    /// All of it, with its number.
    pub whole: &'a [u8],
    /// Its value where that is a whole number.
    pub integer: Option<u64>,
    /// Its value where that is a number of 32 bits.
    pub float: Option<f32>,
    /// Its value where that is a string, a message or numbers in a row.
    pub bytes: Option<&'a [u8]>,
}

/// The fields of a message; the last is `None` where it is damaged.
#[derive(Debug)]
pub struct Fields<'a>(pub &'a [u8]);

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

    /// The next whole number, of those that stand in a row without their fields.
    pub fn varint(&mut self) -> Option<u64> {
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
pub fn first(message: &[u8], number: u32) -> Option<Field<'_>> {
    Fields(message).flatten().find(|field| field.number == number)
}

/// The first field with this number, where it is a string or a message.
pub fn first_bytes(message: &[u8], number: u32) -> Option<&[u8]> {
    first(message, number)?.bytes
}

/// The first field with this number, where it is a whole number.
pub fn first_integer(message: &[u8], number: u32) -> Option<u64> {
    first(message, number)?.integer
}

/// Writes a field that is a string or a message.
pub fn write(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    write_varint(out, u64::from(number << 3 | 2));
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a field that is a whole number.
pub fn write_integer(out: &mut Vec<u8>, number: u32, integer: u64) {
    write_varint(out, u64::from(number << 3));
    write_varint(out, integer);
}

/// Writes a field that is a number of 32 bits.
pub fn write_float(out: &mut Vec<u8>, number: u32, float: f32) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Vec::new();
        for integer in [0, 127, 128, u64::MAX] {
            write_integer(&mut message, 3, integer);
        }
        write(&mut message, 1000, b"text");
        write_float(&mut message, 5, -0.5);
        let fields: Vec<Field<'_>> = Fields(&message).map(Option::unwrap).collect();
        let integers: Vec<u64> = fields.iter().filter_map(|field| field.integer).collect();
        assert_eq!(integers, [0, 127, 128, u64::MAX]);
        assert_eq!(
            (first_integer(&message, 3), first_bytes(&message, 1000), first_bytes(&message, 3)),
            (Some(0), Some(&b"text"[..]), None)
        );
        assert_eq!(first(&message, 5).and_then(|field| field.float), Some(-0.5));
        assert_eq!(fields.iter().flat_map(|field| field.whole).copied().collect::<Vec<u8>>(), message);
    }

    #[test]
    fn what_is_damaged_ends() {
        // A length behind the end, a number that goes on, a group, eleven bytes of a number, and nothing behind a key.
        for damaged in [
            &[0x0a, 5, 1][..],
            &[0x08, 0x80],
            &[0x0b, 1],
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            &[0x0d, 1],
            &[0x08],
        ] {
            let fields: Vec<bool> = Fields(&[&[0x08, 1], damaged].concat()).map(|field| field.is_some()).collect();
            assert_eq!(fields, [true, false], "{damaged:?}");
        }
    }
}
