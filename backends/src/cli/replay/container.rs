//! The compression of an input: gzip and zstd are read, other formats are reported by name.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// Size of one read, in bytes: hundreds of lines.
pub(super) const BUFFER_BYTES: usize = 1 << 16;
/// Number of leading bytes that identify a format.
pub(super) const MAGIC_BYTES: usize = 16;
/// Maximum window of a zstd frame, in bytes. The window is held in memory; this is the largest that `zstd` writes and
/// reads by default.
const MAX_WINDOW_BYTES: u64 = 128 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The first byte of a zstd frame without data.
const SKIPPABLE: std::ops::RangeInclusive<u8> = 0x50..=0x5f;

/// Compressed formats that are not read: their first bytes, their name, and how to decompress them.
const OTHERS: [(&[u8], &str, &str); 13] = [
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "xz -dc FILE | tripline replay -"),
    (b"BZh", "bzip2", "bzip2 -dc FILE | tripline replay -"),
    (b"PK\x03\x04", "a zip archive", "unzip -p FILE | tripline replay -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so FILE | tripline replay -"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4", "lz4 -dc FILE | tripline replay -"),
    (&[0x1f, 0x9d], "compress (.Z)", "zcat FILE | tripline replay -"),
    (b"PAR1", "Parquet", "a tool that writes JSON lines or CSV from it"),
    (&[0x5d, 0, 0], "lzma", "xz -dc --format=lzma FILE | tripline replay -"),
    (b"\xff\x06\0\0sNaPpY", "snappy", "snzip -dc FILE | tripline replay -"),
    (&[0xff, 0xfe, 0, 0], "UTF-32", "iconv -f UTF-32 -t UTF-8 FILE | tripline replay -"),
    (&[0, 0, 0xfe, 0xff], "UTF-32", "iconv -f UTF-32 -t UTF-8 FILE | tripline replay -"),
    (&[0xff, 0xfe], "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | tripline replay -"),
    (&[0xfe, 0xff], "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | tripline replay -"),
];

/// The compression of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Plain,
    Gzip,
    Zstd,
}

impl Container {
    /// Identifies the compression by the first bytes of an input.
    ///
    /// # Errors
    /// For an unsupported compression: its name and how to decompress it.
    pub(super) fn of(beginning: &[u8]) -> io::Result<Self> {
        if beginning.starts_with(GZIP) {
            return Ok(Self::Gzip);
        }
        let is_skippable = matches!(beginning, [first, 0x2a, 0x4d, 0x18, ..] if SKIPPABLE.contains(first));
        if beginning.starts_with(ZSTD) || is_skippable {
            return Ok(Self::Zstd);
        }
        let is_block = |name: &str| name != "bzip2" || beginning.get(3).is_some_and(u8::is_ascii_digit);
        let other = OTHERS.iter().find(|(magic, name, _)| beginning.starts_with(magic) && is_block(name));
        if let Some((_, name, how)) = other.or_else(|| utf_16(beginning)) {
            return Err(invalid(format!("is {name}; allowed: text, gzip and zstd, so unpack it first: {how}")));
        }
        Ok(Self::Plain)
    }

    /// The decompressed input.
    pub(super) fn unpacked(self, input: impl Read + 'static) -> Box<dyn Read> {
        match self {
            Self::Plain => Box::new(input),
            Self::Gzip => Box::new(Unpacked::<Gzip, _>::Between(BufReader::with_capacity(BUFFER_BYTES, input))),
            Self::Zstd => Box::new(Unpacked::<Zstd, _>::Between(BufReader::with_capacity(BUFFER_BYTES, input))),
        }
    }
}

/// Detects UTF-16 without a byte order mark: every second byte of ASCII text is 0.
fn utf_16(beginning: &[u8]) -> Option<&'static (&'static [u8], &'static str, &'static str)> {
    const LITTLE: (&[u8], &str, &str) = (&[], "UTF-16", "iconv -f UTF-16LE -t UTF-8 FILE | tripline replay -");
    const BIG: (&[u8], &str, &str) = (&[], "UTF-16", "iconv -f UTF-16BE -t UTF-8 FILE | tripline replay -");
    let is_text = |byte: &u8| (b'\t'..0x7f).contains(byte);
    let pairs = beginning.chunks_exact(2);
    if pairs.len() < 4 {
        None
    } else if pairs.clone().all(|pair| matches!(pair, [text, 0] if is_text(text))) {
        Some(&LITTLE)
    } else if pairs.clone().all(|pair| matches!(pair, [0, text] if is_text(text))) {
        Some(&BIG)
    } else {
        None
    }
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

/// The format of the members of a container.
trait Members {
    /// Decompresses one member.
    type Decoder<R: Read>: Read;

    /// Starts the next member, whose first byte is `first`.
    fn begin<R: Read>(first: u8, input: BufReader<R>) -> io::Result<Begun<Self::Decoder<R>, R>>;

    /// The input after the end of a member.
    fn rest<R: Read>(decoder: Self::Decoder<R>) -> BufReader<R>;
}

/// The kind of a member.
enum Begun<D, R> {
    Data(D),
    /// It contains no data and was skipped.
    Skipped(BufReader<R>),
}

/// Reads one member after the other. Skips zeros after the last one, which tapes and copies leave.
enum Unpacked<M: Members, R: Read> {
    Between(BufReader<R>),
    Inside(Box<M::Decoder<R>>),
    Ended,
}

impl<M: Members, R: Read> Read for Unpacked<M, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(self, Self::Ended) {
                Self::Between(mut input) => {
                    let Some(first) = next_member(&mut input)? else { return Ok(0) };
                    *self = match M::begin(first, input)? {
                        Begun::Data(decoder) => Self::Inside(Box::new(decoder)),
                        Begun::Skipped(input) => Self::Between(input),
                    };
                }
                Self::Inside(mut decoder) => {
                    let read = decoder.read(buffer)?;
                    if read > 0 {
                        *self = Self::Inside(decoder);
                        return Ok(read);
                    }
                    *self = Self::Between(M::rest(*decoder));
                }
                Self::Ended => return Ok(0),
            }
        }
    }
}

