//! Prints the configuration reference, `backends/docs/configuration.md`, from the key table.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(tripline_backends::config::configuration_reference().as_bytes())
}
