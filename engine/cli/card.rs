//! The model card: what the YAML at the beginning of a README.md says. It is anybody's text, so that its size, depth and number of values
//! are bounded, and nothing in it stands for more than it is.

use anyhow::Result;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde::Serialize;
use serde_json::{Map, Value};

/// A longer card is no card.
const MOST_BYTES: usize = 1 << 20;
const MOST_VALUES: usize = 100_000;
const DEEPEST: usize = 64;
/// So many examples are kept.
const EXAMPLES: usize = 32;

/// What the card says, as far as people ask for it.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Card {
    pub(super) license: Option<String>,
    pub(super) license_link: Option<String>,
    pub(super) languages: Vec<String>,
    /// `pipeline_tag`
    pub(super) task: Option<String>,
    /// `library_name`
    pub(super) library: Option<String>,
    pub(super) base_models: Vec<String>,
    pub(super) datasets: Vec<String>,
    pub(super) tags: Vec<String>,
    /// Examples of inputs, as the Hub's page shows them.
    pub(super) widget: Vec<Value>,
    /// What has to be agreed to before the model can be had.
    pub(super) gate: Option<String>,
}

impl Card {
    /// Reads a README.md; `None` where it has no YAML.
    pub(super) fn read(readme: &[u8]) -> Result<Option<Self>, String> {
        let Some(yaml) = front_matter(readme) else { return Ok(None) };
        let fields = match value(&yaml)? {
            Value::Object(fields) => fields,
            Value::Null => return Ok(None),
            _ => return Err("no names and values".to_owned()),
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty());
        let list = |name: &str| match fields.get(name) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        // `other` is explained elsewhere.
        let license = text("license").map(|license| match text("license_name") {
            Some(name) if license == "other" => name,
            _ => license,
        });
        let widget = fields.get("widget").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Some(Self {
            license: license.or_else(|| list("license").first().cloned()),
            license_link: text("license_link"),
            languages: if fields.contains_key("language") { list("language") } else { list("languages") },
            task: text("pipeline_tag"),
            library: text("library_name"),
            base_models: list("base_model"),
            datasets: list("datasets"),
            tags: list("tags"),
            widget: widget.into_iter().take(EXAMPLES).collect(),
            gate: text("extra_gated_prompt").or_else(|| text("extra_gated_heading")),
        }))
    }

    /// Names and texts for people.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let license = match (&self.license, &self.license_link) {
            (Some(license), Some(link)) => format!("{license} ({link})"),
            (license, link) => license.clone().or_else(|| link.clone()).unwrap_or_default(),
        };
        let mut rows = vec![
            ("licence", license),
            ("languages", self.languages.join(", ")),
            ("made for", self.task.clone().unwrap_or_default()),
            ("library", self.library.clone().unwrap_or_default()),
            ("base model", self.base_models.join(", ")),
            ("datasets", self.datasets.join(", ")),
            ("tags", self.tags.join(", ")),
        ];
        rows.extend(self.widget.iter().map(|example| ("example", example_text(example))));
        rows
    }
}

/// An example's own text, or all of it.
fn example_text(example: &Value) -> String {
    let Value::Object(fields) = example else { return super::show::cell(example) };
    let shown: Map<String, Value> =
        fields.iter().filter(|(name, _)| *name != "example_title").map(|(k, v)| (k.clone(), v.clone())).collect();
    match shown.values().next() {
        Some(text @ Value::String(_)) if shown.len() == 1 => super::show::cell(text),
        _ => super::show::cell(&Value::Object(shown)),
    }
}

/// What stands between two lines of dashes at the beginning.
fn front_matter(readme: &[u8]) -> Option<String> {
    let readme = readme.strip_prefix(b"\xef\xbb\xbf").unwrap_or(readme);
    let text = String::from_utf8_lossy(&readme[..readme.len().min(MOST_BYTES)]);
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    lines.next().filter(|line| line.trim_end() == "---")?;
    let mut yaml = String::new();
    for line in lines {
        if line.trim_end() == "---" {
            return Some(yaml);
        }
        yaml.push_str(line);
        yaml.push('\n');
    }
    None
}

