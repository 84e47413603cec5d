//! The API's maximum lengths, in characters.

/// Headline of an alert.
pub(super) const MESSAGE: usize = 130;
/// The subject of an alert.
pub(super) const ENTITY: usize = 512;
/// The long text.
pub(super) const DESCRIPTION: usize = 15_000;
/// Tags of an alert.
pub(super) const TAGS: usize = 20;
/// Each tag.
pub(super) const TAG: usize = 50;
/// All names and values of the details together.
pub(super) const DETAILS: usize = 8_000;
/// Where an alert comes from.
pub(super) const SOURCE: usize = 100;
/// A note.
pub(super) const NOTE: usize = 25_000;
