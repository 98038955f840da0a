//! Texts that are shown as they come.

/// A text as it comes, whose white space waits for what follows.
#[derive(Debug, Clone, Default)]
pub(in crate::postprocess) struct Flow {
    space: String,
    /// Whether white space that comes next is left out.
    trims: bool,
    /// Whether anything has been shown.
    has_text: bool,
}

impl Flow {
    /// Another stretch of the text begins, with something between it and those before.
    pub(in crate::postprocess) fn begin(&mut self, between: &str, trims: bool) {
        self.space = if self.has_text { between.to_owned() } else { String::new() };
        self.trims = trims;
    }

    /// A stretch ends: white space at its end is left out.
    pub(in crate::postprocess) fn end(&mut self) {
        self.space.clear();
    }

    /// The white space that waits.
    pub(in crate::postprocess) fn rest(&mut self) -> String {
        std::mem::take(&mut self.space)
    }

    /// Something else stands here: white space between it and the beginning is left out.
    pub(in crate::postprocess) fn beside(&mut self) {
        if !self.has_text {
            self.space.clear();
            self.trims = true;
        }
    }

    /// Takes more of the text, and gives what is to be shown.
    pub(in crate::postprocess) fn add(&mut self, more: &str) -> Option<String> {
        let more = if self.trims { more.trim_start() } else { more };
        let text = more.trim_end();
        if text.is_empty() {
            self.space.push_str(more);
            return None;
        }
        (self.trims, self.has_text) = (false, true);
        let shown = std::mem::take(&mut self.space) + text;
        self.space = more.get(text.len()..).unwrap_or_default().to_owned();
        Some(shown)
    }

    /// Takes more of the text, white space included.
    pub(in crate::postprocess) fn add_all(&mut self, more: &str) -> Option<String> {
        self.has_text |= !more.is_empty();
        Some(self.rest() + more).filter(|shown| !shown.is_empty())
    }
}