/// A document as a value. Scalars are texts, but for null; aliases are null, so that no value is written down twice.
fn value(yaml: &str) -> Result<Value, String> {
    enum Open {
        List(Vec<Value>),
        /// With the name that waits for its value.
        Object(Map<String, Value>, Option<String>),
    }
    let (mut open, mut count, mut root) = (Vec::new(), 0, Value::Null);
    for event in Parser::new_from_str(yaml) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        count += 1;
        if count > MOST_VALUES || open.len() > DEEPEST {
            return Err("more values than a card has".to_owned());
        }
        let closed = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Object(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::Array(list),
                Some(Open::Object(fields, _)) => Value::Object(fields),
                None => Value::Null,
            },
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL") => Value::Null,
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::Alias(_) => Value::Null,
            // What follows is another document.
            Event::DocumentEnd => break,
            _ => continue,
        };
        match open.last_mut() {
            None => root = closed,
            Some(Open::List(list)) => list.push(closed),
            Some(Open::Object(fields, name)) => match name.take() {
                Some(name) => drop(fields.insert(name, closed)),
                None => *name = Some(closed.as_str().map_or_else(|| closed.to_string(), str::to_owned)),
            },
        }
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn cards() {
        let card = "\u{feff}---\nlanguage:\n- en\n- no\nlicense: other # see there\nlicense_name: 'own'\nlicense_link: LICENSE\n\
            tags: [a, \"b: c\"]\npipeline_tag: fill-mask\nbase_model: x/y\ndatasets:\n  - d\nwidget:\n- text: >-\n    Paris is\n    [MASK].\n  \
            example_title: Paris\n- {source_sentence: s, sentences: [t, u]}\nmodel-index:\n- name: m\n  results: []\nlibrary_name:\n\
            extra_gated_prompt: |\n  Agree.\n---\n# Title\n---\nlicense: mit\n";
        let expected = Card {
            license: Some("own".into()),
            license_link: Some("LICENSE".into()),
            languages: vec!["en".into(), "no".into()],
            task: Some("fill-mask".into()),
            library: None,
            base_models: vec!["x/y".into()],
            datasets: vec!["d".into()],
            tags: vec!["a".into(), "b: c".into()],
            widget: vec![
                json!({"text": "Paris is [MASK].", "example_title": "Paris"}),
                json!({"source_sentence": "s", "sentences": ["t", "u"]}),
            ],
            gate: Some("Agree.\n".into()),
        };
        assert_eq!(Card::read(card.as_bytes()).unwrap(), Some(expected));
        let crlf = Card::read(b"---\r\nlicense: mit\r\nlanguage: en\r\n---\r\n").unwrap().unwrap();
        assert_eq!((crlf.license.as_deref(), crlf.languages.as_slice()), (Some("mit"), &["en".to_owned()][..]));
        for without in ["", "# A title\n---\nlicense: mit\n---\n", "---\nlicense: mit\n", "---\n---\n"] {
            assert_eq!(Card::read(without.as_bytes()).unwrap(), None, "{without}");
        }
        assert!(Card::read(b"---\n- a\n---\n").is_err());
        assert!(Card::read(b"---\na: [\n---\n").is_err());
    }

    #[test]
    fn what_would_grow_is_bounded() {
        let nested = format!("---\na: {}\n---\n", "[".repeat(100_000));
        assert!(Card::read(nested.as_bytes()).is_err());
        let mut laughs = "---\na0: &a0 [x, x]\n".to_owned();
        (1..60).for_each(|i| laughs.push_str(&format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1)));
        laughs.push_str("tags: *a59\n---\n");
        assert!(Card::read(laughs.as_bytes()).unwrap().unwrap().tags.is_empty());
        let many = format!("---\ntags: [{}]\n---\n", "a,".repeat(200_000));
        assert!(Card::read(many.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_card_or_an_error(text in "[ -~\n]{0,200}") {
            let _ = Card::read(format!("---\n{text}\n---\n").as_bytes());
        }
    }
}
