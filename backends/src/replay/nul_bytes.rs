//! Runs of NUL bytes.

/// As long as the buffers that inputs are read through.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// How many NUL bytes `bytes` begins with. A whole buffer of them is one comparison of memory.
pub(crate) fn leading_nul_bytes(bytes: &[u8]) -> usize {
    if ZEROS.get(..bytes.len()) == Some(bytes) {
        return bytes.len();
    }
    bytes.iter().take_while(|byte| **byte == 0).count()
}
