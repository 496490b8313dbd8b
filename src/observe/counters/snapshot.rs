//! [`Snapshot`]: the values of counters at one moment.

use super::{CounterSpec, FATES, Scope, Tally, UNREPORTED};

/// One more than the largest number of a counter without a label.
const JOB_NUMBERS: usize = 64;

/// The length of an encoded value: its number and the value.
const VALUE_BYTES: usize = 2 + 8;

/// The values of counters: those of the job, and a row for each pattern, stage, sink and source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The values without a label, by the counters' numbers.
    job: [u64; JOB_NUMBERS],
    rows: Vec<Row>,
}

/// The values of one pattern, stage, sink or source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name of the thing.
    pub label: String,
    /// The counters of the thing. They have the same scope. A value is `None` if it is not known.
    pub counts: Vec<(&'static CounterSpec, Option<u64>)>,
}

impl Row {
    /// Returns the scope of the counters; `None` if there are no counters.
    pub fn scope(&self) -> Option<Scope> {
        self.counts.first().map(|(spec, _)| spec.scope)
    }

    /// Returns the value of `spec`; 0 if it is not known.
    pub fn get(&self, spec: &CounterSpec) -> u64 {
        let found = self.counts.iter().find(|(known, _)| known.number == spec.number);
        found.and_then(|(_, value)| *value).unwrap_or(0)
    }

    fn merge(&mut self, other: Row) {
        for (spec, value) in other.counts {
            match self.counts.iter_mut().find(|(known, _)| known.number == spec.number) {
                Some((_, sum)) => *sum = sum.map_or(value, |sum| Some(sum.saturating_add(value.unwrap_or(0)))),
                None => self.counts.push((spec, value)),
            }
        }
    }
}

/// The error for bytes that are no encoded snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot { job: [0; JOB_NUMBERS], rows: Vec::new() }
    }
}

impl Snapshot {
    /// Returns the value of `spec`, a counter without a label.
    #[inline]
    pub fn get(&self, spec: &CounterSpec) -> u64 {
        self.job.get(usize::from(spec.number)).copied().unwrap_or(0)
    }

    /// Adds `amount` to the value of `spec`, a counter without a label.
    #[inline]
    pub fn add(&mut self, spec: &CounterSpec, amount: u64) {
        let value = self.job.get_mut(usize::from(spec.number));
        debug_assert!(value.is_some(), "{} has a label", spec.name);
        if let Some(value) = value {
            *value = value.saturating_add(amount);
        }
    }

    /// Adds `amount` to the value of `spec`, a counter without a label.
    pub fn with(mut self, spec: &CounterSpec, amount: u64) -> Snapshot {
        self.add(spec, amount);
        self
    }

    /// Subtracts `amount` from the value of `spec`, a counter without a label: what was counted has left the account.
    pub fn subtract(&mut self, spec: &CounterSpec, amount: u64) {
        if let Some(value) = self.job.get_mut(usize::from(spec.number)) {
            *value = value.saturating_sub(amount);
        }
    }

    /// Returns the number of lines by their fate.
    pub fn tally(&self) -> Tally {
        Tally::of(std::array::from_fn(|index| self.get(&FATES[index])))
    }

    /// Adds to the number of lines by their fate.
    pub fn add_tally(&mut self, tally: Tally) {
        FATES.iter().zip(tally.values()).for_each(|(spec, lines)| self.add(spec, lines));
    }

    /// Adds rows. A row with the same scope and label as another row stays a row of its own.
    pub fn with_rows(mut self, rows: impl IntoIterator<Item = Row>) -> Snapshot {
        self.rows.extend(rows);
        self
    }

