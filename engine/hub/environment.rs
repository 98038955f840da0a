//! What the environment says about the Hub, read as Python's `huggingface_hub` reads it.

use std::path::{Path, PathBuf};

use super::Options;

/// The variables of a process and its user's home folder.
pub(super) struct Environment<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(super) home: Option<PathBuf>,
}

/// Everything decided: what the caller said, else the environment, else the default.
pub(super) struct Settings {
    pub(super) cache: PathBuf,
    #[cfg(feature = "hub")]
    pub(super) network: Network,
}

/// The part that only matters to downloads.
#[cfg(feature = "hub")]
pub(super) struct Network {
    pub(super) offline: bool,
    /// Whether it is the caller who said so, and not the environment.
    pub(super) is_offline_by_option: bool,
    pub(super) token: Option<String>,
    pub(super) endpoint: String,
    pub(super) progress: Option<std::sync::Arc<dyn super::Progress>>,
}

impl Settings {
    pub(super) fn of_process(options: &Options) -> Self {
        Self::new(options, &Environment::of_process())
    }

    fn new(options: &Options, environment: &Environment) -> Self {
        Self {
            cache: options.cache_dir.clone().unwrap_or_else(|| environment.cache()),
            #[cfg(feature = "hub")]
            network: Network {
                offline: options.offline.unwrap_or_else(|| environment.offline()),
                is_offline_by_option: options.offline == Some(true),
                token: options.token.as_deref().and_then(clean).or_else(|| environment.token()),
                endpoint: options.endpoint.clone().unwrap_or_else(|| environment.endpoint()).trim_end_matches('/').to_owned(),
                progress: options.progress.clone(),
            },
        }
    }
}

impl Environment<'static> {
    pub(super) fn of_process() -> Self {
        Self { variable: &|name| std::env::var(name).ok(), home: std::env::home_dir() }
    }
}

impl Environment<'_> {
    /// The folder that holds `models--owner--name`.
    pub(super) fn cache(&self) -> PathBuf {
        self.path("HF_HUB_CACHE").or_else(|| self.path("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| self.hf_home().join("hub"))
    }

    fn hf_home(&self) -> PathBuf {
        self.path("HF_HOME").unwrap_or_else(|| {
            let caches = self.path("XDG_CACHE_HOME").unwrap_or_else(|| self.home.clone().unwrap_or_default().join(".cache"));
            caches.join("huggingface")
        })
    }

    /// Whether a cache may have symbolic links, which not all systems that share a disk can follow.
    #[cfg(feature = "hub")]
    pub(super) fn allows_links(&self) -> bool {
        !self.text("HF_HUB_DISABLE_SYMLINKS").is_some_and(|value| is_true(&value))
    }

    #[cfg(feature = "hub")]
    fn offline(&self) -> bool {
        // The first one that is not empty counts, even when it says no.
        self.text("HF_HUB_OFFLINE").or_else(|| self.text("TRANSFORMERS_OFFLINE")).is_some_and(|value| is_true(&value))
    }

    #[cfg(feature = "hub")]
    fn endpoint(&self) -> String {
        self.text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned())
    }

    #[cfg(feature = "hub")]
    fn token(&self) -> Option<String> {
        if self.text("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|value| is_true(&value)) {
            return None;
        }
        let saved = || {
            let path = self.path("HF_TOKEN_PATH").unwrap_or_else(|| self.hf_home().join("token"));
            std::fs::read_to_string(path).ok()
        };
        clean(&self.text("HF_TOKEN").or_else(|| self.text("HUGGING_FACE_HUB_TOKEN")).or_else(saved)?)
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.expand(&self.text(name)?))
    }

    /// `~` and `$NAME` or `${NAME}` (on Windows also `%NAME%`) as Python's `expanduser` and `expandvars` see them.
    fn expand(&self, path: &str) -> PathBuf {
        let path = self.expand_variables(path);
        match (path.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with(['/', std::path::MAIN_SEPARATOR]) => home.join(Path::new(&rest[1..])),
            _ => PathBuf::from(path),
        }
    }

    fn expand_variables(&self, path: &str) -> String {
        let mut out = String::new();
        let mut rest = path;
        while let Some(at) = rest.find(['$', '%']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let (whole, name) = variable_at(rest);
            match (self.variable)(name).filter(|_| !name.is_empty()) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[..whole]),
            }
            rest = &rest[whole..];
        }
        out + rest
    }
}

