//! What the inputs of a task are.

/// What a task's inputs are where they are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Medium {
    /// Texts.
    Text,
    /// Pictures, by their paths, addresses or bytes.
    Image,
    /// Sounds, likewise.
    Audio,
}

impl Medium {
    /// The endings of files that hold one.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["txt", "md"],
            Self::Image => &[
                "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "gif", "tif", "tiff", "ppm", "pgm", "pbm", "pnm", "pam", "ico",
                "tga", "qoi", "jp2", "j2k", "j2c", "avif",
            ],
            Self::Audio => &[
                "wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "m4a", "mp4", "aac", "mka", "mkv", "webm", "aif", "aiff", "aifc", "caf",
            ],
        }
    }
}
