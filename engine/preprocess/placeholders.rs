//! Where pictures stand in a text: a placeholder token for each, which is repeated for as many features as the model has of it.

use serde_json::Value;

use super::text::{EncodeOptions, Tokenizer};
use crate::{Error, Result};

const FILE: &str = "processor_config.json";

/// The placeholder of pictures, as a checkpoint's processor has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePlaceholder {
    token: String,
    id: u32,
    places: Option<Places>,
}

/// How many places a picture takes, by the processor's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Places {
    patch_size: usize,
    /// Such as that of a class token.
    additional: i64,
    /// Whether the class token is left out (`vision_feature_select_strategy` is `default`).
    without_class: bool,
}

impl ImagePlaceholder {
    /// Of a parsed `processor_config.json`. The token is the tokenizer's own `image_token`, what the file says, or `<image>`. Older files
    /// do not say how many places a picture takes.
    ///
    /// # Errors
    /// Sizes that are none, and a tokenizer that makes nothing of the token.
    pub fn from_config(processor: Option<&Value>, tokenizer: &Tokenizer) -> Result<Self> {
        let field = |name: &str| processor.and_then(|config| config.get(name)).filter(|value| !value.is_null());
        let integer = |name: &str| match field(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| Error::config(format!("{FILE}: {name}: {value} is no whole number"))),
        };
        let own = tokenizer.special_tokens().get("image_token");
        let token = own.or_else(|| field("image_token").and_then(token)).unwrap_or("<image>").to_owned();
        let ids = tokenizer.encode(token.as_str(), None, &EncodeOptions::default().without_special_tokens())?.ids;
        let id = *ids.first().ok_or_else(|| Error::config(format!("{FILE}: image_token: the tokenizer makes nothing of {token:?}")))?;
        let places = match (integer("patch_size")?, integer("num_additional_image_tokens")?) {
            (Some(size), Some(additional)) => {
                let patch_size = usize::try_from(size).ok().filter(|size| *size > 0);
                let patch_size = patch_size.ok_or_else(|| Error::config(format!("{FILE}: patch_size: {size} is no size")))?;
                let without_class = field("vision_feature_select_strategy").is_some_and(|strategy| strategy == "default");
                Some(Places { patch_size, additional, without_class })
            }
            _ => None,
        };
        Ok(Self { token, id, places })
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The first id that the tokenizer gives it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How many pictures a text speaks of.
    pub fn count(&self, text: &str) -> usize {
        if self.token.is_empty() { 0 } else { text.matches(self.token.as_str()).count() }
    }

    /// Whether a picture of this height and width takes as many places as the model has features of it.
    ///
    /// # Errors
    /// Another number by the processor's file.
    pub fn check(&self, height: usize, width: usize, features: usize) -> Result<()> {
        let Some(Places { patch_size, additional, without_class }) = self.places else { return Ok(()) };
        let patches = i64::try_from((height / patch_size).saturating_mul(width / patch_size)).unwrap_or(i64::MAX);
        let places = patches.saturating_add(additional).saturating_sub(i64::from(without_class));
        if i64::try_from(features) == Ok(places) {
            return Ok(());
        }
        Err(Error::config(format!(
            "{FILE}: a picture of {width}x{height} pixels takes {places} places by patch_size, num_additional_image_tokens and \
             vision_feature_select_strategy, but the model has {features} features of it"
        )))
    }

    /// The text with each placeholder repeated: for the first picture so many times, and so on.
    pub fn expanded(&self, text: &str, places: &[usize]) -> String {
        let mut parts = text.split(self.token.as_str());
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for (part, places) in parts.zip(places.iter().copied().chain(std::iter::repeat(1))) {
            expanded.push_str(&self.token.repeat(places));
            expanded.push_str(part);
        }
        expanded
    }
}

/// A token as files write it: a string, or an object with its text.
fn token(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(places: Option<Places>) -> ImagePlaceholder {
        ImagePlaceholder { token: "<image>".into(), id: 5, places }
    }

    #[test]
    fn placeholders_are_repeated() {
        let image = placeholder(None);
        for (text, places, expanded) in [
            ("a<image>b", &[2][..], "a<image><image>b"),
            ("<image><image>", &[1, 3], "<image><image><image><image>"),
            ("<image> <image>", &[0], " <image>"),
            ("none", &[], "none"),
            ("<imag<image>e>", &[2], "<imag<image><image>e>"),
        ] {
            assert_eq!(image.expanded(text, places), expanded, "{text}");
        }
        assert_eq!((image.count("<image><image>é<image"), image.count("")), (2, 0));
    }

    #[test]
    fn places_must_be_as_many_as_features() {
        let places = |additional, without_class| placeholder(Some(Places { patch_size: 14, additional, without_class }));
        for (image, features) in [(places(1, true), 576), (places(0, false), 576), (places(1, false), 577), (places(0, true), 575)] {
            assert!(image.check(336, 336, features).is_ok());
            assert!(image.check(336, 336, features + 1).unwrap_err().to_string().contains("features"));
        }
        assert!(places(i64::MIN, true).check(usize::MAX, usize::MAX, 1).is_err());
        assert!(placeholder(None).check(336, 336, 7).is_ok());
    }
}
