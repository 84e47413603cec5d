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
            beat: script("'zset', 'set', 'string', 'zset', 'string', 'zset'", include_str!("../lua/beat.lua")),
            sync: script("'zset', 'set', 'string', 'zset', 'zset', 'hash', 'zset'", include_str!("../lua/sync.lua")),
            acknowledge: script("'set', 'hash'", include_str!("../lua/acknowledge.lua")),
            command: script("'zset', 'string', 'zset'", include_str!("../lua/command.lua")),
            progress: script("'zset', 'zset'", include_str!("../lua/progress.lua")),
            leave: script("'zset', 'set', 'zset'", include_str!("../lua/leave.lua")),
        }
    }
}

/// A script whose keys have these types.
fn script(types: &str, body: &str) -> Script {
    let around = include_str!("../lua/around.lua");
    Script::new(&format!("local TYPES = {{{types}}}\nlocal function body(now)\n{body}end\n{around}"))
}
