//! The bytes that a single token adds to a text.

use std::borrow::Cow;

use super::Tokenizer;
use super::backend::Joining;

/// What tokens are put behind, because at the start of a text some lose a space. Any plain word would do; the reference takes this one.
const BEFORE: &str = "abcdef";

impl Tokenizer {
    /// The bytes that a token adds to a text with something before it, special tokens included; none for an id without a token. Those
    /// of byte-level and byte-fallback tokenizers may hold part of a character.
    pub fn token_bytes(&self, id: u32) -> Cow<'static, [u8]> {
        let Some(token) = self.id_to_token(id) else { return Cow::Borrowed(&[]) };
        let own = match self.backend.joining() {
            Joining::Bytes => byte_level_bytes(&token),
            Joining::ByteFallback => byte_fallback_byte(&token).map(|byte| vec![byte]),
            Joining::Pieces | Joining::Whole => None,
        };
        Cow::Owned(own.unwrap_or_else(|| self.added_text(token).into_bytes()))
    }

    /// Whether a token is left out of texts without special tokens.
    pub fn is_special_token(&self, id: u32) -> bool {
        self.backend.shown_token(id, false).is_some() && self.backend.shown_token(id, true).is_none()
    }

    /// What a token adds behind others. A decoder that fails adds nothing.
    fn added_text(&self, token: String) -> String {
        let before = self.before.get_or_init(|| self.tokens_before());
        let tokens = before.iter().cloned().chain([token]).collect();
        let text = self.convert_tokens_to_string(tokens).unwrap_or_default();
        text.split_once(BEFORE).map(|(_, added)| added.to_owned()).unwrap_or_default()
    }

    /// The tokens of [`BEFORE`], or itself where the vocabulary cannot spell it.
    fn tokens_before(&self) -> Vec<String> {
        let options = super::EncodeOptions { add_special_tokens: false, ..super::EncodeOptions::default() };
        let tokens = self.encode(super::Text::Str(BEFORE), None, &options).map(|encoding| encoding.tokens).unwrap_or_default();
        let spelled = self.convert_tokens_to_string(tokens.clone()).is_ok_and(|text| text.contains(BEFORE));
        if spelled { tokens } else { vec![BEFORE.to_owned()] }
    }
}

/// The bytes that a token of a byte-level vocabulary stands for; `None` for tokens with other characters (added tokens).
fn byte_level_bytes(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte_level_byte).collect()
}

/// The byte that a character of a byte-level vocabulary stands for: visible characters of Latin-1 for themselves, the others in order
/// from U+0100 on.
fn byte_level_byte(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The byte of a byte-fallback token, `<0x0A>`.
pub(crate) fn byte_fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_hex = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_tokens() {
        assert_eq!(byte_level_bytes("Ġhi").as_deref(), Some(&b" hi"[..]));
        assert_eq!(byte_level_bytes("Ċ").as_deref(), Some(&b"\n"[..]));
        assert_eq!(byte_level_bytes("Ã¶").as_deref(), Some("ö".as_bytes()));
        assert_eq!(byte_level_bytes("a b"), None);
        let mut bytes: Vec<u8> = ('\0'..='\u{200}').filter_map(byte_level_byte).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=u8::MAX).collect::<Vec<_>>());
        assert_eq!(byte_fallback_byte("<0x0a>"), Some(10));
        assert_eq!([byte_fallback_byte("<0x+a>"), byte_fallback_byte("<s>")], [None, None]);
    }
}
