//! Names that may reach the file system or an address: repositories, revisions, files, commits, ETags.

/// `owner/name` or `name`, by the Hub's own rules.
pub(super) fn is_repo_id(id: &str) -> bool {
    let mut parts = id.split('/');
    let valid = parts.by_ref().take(2).all(is_repo_part) && parts.next().is_none();
    valid && !id.contains("--") && !id.contains("..") && !id.ends_with(".git")
}

/// The repository of a name, and what the paths of the files start with that it means: nothing for `name` and `owner/name`, a folder and a
/// `/` for `owner/name/folder`.
pub(super) fn in_repo(model: &str) -> Option<(&str, String)> {
    if is_repo_id(model) {
        return Some((model, String::new()));
    }
    let end = model.match_indices('/').nth(1)?.0;
    let (repo, folder) = (model.get(..end)?, model.get(end..)?.trim_start_matches('/').trim_end_matches('/'));
    let one_slash = !model.get(end..)?.starts_with("//");
    (is_repo_id(repo) && is_file(folder) && one_slash).then(|| (repo, format!("{folder}/")))
}

fn is_repo_part(part: &str) -> bool {
    let word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = part.as_bytes();
    (1..=96).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        && word(bytes.first())
        && word(bytes.last())
}

/// A branch, tag or commit that is safe as a path below `refs/`.
pub(super) fn is_revision(revision: &str) -> bool {
    is_file(revision) && !revision.contains([' ', '~', '^', ':', '?', '*', '['])
}

/// A full commit hash.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && is_hex(revision)
}

/// A path inside a repository that stays inside its folder, on every system.
pub(super) fn is_file(path: &str) -> bool {
    path.len() <= 1024
        && !path.contains(|c: char| c.is_control() || c == '\\')
        && path.split('/').all(|part| !matches!(part, "" | "." | "..") && part.len() <= 255)
        && (!cfg!(windows) || !path.contains([':', '*', '?', '"', '<', '>', '|']))
}

/// An ETag without its quotes, as the cache uses it to name a blob.
#[cfg(feature = "hub")]
pub(super) fn etag(header: &str) -> Option<String> {
    let tag = header.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    let safe =
        (1..=128).contains(&tag.len()) && !tag.starts_with('.') && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    safe.then(|| tag.to_owned())
}

/// Lower-case or upper-case hexadecimal digits only.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repo_ids() {
        for good in ["gpt2", "openai-community/gpt2", "Foo-BAR_foo.bar123", "a/b", "123", "_x/y_"] {
            assert!(is_repo_id(good), "{good}");
        }
        let long = "x".repeat(97);
        for bad in ["", "/", "a/", "/a", "a/b/c", "a--b", "a..b", "../a", "./a", "a/..", "a b", "a\\b", "-a", "a.", "a/b.git", "é", &long]
        {
            assert!(!is_repo_id(bad), "{bad}");
        }
    }

    #[test]
    fn folders_of_repositories() {
        assert_eq!(in_repo("gpt2"), Some(("gpt2", String::new())));
        assert_eq!(in_repo("a/b"), Some(("a/b", String::new())));
        assert_eq!(in_repo("a/b/cpu/int4"), Some(("a/b", "cpu/int4/".to_owned())));
        assert_eq!(in_repo("a/b/cpu/"), Some(("a/b", "cpu/".to_owned())));
        for bad in ["", "a/b/", "a/b//c", "a/b/../c", "a/b/c//d", "/a/b", "./a/b", "~/a/b", "a/b/c\\d"] {
            assert_eq!(in_repo(bad), None, "{bad}");
        }
    }

    #[test]
    fn files() {
        for good in ["config.json", "onnx/model.onnx", "1_Pooling/config.json", ".gitattributes", "a b/ü.txt", "..a"] {
            assert!(is_file(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\b", "a\0", "a\nb"] {
            assert!(!is_file(bad), "{bad:?}");
        }
    }

    #[test]
    fn revisions() {
        for good in ["main", "refs/pr/1", "v1.0", "feature/x"] {
            assert!(is_revision(good), "{good}");
        }
        for bad in ["", "../main", "/main", "a b", "a:b", "main/"] {
            assert!(!is_revision(bad), "{bad}");
        }
    }

    #[cfg(feature = "hub")]
    #[test]
    fn etags() {
        assert_eq!(etag("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(etag("W/\"abc-1\"").as_deref(), Some("abc-1"));
        for bad in ["", "\"\"", "\"../x\"", "\"a/b\"", ".x"] {
            assert_eq!(etag(bad), None, "{bad}");
        }
    }
}
