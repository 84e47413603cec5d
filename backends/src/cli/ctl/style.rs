//! Coloured lines that are cut to the width of the terminal.

use crate::text::escape;

/// The style of a piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Good,
    Warning,
    Bad,
    Quiet,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Good => "\u{1b}[1;32m",
            Self::Warning => "\u{1b}[1;33m",
            Self::Bad => "\u{1b}[1;31m",
            Self::Quiet => "\u{1b}[2m",
        }
    }
}

/// A line as a list of styled pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    pub(super) fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        // Names and reasons come from the server, so they are escaped.
        self.0.push((style, escape::one_line(&text.into()).into_owned()));
        self
    }

    /// Renders at most `width` characters of the line.
    pub(super) fn render(&self, width: usize, colours: bool) -> String {
        let mut left = width;
        let mut text = String::new();
        for (style, piece) in &self.0 {
            let cut: String = piece.chars().take(left).collect();
            left -= cut.chars().count();
            let coloured = colours && !cut.is_empty() && *style != Style::Plain;
            if coloured {
                text.push_str(style.code());
            }
            text.push_str(&cut);
            if coloured {
                text.push_str("\u{1b}[0m");
            }
        }
        text.trim_end().to_owned()
    }
}

/// Eight heights; the largest value has the highest block.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `width` values, scaled to the largest of them. Values above `threshold` are marked as bad.
pub(super) fn sparkline(line: Line, values: &[u32], threshold: u32, width: usize) -> Line {
    let shown = values.get(values.len().saturating_sub(width)..).unwrap_or(values);
    let most = u64::from(shown.iter().copied().max().unwrap_or(0).max(1));
    let style = |value: u32| if value > threshold { Style::Bad } else { Style::Plain };
    shown.chunk_by(|a, b| style(*a) == style(*b)).fold(line, |line, run| {
        let blocks = run.iter().map(|value| {
            let height = (u64::from(*value) * 8).div_ceil(most).clamp(1, 8);
            BLOCKS.get(height as usize - 1).copied().unwrap_or('█')
        });
        line.with(run.first().map_or(Style::Plain, |value| style(*value)), blocks.collect::<String>())
    })
}

/// A bar of `width` characters that is full at `full`, with a marker at `mark`.
pub(super) fn bar(value: f64, mark: f64, full: f64, width: usize) -> String {
    let place =
        |at: f64| if full > 0.0 { (at / full * width as f64).round().clamp(0.0, width as f64) as usize } else { 0 };
    let (filled, marked) = (place(value), place(mark).saturating_sub(1));
    let cells = (0..width).map(|cell| match cell {
        _ if cell == marked => '|',
        _ if cell < filled => '#',
        _ => '-',
    });
    format!("[{}]", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_what_is_seen_of_it() {
        let line = Line::default().with(Style::Plain, "abc").with(Style::Bad, "def").with(Style::Good, "ghi");
        assert_eq!(line.render(5, false), "abcde");
        assert_eq!(line.render(5, true), "abc\u{1b}[1;31mde\u{1b}[0m");
        assert_eq!(line.render(0, true), "");
    }

    #[test]
    fn a_sparkline_shows_the_newest_scaled_to_the_greatest() {
        let shown = |values: &[u32], width| sparkline(Line::default(), values, 50, width).render(100, false);
        assert_eq!(shown(&[0, 10, 40, 80], 10), "▁▁▄█");
        assert_eq!(shown(&[1_000, 5, 10], 2), "▄█");
        assert_eq!(shown(&[0, 0], 2), "▁▁");
        assert_eq!(shown(&[u32::MAX], 2), "█");
        assert_eq!(shown(&[], 2), "");
        let colours = sparkline(Line::default(), &[50, 51], 50, 10).render(100, true);
        assert_eq!(colours, "█\u{1b}[1;31m█\u{1b}[0m");
    }

    #[test]
    fn a_bar_is_filled_in_proportion_and_marked() {
        assert_eq!(bar(25.0, 80.0, 100.0, 20), "[#####----------|----]");
        assert_eq!(bar(1e9, 80.0, 100.0, 10), "[#######|##]");
        assert_eq!(bar(1.0, 0.0, 0.0, 4), "[|---]");
    }
}