/// The variable that a text starts with: how much of the text it takes, and its name (empty when there is none).
fn variable_at(text: &str) -> (usize, &str) {
    let enclosed = |open: usize, close: char| text[open..].find(close).map(|n| (open + n + 1, &text[open..open + n]));
    let found = match text.as_bytes() {
        [b'$', b'{', ..] => enclosed(2, '}'),
        [b'$', ..] => {
            let name = text[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(&text[1..], |n| &text[1..1 + n]);
            Some((1 + name.len(), name))
        }
        [b'%', ..] if cfg!(windows) => enclosed(1, '%'),
        _ => None,
    };
    found.unwrap_or((1, ""))
}

/// A token without the line ends and blanks that files and copying add.
#[cfg(feature = "hub")]
fn clean(token: &str) -> Option<String> {
    let token: String = token.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

#[cfg(feature = "hub")]
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn with<T>(variables: Variables, look: impl Fn(&Environment) -> T) -> T {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        look(&Environment { variable: &variable, home: Some(PathBuf::from("/home/ada")) })
    }

    #[test]
    fn cache_folder() {
        let cases: &[(Variables, &str)] = &[
            (&[], "/home/ada/.cache/huggingface/hub"),
            (&[("HF_HOME", "")], "/home/ada/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf")], "/home/ada/hf/hub"),
            (&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "$DISK/c")], "$DISK/c"),
            (&[("HF_HUB_CACHE", "${DISK}/$NAME/c"), ("DISK", "/d"), ("NAME", "n")], "/d/n/c"),
            (&[("HF_HUB_CACHE", "a$")], "a$"),
        ];
        for (variables, expected) in cases {
            assert_eq!(with(variables, |e| e.cache()), PathBuf::from(expected), "{variables:?}");
        }
    }

    #[cfg(feature = "hub")]
    #[test]
    fn links() {
        let cases: &[(Variables, bool)] = &[
            (&[], true),
            (&[("HF_HUB_DISABLE_SYMLINKS", "")], true),
            (&[("HF_HUB_DISABLE_SYMLINKS", "0")], true),
            (&[("HF_HUB_DISABLE_SYMLINKS", "1")], false),
            (&[("HF_HUB_DISABLE_SYMLINKS", "True")], false),
        ];
        for (variables, expected) in cases {
            assert_eq!(with(variables, |e| e.allows_links()), *expected, "{variables:?}");
        }
    }

    #[cfg(feature = "hub")]
    #[test]
    fn offline() {
        let cases: &[(Variables, bool)] = &[
            (&[], false),
            (&[("HF_HUB_OFFLINE", "1")], true),
            (&[("HF_HUB_OFFLINE", "true")], true),
            (&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")], false),
            (&[("HF_HUB_OFFLINE", ""), ("TRANSFORMERS_OFFLINE", "yes")], true),
            (&[("HF_HUB_OFFLINE", "2")], false),
        ];
        for (variables, expected) in cases {
            assert_eq!(with(variables, |e| e.offline()), *expected, "{variables:?}");
        }
    }

    #[cfg(feature = "hub")]
    #[test]
    fn token() {
        let folder = tempfile::tempdir().unwrap();
        let saved = folder.path().join("token");
        std::fs::write(&saved, " hf_saved\n").unwrap();
        let (saved, home) = (saved.to_str().unwrap(), folder.path().to_str().unwrap());
        let cases: &[(Variables, Option<&str>)] = &[
            (&[], None),
            (&[("HF_TOKEN", "hf_a\n")], Some("hf_a")),
            (&[("HF_TOKEN_PATH", saved)], Some("hf_saved")),
            (&[("HF_HOME", home)], Some("hf_saved")),
            (&[("HF_HOME", home), ("HF_TOKEN", "hf_a")], Some("hf_a")),
            (&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], None),
        ];
        for (variables, expected) in cases {
            assert_eq!(with(variables, |e| e.token()).as_deref(), *expected, "{variables:?}");
        }
    }
}
