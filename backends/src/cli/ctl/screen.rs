//! The terminal: its size, and full-screen drawing.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::style::Line;

/// Columns and rows if the size is unknown.
const USUAL_SIZE: (usize, usize) = (80, 24);
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// Whether standard output is a terminal with cursor control.
pub(super) fn can_draw() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether colours are wanted.
pub(super) fn wants_colours() -> bool {
    can_draw() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Number of columns and rows.
pub(super) fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

/// The terminal in full-screen mode. Dropping it restores the terminal.
pub(super) struct Screen {
    colours: bool,
    /// The original keyboard mode. In full-screen mode input is not echoed, and it is discarded.
    keyboard: Option<Termios>,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        let keyboard = tcgetattr(io::stdin()).ok();
        // From here on dropping `screen` restores the terminal after any failure.
        let screen = Self { colours: wants_colours(), keyboard };
        if let Some(before) = &screen.keyboard {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        }
        put(ENTER)?;
        Ok(screen)
    }

    /// Draws the lines that fit, over the previous frame.
    pub(super) fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let (columns, rows) = size();
        let mut frame = String::from("\u{1b}[H");
        for (row, line) in lines.iter().take(rows).enumerate() {
            if row > 0 {
                frame.push('\n');
            }
            frame.push_str(&line.render(columns, self.colours));
            frame.push_str("\u{1b}[K");
        }
        frame.push_str("\u{1b}[J");
        put(&frame)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A closed terminal needs no restoring.
        let _ = put(LEAVE);
        if let Some(before) = &self.keyboard {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
