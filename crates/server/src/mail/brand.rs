//! In whose name a letter is written: an organization's, with its logo and colours, or the installation's.

use crate::work::Work;
use guildhall_jsonapi::Result;
use guildhall_store::Sql;
use serde::{Deserialize, Serialize};

/// The colour of what is written in nobody's name in particular.
pub const OWN_COLOR: &str = "#1f5c4d";

/// A name, a logo and a colour.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Brand {
    /// The organization's name; empty for the installation.
    pub name: String,
    /// The address of its logo.
    pub logo: Option<String>,
    /// Its main colour, as `#rrggbb`.
    pub color: Option<String>,
    /// The colour it wants to be read on the main one.
    pub contrast: Option<String>,
}

impl Brand {
    /// That of an organization.
    pub fn of(work: &mut Work<'_, '_>, organization: &str) -> Result<Self> {
        let rows = work.tx.rows(&Sql::new(
            "select name, logo_url, primary_color, contrast_color from organizations where id = ?",
            [organization.into()],
        ))?;
        let text = |row: guildhall_store::Row<'_>, index| row.maybe_text(index).map(str::to_owned);
        Ok(rows.first().map_or_else(Self::default, |row| Self {
            name: row.text(0).to_owned(),
            logo: text(row, 1),
            color: text(row, 2),
            contrast: text(row, 3),
        }))
    }

    /// The colour of the button and that of its text, which can be read on it: the organization's own if they
    /// go together, else black or white.
    pub fn colors(&self) -> (String, String) {
        let ground = self.color.as_deref().and_then(rgb).map_or_else(|| OWN_COLOR.to_owned(), spelled);
        let own = self.contrast.as_deref().and_then(rgb).map(spelled);
        let readable = own.filter(|text| contrast(&ground, text) >= READABLE);
        let text = readable.unwrap_or_else(|| {
            let white = "#ffffff".to_owned();
            if contrast(&ground, &white) >= READABLE { white } else { "#000000".to_owned() }
        });
        (ground, text)
    }
}

/// The least contrast of text that most people can read (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;

fn spelled([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// `#rrggbb`.
fn rgb(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let part = |from: usize| u8::from_str_radix(digits.get(from..from + 2)?, 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

fn contrast(one: &str, other: &str) -> f64 {
    let light = |color: &str| {
        let [red, green, blue] = rgb(color).unwrap_or_default().map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
    };
    let (one, other) = (light(one), light(other));
    if one > other { one / other } else { other / one }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(color: Option<&str>, contrast: Option<&str>) -> (String, String) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Brand { color: own(color), contrast: own(contrast), ..Brand::default() }.colors()
    }

    #[test]
    fn the_text_on_a_button_can_always_be_read() {
        let pair = |ground: &str, text: &str| (ground.to_owned(), text.to_owned());
        assert_eq!(colors(None, None), pair(OWN_COLOR, "#ffffff"));
        assert_eq!(colors(Some("#000080"), Some("#FFFF00")), pair("#000080", "#ffff00"));
        assert_eq!(colors(Some("#000080"), Some("#000090")), pair("#000080", "#ffffff"));
        assert_eq!(colors(Some("#C8984E"), Some("#FFFFCC")), pair("#c8984e", "#000000"));
        assert_eq!(colors(Some("#ffffff"), None), pair("#ffffff", "#000000"));
        assert_eq!(colors(Some("red\" onload=\""), None), pair(OWN_COLOR, "#ffffff"));
    }
}
