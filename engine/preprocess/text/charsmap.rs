//! SentencePiece's tables of normalization, looked at before the `tokenizers` crate uses them: it takes every number in them as it is.
//!
//! A table is the size of a double-array trie (Darts-clone) in bytes, the trie, and the replacements, each ending in a zero byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::vocabulary::damaged;
use crate::Result;

/// Checks all tables of a normalizer, those of its parts included.
pub(super) fn check(normalizer: &Value) -> Result<()> {
    for part in normalizer["normalizers"].as_array().into_iter().flatten() {
        check(part)?;
    }
    if normalizer["type"] != "Precompiled" && normalizer.get("precompiled_charsmap").is_none() {
        return Ok(());
    }
    let bytes = normalizer["precompiled_charsmap"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let problem = match bytes {
        None => Some("not base64".to_owned()),
        Some(bytes) => problem(&bytes),
    };
    problem.map_or(Ok(()), |problem| Err(damaged("tokenizer.json: normalizer: precompiled_charsmap", problem)))
}

/// What is wrong with a table. Whatever the text, looking it up stays within the trie and the replacements where nothing is.
fn problem(table: &[u8]) -> Option<String> {
    let because = |problem: &str| Some(problem.to_owned());
    let Some((size, rest)) = table.split_first_chunk::<4>() else { return because("it has no size") };
    let size = u32::from_le_bytes(*size) as usize;
    let Some((trie, replacements)) = rest.split_at_checked(size / 4 * 4) else {
        return Some(format!("a table of {size} bytes, of which {} are there", rest.len()));
    };
    let Ok(replacements) = std::str::from_utf8(replacements) else { return because("its replacements are not UTF-8") };
    let trie: Vec<u32> = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();

    // The units that follow on a byte, by the place that the byte is combined with.
    let mut followers: Vec<(usize, usize)> = Vec::new();
    for (place, unit) in trie.iter().enumerate() {
        if let Ok(byte @ 1..) = u8::try_from(label(*unit)) {
            followers.push((place ^ usize::from(byte), place));
        }
    }
    followers.sort_unstable();
    let mut reached = vec![false; trie.len()];
    let mut open = vec![0];
    while let Some(place) = open.pop() {
        let Some(unit) = trie.get(place).copied() else { return because("its trie is empty") };
        if std::mem::replace(&mut reached[place], true) {
            continue;
        }
        let base = place ^ offset(unit);
        if base | 0xff >= trie.len() {
            return because("its trie leads out of itself");
        }
        if has_leaf(unit) && place > 0 {
            let at = (trie[base] & 0x7fff_ffff) as usize;
            if !replacements.is_char_boundary(at) {
                return because("a replacement lies outside of them");
            }
        }
        let first = followers.partition_point(|(before, _)| *before < base);
        open.extend(followers[first..].iter().take_while(|(of, _)| *of == base).map(|(_, place)| *place));
    }
    None
}

// Units of Darts-clone, the library behind the table.

pub(super) fn has_leaf(unit: u32) -> bool {
    (unit >> 8) & 1 == 1
}

pub(super) fn label(unit: u32) -> u32 {
    unit & (1 << 31 | 0xff)
}

pub(super) fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A trie of 256 units and these, with replacements behind it.
    fn table(units: &[(usize, u32)], replacements: &[u8]) -> Vec<u8> {
        let mut trie = vec![1 << 31; 256];
        units.iter().for_each(|(place, unit)| trie[*place] = *unit);
        let trie: Vec<u8> = trie.iter().flat_map(|unit: &u32| unit.to_le_bytes()).collect();
        [&1024_u32.to_le_bytes()[..], &trie, replacements].concat()
    }

    #[test]
    fn tables_stay_within_themselves() {
        // `a` becomes what begins at a number: the root leads to 0 ^ 97 = 97, whose leaf is at 97 ^ 1 = 96.
        let becomes =
            |number: u32, replacements: &[u8]| table(&[(0, 0), (97, 1 << 10 | 1 << 8 | 97), (96, 1 << 31 | number)], replacements);
        assert_eq!(problem(&becomes(0, b"b\0")).as_deref(), None);
        assert_eq!(problem(&becomes(1, "ü\0".as_bytes())).as_deref(), Some("a replacement lies outside of them"));
        assert_eq!(problem(&becomes(3, b"b\0")).as_deref(), Some("a replacement lies outside of them"));
        assert_eq!(problem(&table(&[(0, 1 << 10 << 8)], b"")).as_deref(), Some("its trie leads out of itself"));
        assert_eq!(problem(&table(&[(0, 0), (97, 4 << 18 | 97)], b"")).as_deref(), Some("its trie leads out of itself"));
        assert_eq!(problem(&table(&[], b"\xff")).as_deref(), Some("its replacements are not UTF-8"));
        assert_eq!(problem(&[0xff; 4]).as_deref(), Some("a table of 4294967295 bytes, of which 0 are there"));
        assert_eq!(problem(&[0; 4]).as_deref(), Some("its trie is empty"));
        assert_eq!(problem(&[0; 3]).as_deref(), Some("it has no size"));
    }

    #[test]
    fn tables_of_parts_are_looked_at() {
        let of = |charsmap: Value| json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Precompiled", "precompiled_charsmap": charsmap}]});
        check(&of(STANDARD.encode(table(&[(0, 0)], b"")).into())).unwrap();
        check(&Value::Null).unwrap();
        for charsmap in [json!(true), json!("("), json!("/////w=="), Value::Null] {
            assert!(check(&of(charsmap)).unwrap_err().to_string().starts_with("tokenizer.json: normalizer: precompiled_charsmap: "));
        }
    }
}
