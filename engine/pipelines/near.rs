//! Names that somebody may have meant.

/// How much two names must have in common, from 0 to 1.
const ALIKE: f64 = 0.85;

/// The name that a misspelt one is likely to stand for.
#[doc(hidden)]
pub fn near<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones are no names, and comparing takes the product of the lengths.
    if name.len() > 100 {
        return None;
    }
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    let best = names.into_iter().map(|known| (likeness(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > ALIKE).map(|(_, known)| known)
}

/// ` (did you mean "…"?)`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    near(name, names).map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_meant() {
        let names = ["text-classification", "token-classification", "top_k", "temperature", "max_new_tokens", "int8"];
        for (given, meant) in [
            ("text-classificatoin", Some("text-classification")),
            ("top_kk", Some("top_k")),
            ("topk", Some("top_k")),
            ("temprature", Some("temperature")),
            ("max_tokens", Some("max_new_tokens")),
            ("INT8", Some("int8")),
            ("pooling", None),
            ("", None),
        ] {
            assert_eq!(near(given, names), meant, "{given}");
        }
        assert_eq!(near(&"top_k".repeat(1000), names), None);
    }
}
