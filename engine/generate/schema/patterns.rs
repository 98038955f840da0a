//! Regular expressions of schemas (ECMA-262) in the syntax of the engine, which reads some of the same letters otherwise.

use std::iter::Peekable;
use std::str::Chars;

const DIGITS: &str = "0-9";
const WORDS: &str = "0-9A-Za-z_";
const SPACES: &str = r"\t\n\x0B\x0C\r\x20\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";
/// What a dot matches.
pub(super) const NO_LINE_END: &str = r"[^\n\r\x{2028}\x{2029}]";
pub(super) const ANYTHING: &str = r"[\x{0}-\x{10FFFF}]";
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// A pattern for the engine.
///
/// # Errors
/// What the engine has not, such as looking ahead and back.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let mut reader = Reader::new(pattern);
    reader.all()?;
    Ok(reader.out)
}

/// A pattern of the engine for texts of so many characters.
pub(super) fn long(least: u64, most: Option<u64>) -> String {
    format!("^{ANYTHING}{{{least},{}}}$", most.map_or(String::new(), |most| most.to_string()))
}

/// Reads a pattern.
pub(super) struct Reader<'p> {
    pattern: &'p str,
    rest: Peekable<Chars<'p>>,
    out: String,
}

/// What an escape stands for.
enum Escape {
    Char(char),
    /// The inside of a class, and whether it is turned around.
    Class(String, bool),
}

impl<'p> Reader<'p> {
    pub(super) fn new(pattern: &'p str) -> Self {
        Self { pattern, rest: pattern.chars().peekable(), out: String::new() }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'p str {
        let left: usize = self.rest.clone().map(char::len_utf8).sum();
        self.pattern.get(self.pattern.len() - left..).unwrap_or_default()
    }

    /// A character that stands for itself.
    pub(super) fn character(&mut self) -> Option<char> {
        let c = match self.rest.next()? {
            '\\' => match self.escape(false).ok()? {
                Escape::Char(c) => c,
                Escape::Class(..) => return None,
            },
            '.' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '*' | '+' | '?' | '^' | '$' => return None,
            c => c,
        };
        Some(c)
    }

    /// A character or a class, as the engine writes it.
    pub(super) fn atom(&mut self) -> Option<String> {
        if self.read("[") {
            self.class().ok()?;
            return Some(std::mem::take(&mut self.out));
        }
        let mut ahead = Self { pattern: self.pattern, rest: self.rest.clone(), out: String::new() };
        if ahead.read("\\")
            && let Ok(Escape::Class(inside, turned)) = ahead.escape(false)
        {
            *self = ahead;
            return Some(class(&inside, turned));
        }
        let mut out = String::new();
        push(&mut out, self.character()?);
        Some(out)
    }

