//! The scripts that the server runs.

use redis::Script;

/// The scripts, each with its hash: a server that does not know one is given its text.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) beat: Script,
    pub(super) sync: Script,
    pub(super) acknowledge: Script,
    pub(super) leave: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            beat: Script::new(include_str!("../lua/beat.lua")),
            sync: Script::new(include_str!("../lua/sync.lua")),
            acknowledge: Script::new(include_str!("../lua/acknowledge.lua")),
            leave: Script::new(include_str!("../lua/leave.lua")),
        }
    }
}
