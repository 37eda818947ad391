//! Numbers the lines of a file as an editor does; the CSV reader does not count empty ones.

/// The lines of a text, counted as far as its records were read.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    counted: usize,
    line: u64,
}

impl<'t> Lines<'t> {
    /// Begins at the first line.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), counted: 0, line: 1 }
    }

    /// Returns the line of the next record, which begins at or after this byte.
    pub(super) fn at(&mut self, byte: u64) -> u64 {
        let begin = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let rest = &self.text[begin..];
        let end = begin + rest.iter().take_while(|byte| **byte == b'\n').count();
        let passed = self.text[self.counted..end].iter().filter(|byte| **byte == b'\n');
        self.line += passed.count() as u64;
        self.counted = end;
        self.line
    }
}
