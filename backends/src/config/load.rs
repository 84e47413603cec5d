//! From a file to a [`Config`].

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::{ConfigErrors, Warning};
use super::model::Config;
use super::parse::{parse, resolved};
use super::resolved::ResolvedBreaker;
use crate::text::shown;

/// A configuration file may not be larger than this.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the configuration file `path`. It is only read, never written; environment variables are ignored.
///
/// # Errors
/// [`ConfigErrors`] with every problem of the text, or with the one that kept it from being read: there is no such
/// file, it is no regular file, may not be read, is empty, is larger than [`MAX_FILE_BYTES`], or is not UTF-8.
pub fn load(path: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let (text, file) = text_of(path)?;
    parse(&text, &file)
}

/// The settings of every breaker of the file `path`, each with the place that it comes from.
///
/// # Errors
/// As [`load`].
pub fn load_resolved(path: &Path) -> Result<Vec<ResolvedBreaker>, ConfigErrors> {
    let (text, file) = text_of(path)?;
    resolved(&text, &file)
}

/// The text of a file, and what problems call it.
fn text_of(path: &Path) -> Result<(String, String), ConfigErrors> {
    let file = shown(path);
    let text = read(path).map_err(|unread| ConfigErrors::with_file(&file, unread.words))?;
    if is_blank(&text) {
        return Err(ConfigErrors::with_file(&file, EMPTY));
    }
    Ok((text, file))
}

/// The problem of a file without any text, which was probably lost. A comment marks an empty file as intended.
pub(crate) const EMPTY: &str = "is empty; a configuration without keys holds at least a comment (see `tripline init`)";

/// Whether a text has neither a key nor a comment.
pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) words: String,
    /// There is a file, and its content is not one that can be used; otherwise it is not there or may not be read.
    #[cfg_attr(not(feature = "reload"), expect(dead_code, reason = "only saving asks"))]
    pub(crate) is_content: bool,
}

pub(crate) fn read(path: &Path) -> Result<String, Unread> {
    let cannot = |error: std::io::Error| Unread { words: format!("cannot be read: {error}"), is_content: false };
    let content = |words: String| Unread { words, is_content: true };
    // Asked before opening, because opening a pipe would wait for its writer.
    let kind = std::fs::metadata(path).map_err(cannot)?;
    if kind.is_dir() {
        return Err(content("is a directory; a configuration file is needed".into()));
    }
    if !kind.is_file() {
        return Err(content("is not a regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(content(format!("is larger than {MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|&&byte| byte == b'\n').count() + 1;
        content(format!("is not UTF-8 on line {line}"))
    })
}