    fn all(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => match self.escape(false)? {
                    Escape::Char(c) => push(&mut self.out, c),
                    Escape::Class(inside, turned) => self.out.push_str(&class(&inside, turned)),
                },
                '.' => self.out.push_str(NO_LINE_END),
                '[' => self.class()?,
                '(' => self.group()?,
                '{' => self.repetition(),
                ')' | '|' | '*' | '+' | '?' | '^' | '$' => self.out.push(c),
                _ => push(&mut self.out, c),
            }
        }
        Ok(())
    }

    /// Whether the rest begins with a text, which is then read.
    fn read(&mut self, text: &str) -> bool {
        let mut ahead = self.rest.clone();
        let begins = text.chars().all(|c| ahead.next() == Some(c));
        if begins {
            self.rest = ahead;
        }
        begins
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if !self.read("?") {
            self.out.push_str("?:");
            return Ok(());
        }
        for (begin, what) in [("=", "looks ahead"), ("!", "looks ahead"), ("<=", "looks back"), ("<!", "looks back")] {
            if self.read(begin) {
                return Err(format!("(?{begin} {what}, which cannot be held to"));
            }
        }
        // Names of groups say nothing about what matches.
        if self.read("<") || self.read("P<") {
            self.rest.by_ref().find(|c| *c == '>').ok_or("the name of a group does not end")?;
            self.out.push_str("?:");
        } else if self.read(":") {
            self.out.push_str("?:");
        } else if self.read("i)") {
            self.out.push_str("?i)");
        } else if self.read("i:") {
            self.out.push_str("?i:");
        } else {
            return Err("(? begins a group that is not known".to_owned());
        }
        Ok(())
    }

    /// A brace repeats what is before it where it holds counts, and else stands for itself.
    fn repetition(&mut self) {
        let text: String = self.rest.clone().take_while(|c| *c != '}').take(24).collect();
        let is_count = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let counts = match text.split_once(',') {
            Some((least, most)) => is_count(least) && (most.is_empty() || is_count(most)),
            None => is_count(&text),
        };
        if counts && self.read(&format!("{text}}}")) {
            self.out.push_str(&format!("{{{text}}}"));
        } else {
            push(&mut self.out, '{');
        }
    }

    fn class(&mut self) -> Result<(), String> {
        let turned = self.read("^");
        let mut inside = String::new();
        while let Some(first) = self.class_atom()? {
            let Escape::Char(first) = first else {
                if let Escape::Class(class_inside, turned) = first {
                    inside.push_str(&class(&class_inside, turned));
                }
                continue;
            };
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
            push(&mut inside, first);
            if !is_range {
                continue;
            }
            self.rest.next();
            match self.class_atom()? {
                Some(Escape::Char(last)) if last < first => return Err(format!("{first}-{last} is out of order")),
                Some(Escape::Char(last)) => {
                    inside.push('-');
                    push(&mut inside, last);
                }
                Some(Escape::Class(other, turned)) => {
                    push(&mut inside, '-');
                    inside.push_str(&class(&other, turned));
                }
                None => return Err("a class in brackets does not end".to_owned()),
            }
        }
        match (inside.is_empty(), turned) {
            (true, true) => self.out.push_str(ANYTHING),
            (true, false) => self.out.push_str(NOTHING),
            (false, _) => self.out.push_str(&class(&inside, turned)),
        }
        Ok(())
    }

    /// The next of a class; `None` at its end.
    fn class_atom(&mut self) -> Result<Option<Escape>, String> {
        match self.rest.next() {
            None => Err("a class in brackets does not end".to_owned()),
            Some(']') => Ok(None),
            Some('\\') => self.escape(true).map(Some),
            Some(c) => Ok(Some(Escape::Char(c))),
        }
    }

    fn escape(&mut self, in_class: bool) -> Result<Escape, String> {
        let c = self.rest.next().ok_or("a \\ at the end")?;
        let char = |c: char| Ok(Escape::Char(c));
        match c {
            'd' | 'D' => Ok(Escape::Class(DIGITS.to_owned(), c == 'D')),
            'w' | 'W' => Ok(Escape::Class(WORDS.to_owned(), c == 'W')),
            's' | 'S' => Ok(Escape::Class(SPACES.to_owned(), c == 'S')),
            'n' => char('\n'),
            'r' => char('\r'),
            't' => char('\t'),
            'f' => char('\u{c}'),
            'v' => char('\u{b}'),
            'b' if in_class => char('\u{8}'),
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => char('\0'),
            'c' => match self.rest.next().filter(char::is_ascii_alphabetic) {
                Some(letter) => char(char::from(letter.to_ascii_uppercase() as u8 - b'@')),
                None => Err("\\c is not followed by a letter".to_owned()),
            },
            'x' => self.code(2).and_then(char::from_u32).map(Escape::Char).ok_or_else(|| "\\x is not followed by two digits".to_owned()),
            'u' => self.unicode().map(Escape::Char).ok_or_else(|| "\\u is not followed by a character's number".to_owned()),
            'p' | 'P' if self.read("{") => {
                let name: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '=') {
                    return Err(format!("\\{c}{{{name}}} names no property of characters"));
                }
                Ok(Escape::Class(format!("\\p{{{name}}}"), c == 'P'))
            }
            'b' | 'B' => Err(format!("\\{c} looks at what is beside it, which cannot be held to")),
            '1'..='9' | 'k' => Err(format!("\\{c} repeats what matched before, which cannot be held to")),
            c if c.is_alphanumeric() => Err(format!("\\{c} is no escape")),
            c => char(c),
        }
    }

    /// A number of hexadecimal digits.
    fn code(&mut self, digits: usize) -> Option<u32> {
        let text: String = self.rest.clone().take(digits).collect();
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits && !text.starts_with('+'))?;
        self.rest.nth(digits - 1);
        Some(code)
    }

    fn unicode(&mut self) -> Option<char> {
        if self.read("{") {
            let text: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
            return u32::from_str_radix(&text, 16).ok().and_then(char::from_u32);
        }
        let high = self.code(4)?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        // Two halves of a character.
        let low = if self.read("\\u") { self.code(4)? } else { return None };
        let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)
    }
}

/// A class of characters.
pub(super) fn class(inside: &str, turned: bool) -> String {
    format!("[{}{inside}]", if turned { "^" } else { "" })
}

/// Adds a character that stands for itself.
pub(super) fn push(out: &mut String, c: char) {
    if c.is_control() {
        out.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
        return;
    }
    if c.is_ascii_punctuation() && !"/_'\"`<>,;:=!@% ".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_ecma_says() {
        let cases = [
            ("^a+b*?$", Ok("^a+b*?$")),
            (r"\d\D\w", Ok("[0-9][^0-9][0-9A-Za-z_]")),
            (r"[\d\-_x-z]", Ok(r"[[0-9]\-_x-z]")),
            ("[a&&b]", Ok(r"[a\&\&b]")),
            ("[[a]", Ok(r"[\[a]")),
            ("[a-]", Ok(r"[a\-]")),
            ("[]", Ok(NOTHING)),
            ("[^]", Ok(ANYTHING)),
            ("a{2}b{2,}c{2,3}d{,3}e{", Ok(r"a{2}b{2,}c{2,3}d\{,3\}e\{")),
            (r"\/\.\cA\x41\u0042\u{1F600}\ud83d\ude00\0", Ok(r"/\.\x{1}AB😀😀\x{0}")),
            (r"(a)(?:b)(?<n>c)", Ok("(?:a)(?:b)(?:c)")),
            (r"\p{Letter}[\P{Lu}]", Ok(r"[\p{Letter}][[^\p{Lu}]]")),
            (".", Ok(NO_LINE_END)),
            ("(?=a)", Err(())),
            ("(?<!a)b", Err(())),
            (r"(a)\1", Err(())),
            (r"\ba", Err(())),
            (r"\Aa\z", Err(())),
            (r"\a", Err(())),
            ("[a", Err(())),
            ("[z-a]", Err(())),
            (r"\ud83d", Err(())),
            ("a\\", Err(())),
            ("(?x)a", Err(())),
        ];
        for (pattern, wanted) in cases {
            assert_eq!(translated(pattern).map_err(|_| ()), wanted.map(str::to_owned), "{pattern}");
        }
    }
}
