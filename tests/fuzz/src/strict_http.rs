//! HTTP/1.1 by the strict rules of RFC 9112, for a service or a client that looks at what the proxy forwards.

use std::io::{BufRead, Read};

/// Names in lower case, and values without spaces around them.
pub type Fields = Vec<(String, Vec<u8>)>;

/// The values of a field.
pub fn values<'f>(fields: &'f Fields, name: &str) -> Vec<&'f [u8]> {
    fields.iter().filter(|(other, _)| other == name).map(|(_, value)| &value[..]).collect()
}

/// A body that is framed in one way, or not at all; `None` where the connection ends in between.
///
/// # Errors
/// What is wrong with it.
pub fn read_body(from: &mut impl BufRead, fields: &Fields) -> Result<Option<Vec<u8>>, String> {
    match (&values(fields, "content-length")[..], &values(fields, "transfer-encoding")[..]) {
        ([], []) => Ok(Some(Vec::new())),
        ([length], []) => Ok(read_exactly(from, number(length, 10)?)),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => read_chunks(from),
        _ => Err(format!("a body framed by {fields:?}")),
    }
}

/// `None` where the connection ends in between.
pub fn read_fields(from: &mut impl BufRead) -> Result<Option<Fields>, String> {
    let mut fields = Vec::new();
    loop {
        let Some(line) = read_line(from)? else { return Ok(None) };
        if line.is_empty() {
            return Ok(Some(fields));
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let (name, value) = (&line[..colon], trimmed(line.get(colon + 1..).unwrap_or_default()));
        let is_text = value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
        if name.is_empty() || !name.iter().copied().all(is_token) || !is_text {
            return Err(format!("the field {:?}", String::from_utf8_lossy(&line)));
        }
        fields.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
    }
}

/// A value without the optional spaces and tabs around it. Other white space makes a value invalid.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn read_chunks(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let Some(size) = read_line(from)? else { return Ok(None) };
        let size = number(&size, 16)?;
        if size == 0 {
            return Ok(read_fields(from)?.map(|_| body));
        }
        let (Some(chunk), Some(end)) = (read_exactly(from, size), read_exactly(from, 2)) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(format!("{end:?} behind a chunk"));
        }
        body.extend(chunk);
    }
}

pub fn number(digits: &[u8], radix: u32) -> Result<usize, String> {
    let text =
        str::from_utf8(digits).ok().filter(|text| !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix)));
    let number = text.and_then(|text| usize::from_str_radix(text, radix).ok());
    number.ok_or_else(|| format!("the number {:?}", String::from_utf8_lossy(digits)))
}

/// A line without its CR LF; `None` where the connection ends before it does.
pub fn read_line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    // A connection that is reset ends too.
    let _ = from.read_until(b'\n', &mut line);
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    if line.pop() != Some(b'\r') || line.contains(&b'\r') {
        return Err(format!("the line end of {:?}", String::from_utf8_lossy(&line)));
    }
    Ok(Some(line))
}

/// `None` where the connection ends before.
fn read_exactly(from: &mut impl Read, length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match from.take(length as u64).read_to_end(&mut bytes) {
        Ok(read) => (read == length).then_some(bytes),
        // It is reset, or silent for too long.
        Err(_) => None,
    }
}

pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
