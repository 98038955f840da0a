//! Characters as Python's `str` classes them.

use std::sync::OnceLock;

use fancy_regex::Regex;

/// `str.isspace` of one character.
pub(crate) fn is_space(c: char) -> bool {
    if c.is_ascii() { matches!(c, '\t'..='\r' | '\u{1c}'..='\u{1f}' | ' ') } else { c.is_whitespace() }
}

/// Whether `str.splitlines` ends a line here.
pub(crate) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Classes of characters that Rust's standard library lacks.
pub(crate) struct Classes {
    letter: Regex,
    decimal: Regex,
    number: Regex,
    mark: Regex,
    hidden: Regex,
}

/// The classes, compiled once.
pub(crate) fn classes() -> &'static Classes {
    static CLASSES: OnceLock<Classes> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let class = |pattern: &str| Regex::new(pattern).unwrap_or_else(|_| never());
        Classes {
            letter: class(r"^\p{L}$"),
            decimal: class(r"^\p{Nd}$"),
            number: class(r"^\p{N}$"),
            mark: class(r"^[\p{Mn}\p{Mc}\p{Pc}]$"),
            hidden: class(r"^[\p{C}\p{Z}]$"),
        }
    })
}

/// A pattern that matches nothing; the patterns above are fixed and compile.
fn never() -> Regex {
    #[allow(clippy::unwrap_used, reason = "a fixed pattern that compiles, as a test shows")]
    Regex::new("[^\\s\\S]").unwrap()
}

impl Classes {
    fn is(class: &Regex, c: char) -> bool {
        class.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false)
    }

    /// `str.isalpha` of one character.
    pub(crate) fn letter(&self, c: char) -> bool {
        if c.is_ascii() { c.is_ascii_alphabetic() } else { Self::is(&self.letter, c) }
    }

    /// `str.isdecimal` of one character.
    pub(crate) fn decimal(&self, c: char) -> bool {
        if c.is_ascii() { c.is_ascii_digit() } else { Self::is(&self.decimal, c) }
    }

    /// `str.isdigit` of one character: decimals, and superscripts and enclosed digits, not fractions.
    pub(crate) fn digit(&self, c: char) -> bool {
        let digits = matches!(c, '²' | '³' | '¹' | '\u{1369}'..='\u{1371}' | '\u{19da}' | '\u{2070}' | '\u{2074}'..='\u{2079}'
            | '\u{2080}'..='\u{2089}' | '\u{2460}'..='\u{2468}' | '\u{2474}'..='\u{247c}' | '\u{2488}'..='\u{2490}' | '\u{24ea}'
            | '\u{24f5}'..='\u{24fd}' | '\u{24ff}' | '\u{2776}'..='\u{277e}' | '\u{2780}'..='\u{2788}' | '\u{278a}'..='\u{2792}'
            | '\u{10a40}'..='\u{10a43}' | '\u{10e60}'..='\u{10e68}' | '\u{11052}'..='\u{1105a}' | '\u{1f100}'..='\u{1f10a}');
        digits || self.decimal(c)
    }

    /// `str.isnumeric` of one character.
    pub(crate) fn numeric(&self, c: char) -> bool {
        let ideograph = matches!(
            c,
            '〇' | '一'
                | '二'
                | '三'
                | '四'
                | '五'
                | '六'
                | '七'
                | '八'
                | '九'
                | '十'
                | '百'
                | '千'
                | '万'
                | '萬'
                | '億'
                | '兆'
                | '零'
                | '壹'
                | '貳'
                | '叁'
                | '肆'
                | '伍'
                | '陸'
                | '柒'
                | '捌'
                | '玖'
                | '拾'
                | '佰'
                | '仟'
                | '亿'
                | '两'
                | '廿'
                | '卅'
                | '卌'
        );
        if c.is_ascii() { c.is_ascii_digit() } else { ideograph || Self::is(&self.number, c) }
    }

    /// Marks that may stand inside a name.
    pub(crate) fn mark(&self, c: char) -> bool {
        !c.is_ascii() && Self::is(&self.mark, c)
    }

    /// `str.isprintable` of one character: no controls, no marks of format or direction, no space but U+0020, no private use.
    pub(crate) fn printable(&self, c: char) -> bool {
        if c.is_ascii() { (' '..='~').contains(&c) } else { !Self::is(&self.hidden, c) }
    }
}
