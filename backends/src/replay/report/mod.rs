//! The report of a replay: one HTML page with everything in it.

mod data;
mod escape;
mod html;
mod model;
mod tables;

pub use html::BEGINNING;
pub use model::{Report, draw};
