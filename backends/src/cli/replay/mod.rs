//! `tripline replay`

mod compare;
mod container;
mod help;
mod input;
mod notes;
mod progress;
mod recording;
mod report_file;
pub(super) mod settings;
mod single;
mod spool;

pub(super) use help::FORMATS;
pub(super) use input::{InputArgs, Repeatable, name_of, open_unpacked};
pub(super) use notes::{Trust, print_notes, unreadable};
pub(super) use single::replay;