/// The members of a gzip file.
struct Gzip;

impl Members for Gzip {
    type Decoder<R: Read> = GzDecoder<BufReader<R>>;

    fn begin<R: Read>(first: u8, input: BufReader<R>) -> io::Result<Begun<Self::Decoder<R>, R>> {
        if GZIP.first() == Some(&first) {
            Ok(Begun::Data(GzDecoder::new(input)))
        } else {
            Err(invalid("data that is not gzip follows the gzip data; allowed: zeros"))
        }
    }

    fn rest<R: Read>(decoder: Self::Decoder<R>) -> BufReader<R> {
        decoder.into_inner()
    }
}

/// The frames of a zstd file.
struct Zstd;

impl Members for Zstd {
    type Decoder<R: Read> = StreamingDecoder<BufReader<R>, FrameDecoder>;

    fn begin<R: Read>(first: u8, mut input: BufReader<R>) -> io::Result<Begun<Self::Decoder<R>, R>> {
        if SKIPPABLE.contains(&first) {
            skip_frame(&mut input)?;
            return Ok(Begun::Skipped(input));
        }
        let decoder = StreamingDecoder::new_with_max_window_size(input, MAX_WINDOW_BYTES);
        decoder.map(Begun::Data).map_err(|error| invalid(error.to_string()))
    }

    fn rest<R: Read>(decoder: Self::Decoder<R>) -> BufReader<R> {
        decoder.into_inner()
    }
}

/// The first byte of the next member, after any zeros; `None` at the end.
fn next_member(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        if let Some(at) = buffer.iter().position(|byte| *byte != 0) {
            let byte = buffer.get(at).copied();
            input.consume(at);
            return Ok(byte);
        }
        let length = buffer.len();
        input.consume(length);
    }
}

/// Skips a frame without data: four bytes of magic, four of its length.
fn skip_frame(input: &mut impl Read) -> io::Result<()> {
    let mut head = [0; 8];
    input.read_exact(&mut head)?;
    let [_, _, _, _, length @ ..] = head;
    io::copy(&mut input.take(u32::from_le_bytes(length).into()), &mut io::sink()).map(|_| ())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzipped(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn unpacked(bytes: &[u8]) -> io::Result<String> {
        let container = Container::of(&bytes[..bytes.len().min(MAGIC_BYTES)])?;
        let mut text = String::new();
        container.unpacked(io::Cursor::new(bytes.to_vec())).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn several_members_and_zeros_after_them_are_read() {
        for pack in [gzipped, zstd] {
            let one = pack("a line\n");
            let two = [one.clone(), pack("another\n")].concat();
            let padded = [two.clone(), vec![0; 1_000]].concat();
            assert_eq!(unpacked(&one).unwrap(), "a line\n");
            assert_eq!(unpacked(&two).unwrap(), "a line\nanother\n");
            assert_eq!(unpacked(&padded).unwrap(), "a line\nanother\n");
            assert!(unpacked(&one[..one.len() - 6]).is_err());
        }
        let garbage = [gzipped("a"), b"garbage".to_vec()].concat();
        assert!(unpacked(&garbage).unwrap_err().to_string().contains("not gzip follows"));
    }

    #[test]
    fn zstd_frames_without_data_are_passed_over() {
        let skippable = [&[0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let bytes = [skippable.clone(), zstd("a\n"), skippable.clone(), zstd("b\n"), skippable.clone()].concat();
        assert_eq!(unpacked(&bytes).unwrap(), "a\nb\n");
        assert!(unpacked(&skippable[..9]).is_ok_and(|text| text.is_empty()), "it is cut off and holds nothing");
        assert!(unpacked(&skippable[..6]).is_err());
    }

    #[test]
    fn other_containers_are_named() {
        let utf_16: Vec<u8> = "time,latency".bytes().flat_map(|byte| [byte, 0]).collect();
        let utf_16_big: Vec<u8> = "time,latency".bytes().flat_map(|byte| [0, byte]).collect();
        for (bytes, name) in [
            (&b"\xfd7zXZ\0\0"[..], "xz"),
            (b"BZh91AY&SY", "bzip2"),
            (b"PK\x03\x04..", "zip"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"\xfe\xff\0a", "UTF-16"),
            (&utf_16, "UTF-16LE"),
            (&utf_16_big, "UTF-16BE"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
            (b"\x5d\0\0\x80\0", "lzma"),
        ] {
            let error = unpacked(bytes).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("allowed: "), "{error}");
        }
        for plain in [&b""[..], b"B", b"BZhello", b"{\"at_ms\":1}", &[0; 16]] {
            assert_eq!(Container::of(plain).unwrap(), Container::Plain);
        }
    }
}
