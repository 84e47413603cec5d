//! The API's maximum lengths, in characters.

/// The headline of an alert.
pub(super) const MESSAGE: usize = 130;
/// The subject of an alert.
pub(super) const ENTITY: usize = 512;
/// The description of an alert.
pub(super) const DESCRIPTION: usize = 15_000;
/// Number of tags of an alert.
pub(super) const TAGS: usize = 20;
/// A single tag.
pub(super) const TAG: usize = 50;
/// All names and values of the details together.
pub(super) const DETAILS: usize = 8_000;
/// The source of an alert.
pub(super) const SOURCE: usize = 100;
/// A note.
pub(super) const NOTE: usize = 25_000;
