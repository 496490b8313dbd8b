//! The axis of the drawings: the logarithm of a time.

/// The width of the drawing of a URL.
pub(super) const WIDTH: f64 = 360.0;

/// The room at both ends.
const MARGIN: f64 = 12.0;

/// An axis for the times of all URLs. It reaches over whole powers of ten.
#[derive(Debug)]
pub(super) struct Axis {
    /// The powers of ten of microseconds at both ends.
    first: i32,
    last: i32,
}

impl Axis {
    /// Creates an axis for times from `least` to `most` microseconds.
    pub fn over(least: Option<u64>, most: Option<u64>) -> Axis {
        let power = |us: u64| (us.max(1) as f64).log10();
        let first = power(least.unwrap_or(1_000)).floor() as i32;
        let last = power(most.unwrap_or(1_000_000)).ceil() as i32;
        Axis { first, last: last.max(first + 1) }
    }

    /// Returns the place of a time.
    pub fn place(&self, us: u64) -> f64 {
        let part = ((us.max(1) as f64).log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        MARGIN + part.clamp(0.0, 1.0) * (WIDTH - 2.0 * MARGIN)
    }

    /// Returns the places of the powers of ten, with their microseconds.
    pub fn marks(&self) -> impl Iterator<Item = (f64, u64)> {
        (self.first..=self.last).map(|power| 10_u64.saturating_pow(power.unsigned_abs())).map(|us| (self.place(us), us))
    }
}

/// Returns the words for a power of ten of microseconds.
pub(super) fn words(us: u64) -> String {
    match us {
        0..1_000 => format!("{} ms", us as f64 / 1000.0),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_reaches_over_whole_powers_of_ten() {
        let axis = Axis::over(Some(1_200), Some(2_000_000));
        let marks: Vec<String> = axis.marks().map(|(_, us)| words(us)).collect();
        assert_eq!(marks, ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!((axis.place(1_000) - MARGIN).abs() < 1e-6 && (axis.place(10_000_000) - (WIDTH - MARGIN)).abs() < 1e-6);
        assert!(axis.place(0) >= 0.0 && axis.place(u64::MAX) <= WIDTH);
        let same = Axis::over(Some(100), Some(100));
        assert!(same.place(100).is_finite() && words(100) == "0.1 ms");
    }
}
