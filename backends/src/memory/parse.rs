//! Parsers for the kernel's text files. Pure; they accept any bytes.

/// Parses the text as one decimal number, with optional surrounding white space.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text.trim_ascii()).ok().filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))?.parse().ok()
}

/// The number in the line `key number` of a file like `memory.stat`.
pub(super) fn keyed(text: &[u8], key: &str) -> Option<u64> {
    number(after_key(text, key).find(|rest| rest.first() == Some(&b' '))?)
}

/// The line `key:   number kB` of `/proc/meminfo` and `/proc/self/status`, in bytes. There "kB" means 1024 bytes.
pub(super) fn kib_line(text: &[u8], key: &str) -> Option<u64> {
    let value = after_key(text, key).find_map(|rest| rest.strip_prefix(b":"))?;
    let kib = str::from_utf8(value).ok()?.trim().strip_suffix("kB")?.trim_end();
    kib.bytes().all(|digit| digit.is_ascii_digit()).then(|| kib.parse::<u64>().ok())??.checked_mul(1024)
}

/// The share of the last 10 s in which all tasks were stalled, in percent, from the line `full avg10=12.34 …` of a PSI
/// file.
pub(super) fn stall_percent(text: &[u8]) -> Option<f64> {
    let value = after_key(text, "full ").find_map(|rest| rest.strip_prefix(b"avg10="))?;
    let value = str::from_utf8(value.split(|&byte| byte == b' ').next()?).ok()?;
    // Accepts no sign, exponent, infinity or NaN.
    value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then(|| value.parse().ok())?
}

/// The number in the line `key type number` of a ZFS kernel statistic.
#[cfg(feature = "sysinfo")]
pub(super) fn kstat(text: &[u8], key: &str) -> Option<u64> {
    let fields = after_key(text, key).find(|rest| rest.first() == Some(&b' '))?;
    number(str::from_utf8(fields).ok()?.split_ascii_whitespace().nth(1)?.as_bytes())
}

/// The text after the key, in each line that starts with it.
fn after_key<'a>(text: &'a [u8], key: &'a str) -> impl Iterator<Item = &'a [u8]> {
    text.split(|&byte| byte == b'\n').filter_map(move |line| line.strip_prefix(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_digits_with_white_space_around() {
        assert_eq!(number(b"4096\n"), Some(4096));
        assert_eq!(number(b" 0 "), Some(0));
        assert_eq!(number(b"18446744073709551615\n"), Some(u64::MAX));
        for bad in [&b""[..], b"\n", b"max\n", b"-1\n", b"+1\n", b"1 2\n", b"0x10", b"18446744073709551616", b"\xff"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_a_whole_word_at_the_start_of_a_line() {
        let text = b"total_inactive_file 1\ninactive_file_x 2\ninactive_file 3\ninactive_anon 4\n";
        assert_eq!(keyed(text, "inactive_file"), Some(3));
        assert_eq!(keyed(text, "total_inactive_file"), Some(1));
        assert_eq!(keyed(text, "inactive"), None);
        assert_eq!(keyed(b"inactive_file\n", "inactive_file"), None);
        assert_eq!(keyed(b"inactive_file x\n", "inactive_file"), None);
    }

    #[test]
    fn kilobytes_are_1024_bytes() {
        let text = b"MemTotal:       24684092 kB\nMemFree: 1 kB\nVmRSS:\t    1952 kB\n";
        assert_eq!(kib_line(text, "MemTotal"), Some(24_684_092 * 1024));
        assert_eq!(kib_line(text, "VmRSS"), Some(1952 * 1024));
        assert_eq!(kib_line(text, "Mem"), None);
        assert_eq!(kib_line(b"MemTotal: 5\n", "MemTotal"), None);
        assert_eq!(kib_line(b"MemTotal: kB\n", "MemTotal"), None);
        assert_eq!(kib_line(b"MemTotal: +5 kB\n", "MemTotal"), None);
        assert_eq!(kib_line(b"MemTotal: 18446744073709551615 kB\n", "MemTotal"), None);
    }

    #[test]
    fn stalls_of_all_tasks_are_read() {
        let text =
            b"some avg10=50.00 avg60=1.00 avg300=0.00 total=12\nfull avg10=12.34 avg60=0.00 avg300=0.00 total=9\n";
        assert_eq!(stall_percent(text), Some(12.34));
        for bad in [&b""[..], b"some avg10=50.00\n", b"full avg60=1.00\n", b"full avg10=-1\n", b"full avg10=\n"] {
            assert_eq!(stall_percent(bad), None, "{bad:?}");
        }
    }

    #[cfg(feature = "sysinfo")]
    #[test]
    fn a_kernel_statistic_is_the_third_field() {
        let text = b"13 1 0x01 147 39984 4183 8\nname   type data\nc_min     4    33\nsize      4    100\nsize_x 4 7\n";
        assert_eq!((kstat(text, "size"), kstat(text, "c_min")), (Some(100), Some(33)));
        assert_eq!(
            (kstat(text, "c_max"), kstat(b"size 4\n", "size"), kstat(b"size 4 x\n", "size")),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            number(&text);
            keyed(&text, "inactive_file");
            kib_line(&text, "MemTotal");
            stall_percent(&text);
        }

        #[test]
        fn every_number_reads_back(value: u64, noise in "[a-z_]{0,9} [0-9]{1,9}\n") {
            prop_assert_eq!(number(format!("{value}\n").as_bytes()), Some(value));
            prop_assert_eq!(keyed(format!("{noise}KEY {value}\n{noise}").as_bytes(), "KEY"), Some(value));
            let kib = value >> 10;
            prop_assert_eq!(kib_line(format!("{noise}KEY:  {kib} kB\n{noise}").as_bytes(), "KEY"), Some(kib << 10));
        }
    }
}
