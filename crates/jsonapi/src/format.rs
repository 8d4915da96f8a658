//! Moments as text: ISO 8601 in UTC with milliseconds, both ways.

use jiff::Timestamp;
use jiff::civil::{DateTime, date};
use jiff::fmt::temporal::DateTimePrinter;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Milliseconds since 1970 as `2026-01-01T12:00:00.000Z`.
pub fn timestamp(millis: i64) -> String {
    let mut text = String::with_capacity(24);
    write_timestamp(&mut text, millis);
    text
}

pub(crate) fn write_timestamp(text: &mut String, millis: i64) {
    // A moment outside the calendar can only come from a broken clock; show the calendar's end.
    let moment = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    // Writing to a string cannot fail.
    drop(PRINTER.print_timestamp(&moment, text));
}

/// The milliseconds that a text means: a full moment, or a date, which is its midnight in UTC.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.as_millisecond());
    }
    // A date, or a moment in the calendar's last hours, which only some time zones have.
    let moment: DateTime = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
    i64::try_from(moment.duration_since(EPOCH).as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_out_with_milliseconds() {
        assert_eq!(timestamp(1_514_808_000_000), "2018-01-01T12:00:00.000Z");
        assert_eq!(timestamp(1_514_808_000_007), "2018-01-01T12:00:00.007Z");
    }

    #[test]
    fn moments_and_dates_come_in() {
        let noon = Some(1_514_808_000_000);
        assert_eq!(parse_timestamp("2018-01-01T12:00:00.000Z"), noon);
        assert_eq!(parse_timestamp("2018-01-01T12:00:00Z"), noon);
        assert_eq!(parse_timestamp("2018-01-01T13:00:00+01:00"), noon);
        assert_eq!(parse_timestamp("2018-01-01"), Some(1_514_764_800_000));
        assert_eq!(parse_timestamp("9999-12-31"), Some(253_402_214_400_000));
        assert_eq!(parse_timestamp("9999-12-31T23:59:59.999Z"), Some(253_402_300_799_999));
        assert_eq!(parse_timestamp("1969-12-31"), Some(-86_400_000));
        for bad in ["", "yesterday", "2018-13-01", "1514808000", "2018-01-01T25:00:00Z"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }
}
