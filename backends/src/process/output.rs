//! From a queue of lines to a stream.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::queue::{LineQueue, Next};

/// Between attempts on an output that does not block and is full.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Writes every line of `queue`, and reports lines that were dropped. It never returns.
pub(crate) fn write_all(queue: &LineQueue, mut output: impl Write, report_dropped: impl Fn(u64)) {
    loop {
        match queue.next() {
            Next::Line(line) => {
                if write_whole(&mut output, &line).is_err() {
                    queue.count_failed();
                }
            }
            Next::Dropped(lines) => report_dropped(lines),
        }
    }
}

/// As `write_all`, also on an output that is set to not block.
pub(crate) fn write_whole(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_full_for_a_moment_gets_the_whole_line() {
        struct Slow(Vec<u8>, u32);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                match self.1 % 3 {
                    0 => Err(ErrorKind::WouldBlock.into()),
                    1 => Err(ErrorKind::Interrupted.into()),
                    _ => self.0.write(&bytes[..1]),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut output = Slow(Vec::new(), 0);
        write_whole(&mut output, b"line\n").unwrap();
        assert_eq!(output.0, b"line\n");
    }
}
