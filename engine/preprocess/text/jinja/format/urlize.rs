//! `urlize`: addresses in text become links.

use std::sync::{Arc, OnceLock};

use fancy_regex::Regex;

use super::html::escape_text;
use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::text::is_space;

/// How links are written.
pub(crate) struct Links {
    pub(crate) limit: Option<i64>,
    pub(crate) rel: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) schemes: Vec<Arc<str>>,
}

/// A longer word is no address.
const LONGEST: usize = 4096;

const ADDRESS: &str = r"(?ix)^(
    (https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})
    |([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)
    |(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}]))
    )(?::[\d]{1,5})?(?:[/?\#]\S*)?$";
const MAIL: &str = r"^\S+@\w[\w.-]*\.\w+$";
const SCHEME: &str = r"^([\w.+-]{2,}:(/){0,2})$";

fn matches(pattern: &'static str, cell: &'static OnceLock<Option<Regex>>, text: &str) -> bool {
    cell.get_or_init(|| Regex::new(pattern).ok()).as_ref().is_some_and(|regex| regex.is_match(text).unwrap_or(false))
}

fn is_address(text: &str) -> bool {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    matches(ADDRESS, &PATTERN, text)
}

fn is_mail(text: &str) -> bool {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    matches(MAIL, &PATTERN, text)
}

/// Refuses what is no scheme.
pub(crate) fn check_scheme(scheme: &str) -> Result<()> {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    if matches(SCHEME, &PATTERN, scheme) {
        return Ok(());
    }
    Err(Error::new(Kind::Argument, format!("'{scheme}' is not a valid URI scheme prefix.")))
}

/// Text as HTML, with links.
pub(crate) fn urlize(budget: &Budget, text: &str, links: &Links) -> Result<String> {
    urlize_html(budget, &escape_text(budget, text)?, links)
}

/// HTML, with links.
pub(crate) fn urlize_html(budget: &Budget, escaped: &str, links: &Links) -> Result<String> {
    budget.work(escaped.len().saturating_mul(16))?;
    let attribute = |name: &str, value: &Option<String>| -> Result<String> {
        match value.as_deref() {
            None | Some("") => Ok(String::new()),
            Some(value) => Ok(format!(" {name}=\"{}\"", escape_text(budget, value)?)),
        }
    };
    let attributes = attribute("rel", &links.rel)? + &attribute("target", &links.target)?;
    let mut out = String::new();
    let mut rest = escaped;
    while !rest.is_empty() {
        let end = rest.find(is_space).unwrap_or(rest.len());
        word(&rest[..end], links, &attributes, &mut out);
        budget.make(end)?;
        rest = &rest[end..];
        let end = rest.find(|c| !is_space(c)).unwrap_or(rest.len());
        out.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    budget.make(out.len())?;
    Ok(out)
}

fn word(word: &str, links: &Links, attributes: &str, out: &mut String) {
    if word.len() > LONGEST {
        out.push_str(word);
        return;
    }
    let mut middle = word;
    while let Some(rest) = ["(", "<", "&lt;"].iter().find_map(|open| middle.strip_prefix(open)) {
        middle = rest;
    }
    let head = &word[..word.len() - middle.len()];
    let mut end = middle.len();
    while let Some(rest) = [")", ">", ".", ",", "\n", "&gt;"].iter().find_map(|close| middle[..end].strip_suffix(close)) {
        end = rest.len();
    }
    // Closing marks that belong to opening ones inside stay inside.
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let opened = middle[..end].matches(open).count();
        if opened <= middle[..end].matches(close).count() {
            continue;
        }
        for _ in 0..opened.min(middle[end..].matches(close).count()) {
            end += middle[end..].find(close).map_or(0, |found| found + close.len());
        }
    }
    let (middle, tail) = middle.split_at(end);
    out.push_str(head);
    out.push_str(&link(middle, links, attributes));
    out.push_str(tail);
}

fn link(text: &str, links: &Links, attributes: &str) -> String {
    let shown = |text: &str| match links.limit {
        Some(limit) if text.chars().count() as i64 > limit => {
            let length = text.chars().count() as i64;
            let kept = usize::try_from(if limit < 0 { length + limit } else { limit }).unwrap_or(0);
            format!("{}...", text.chars().take(kept).collect::<String>())
        }
        _ => text.to_owned(),
    };
    if is_address(text) {
        let scheme = if text.starts_with("https://") || text.starts_with("http://") { "" } else { "https://" };
        return format!("<a href=\"{scheme}{text}\"{attributes}>{}</a>", shown(text));
    }
    if let Some(mail) = text.strip_prefix("mailto:").filter(|mail| is_mail(mail)) {
        return format!("<a href=\"{text}\">{mail}</a>");
    }
    if text.contains('@') && !text.starts_with("www.") && !text.starts_with('@') && !text.contains(':') && is_mail(text) {
        return format!("<a href=\"mailto:{text}\">{text}</a>");
    }
    let mut linked = text.to_owned();
    for scheme in &links.schemes {
        if linked != **scheme && linked.starts_with(&**scheme) {
            linked = format!("<a href=\"{linked}\"{attributes}>{linked}</a>");
        }
    }
    linked
}