    /// Returns the rows of `scope`.
    pub fn rows(&self, scope: Scope) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.scope() == Some(scope))
    }

    /// Returns all rows.
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Returns the same snapshot without the counters that have no label.
    pub fn without_job(self) -> Snapshot {
        Snapshot { job: [0; JOB_NUMBERS], ..self }
    }

    /// Adds the values of `other`. Rows with equal scopes and labels become one, the first with the first, the second
    /// with the second. Other rows are appended.
    pub fn merge(&mut self, other: Snapshot) {
        self.job.iter_mut().zip(other.job).for_each(|(sum, value)| *sum = sum.saturating_add(value));
        let mut free: Vec<bool> = vec![true; self.rows.len()];
        for row in other.rows {
            let equal = |(mine, free): (&Row, &bool)| *free && mine.scope() == row.scope() && mine.label == row.label;
            match self.rows.iter().zip(&free).position(equal) {
                Some(at) => {
                    free[at] = false;
                    self.rows[at].merge(row);
                }
                None => self.rows.push(row),
            }
        }
    }

    /// Returns the values as bytes, at most `most` of them. Rows that have no room are left out and counted as
    /// [unreported](UNREPORTED).
    ///
    /// The bytes are rows: the length of the label (2 bytes), the label, the number of values (2 bytes), and for each
    /// value the counter's number (2 bytes) and the value (8 bytes). The first row has no label. Unknown values, and
    /// the zeros of the first row, are left out. All numbers are big-endian.
    pub fn encode(&self, most: usize) -> Vec<u8> {
        let mut rows: Vec<u8> = Vec::new();
        let mut job = self.job;
        // All values of the first row, so that there is room for them whatever is left out.
        let room = most.saturating_sub(4 + JOB_NUMBERS * VALUE_BYTES);
        for row in &self.rows {
            let values: Vec<(u16, u64)> =
                row.counts.iter().filter_map(|(spec, value)| Some((spec.number, (*value)?))).collect();
            let length = 4 + row.label.len() + values.len() * VALUE_BYTES;
            if rows.len() + length > room || !put_row(&mut rows, &row.label, &values) {
                job[usize::from(UNREPORTED.number)] += 1;
            }
        }
        let numbered = (0..).zip(job).filter(|(_, value)| *value > 0);
        let mut out = Vec::with_capacity(rows.len() + 64);
        put_row(&mut out, "", &numbered.collect::<Vec<_>>());
        out.extend_from_slice(&rows);
        out
    }

    /// Reads encoded values. Counters that are not in `lists` are passed over, so that programs of different versions
    /// understand each other.
    ///
    /// # Errors
    /// The bytes end in the middle of a row, or a label is not UTF-8.
    pub fn decode(mut bytes: &[u8], lists: &[&'static [CounterSpec]]) -> Result<Snapshot, Malformed> {
        let mut snapshot = Snapshot::default();
        while !bytes.is_empty() {
            let length = u16::from_be_bytes(take(&mut bytes)?);
            let (label, rest) = bytes.split_at_checked(usize::from(length)).ok_or(Malformed)?;
            bytes = rest;
            let mut row =
                Row { label: std::str::from_utf8(label).map_err(|_| Malformed)?.to_owned(), counts: Vec::new() };
            for _ in 0..u16::from_be_bytes(take(&mut bytes)?) {
                let number = u16::from_be_bytes(take(&mut bytes)?);
                let value = u64::from_be_bytes(take(&mut bytes)?);
                match super::find(lists, number) {
                    Some(spec) if spec.scope == Scope::Job => snapshot.add(spec, value),
                    Some(spec) if row.scope().is_none_or(|scope| scope == spec.scope) => {
                        row.counts.push((spec, Some(value)));
                    }
                    _ => {}
                }
            }
            if !row.counts.is_empty() {
                snapshot.rows.push(row);
            }
        }
        Ok(snapshot)
    }
}

/// Appends a row. Returns `false` if its label or its values are too many.
fn put_row(out: &mut Vec<u8>, label: &str, values: &[(u16, u64)]) -> bool {
    let (Ok(length), Ok(count)) = (u16::try_from(label.len()), u16::try_from(values.len())) else { return false };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    for (number, value) in values {
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
    true
}

/// Takes `N` bytes from the start of `bytes`.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*taken)
}
