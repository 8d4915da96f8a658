//! Asking an index of trigrams for texts that may have a part.

/// How many letters a trigram has.
const LETTERS: usize = 3;

/// What FTS5 is asked for a part of a text: every third trigram of the part and its last one, which cover all of it. That the text
/// has those says nearly what all of them would, for a third of the work. `None` for a part that has none.
pub(crate) fn trigrams(part: &str) -> Option<String> {
    let letters: Vec<char> = part.chars().collect();
    // The language of questions ends with this letter.
    if letters.contains(&'\0') {
        return None;
    }
    let last = letters.len().checked_sub(LETTERS)?;
    let places = (0..last).step_by(LETTERS).chain([last]);
    let quoted = places.map(|at| {
        let trigram: String = letters[at..at + LETTERS].iter().collect();
        format!("\"{}\"", trigram.replace('"', "\"\""))
    });
    Some(quoted.collect::<Vec<_>>().join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_covered_by_few_trigrams() {
        for (part, asked) in [
            ("abc", Some(r#""abc""#)),
            ("abcd", Some(r#""abc" AND "bcd""#)),
            ("abcdef", Some(r#""abc" AND "def""#)),
            ("abcdefgh", Some(r#""abc" AND "def" AND "fgh""#)),
            ("a\"b or città*", Some(r#""a""b" AND " or" AND " ci" AND "ttà" AND "tà*""#)),
            ("ab", None),
            ("", None),
            ("ab\0cd", None),
        ] {
            assert_eq!(trigrams(part).as_deref(), asked, "{part}");
        }
    }
}
