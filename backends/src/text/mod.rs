//! Text helpers that several modules share.

pub(crate) mod escape;
