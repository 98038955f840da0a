//! URI references, as far as the identifiers of schemas need them (RFC 3986).

/// A reference in its parts; the scheme and the authority with the marks that set them off.
struct Parts<'u> {
    scheme: &'u str,
    authority: &'u str,
    path: &'u str,
    query: &'u str,
}

impl<'u> Parts<'u> {
    fn of(uri: &'u str) -> Self {
        let is_scheme = |end: &usize| {
            let name = uri.get(..*end).unwrap_or_default();
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, rest) = uri.split_at(uri.find(':').filter(is_scheme).map_or(0, |end| end + 1));
        let (hierarchy, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let authority = match hierarchy.strip_prefix("//") {
            Some(after) => after.find('/').map_or(hierarchy.len(), |end| end + 2),
            None => 0,
        };
        let (authority, path) = hierarchy.split_at(authority);
        Self { scheme, authority, path, query }
    }
}

/// What a reference means at a base: the URI without its fragment, and the fragment with its `%` escapes.
pub(super) fn join<'u>(base: &str, reference: &'u str) -> (String, &'u str) {
    let (reference, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let (base, new) = (Parts::of(base), Parts::of(reference));
    let joined = if !new.scheme.is_empty() {
        (new.scheme, new.authority, without_dots(new.path), new.query)
    } else if !new.authority.is_empty() {
        (base.scheme, new.authority, without_dots(new.path), new.query)
    } else if new.path.is_empty() {
        (base.scheme, base.authority, base.path.to_owned(), if new.query.is_empty() { base.query } else { new.query })
    } else {
        let folder = match (new.path.starts_with('/'), base.path.rfind('/')) {
            (true, _) => "",
            (false, Some(end)) => base.path.get(..=end).unwrap_or_default(),
            (false, None) if base.authority.is_empty() => "",
            (false, None) => "/",
        };
        (base.scheme, base.authority, without_dots(&format!("{folder}{}", new.path)), new.query)
    };
    (format!("{}{}{}{}", joined.0, joined.1, joined.2, joined.3), fragment)
}

/// A path without its steps `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut steps = path.split('/').peekable();
    while let Some(step) = steps.next() {
        let last = steps.peek().is_none();
        match step {
            "." => {}
            ".." => {
                // The first part of a path that begins with a slash is empty, and stays.
                if kept.len() > usize::from(path.starts_with('/')) {
                    kept.pop();
                }
            }
            step => kept.push(step),
        }
        if last && matches!(step, "." | "..") {
            kept.push("");
        }
    }
    kept.join("/")
}

/// A text with its `%` escapes read; `None` where they are no UTF-8.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => {
                bytes.push(code);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3986, 5.4, and of schemas' identifiers.
    #[test]
    fn references_are_joined() {
        let base = "http://a/b/c/d;p?q";
        let cases = [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("urn:x:y", "urn:x:y"),
        ];
        for (reference, joined) in cases {
            assert_eq!(join(base, reference).0, joined, "{reference}");
        }
        assert_eq!(join("urn:uuid:1", "#a"), ("urn:uuid:1".to_owned(), "a"));
        assert_eq!(join("", "#/a%25"), (String::new(), "/a%25"));
        assert_eq!(join("http://a", "b"), ("http://a/b".to_owned(), ""));
        assert_eq!(unescaped("a%20%C3%A9%").as_deref(), Some("a é%"));
        assert_eq!(unescaped("%ff"), None);
    }
}
