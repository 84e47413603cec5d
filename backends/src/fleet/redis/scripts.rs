//! The Lua scripts.

use redis::Script;

/// The scripts, each with its hash. A server that does not know a script receives its text.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) beat: Script,
    pub(super) sync: Script,
    pub(super) acknowledge: Script,
    pub(super) command: Script,
    pub(super) progress: Script,
    pub(super) leave: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            beat: Script::new(include_str!("../lua/beat.lua")),
            sync: Script::new(include_str!("../lua/sync.lua")),
            acknowledge: Script::new(include_str!("../lua/acknowledge.lua")),
            command: Script::new(include_str!("../lua/command.lua")),
            progress: Script::new(include_str!("../lua/progress.lua")),
            leave: Script::new(include_str!("../lua/leave.lua")),
        }
    }
}
