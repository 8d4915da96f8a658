//! Names as letters carry them: whoever invites chooses them, so they must not say more than a name does.

/// How long a name may be in a letter, in characters.
const LONGEST: usize = 48;
/// How many digits make a number to call.
const NUMBER: usize = 6;

/// A name without what mail programs make links of, what hides or turns text, and what is no name: an
/// invitation is not to carry somebody's message.
pub fn clean(name: &str) -> String {
    let letters: Vec<char> = name.chars().filter(|one| !is_hidden(*one)).collect();
    let mut kept = String::new();
    for (index, letter) in letters.iter().enumerate() {
        // "St. Mary" is a name; "evil.example" is an address.
        let joins = letters.get(index + 1).is_some_and(|next| !next.is_whitespace());
        let letter = match letter {
            '.' if !joins => '.',
            '.' | '/' | '\\' | ':' | '@' | '<' | '>' | '[' | ']' | '{' | '}' | '|' | '"' | '%' | '='
            | '#' | '\u{2024}' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => ' ',
            other if other.is_whitespace() => ' ',
            other => *other,
        };
        kept.push(letter);
    }
    // Digits enough to call, in however many words, are no name.
    let number = kept.chars().filter(|letter| letter.is_numeric()).count() >= NUMBER;
    let has_digits = |word: &str| word.chars().any(char::is_numeric);
    let words: Vec<&str> =
        kept.split(' ').filter(|word| !(word.is_empty() || number && has_digits(word))).collect();
    let whole = words.join(" ");
    if whole.chars().count() <= LONGEST {
        return whole;
    }
    let mut short: String = whole.chars().take(LONGEST - 1).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Control characters, and those that change the direction or have no width.
fn is_hidden(letter: char) -> bool {
    letter.is_control() && !letter.is_whitespace()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        for name in [
            "Ada Lovelace",
            "St. Mary & Co.",
            "Città di Milano",
            "株式会社ギルド",
            "Studio 54",
            "O'Neill-Łukasz",
        ] {
            assert_eq!(clean(name), name);
        }
    }

    #[test]
    fn a_name_cannot_carry_a_link_or_a_message() {
        for (name, left) in [
            ("You won! https://evil.example/claim", "You won! https evil example claim"),
            ("evil.example", "evil example"),
            ("call +39 055 1234567 now", "call now"),
            ("Call 0800 123 45 67 today", "Call today"),
            ("Call ０８００１２３４５６", "Call"),
            ("0800 123456", ""),
            ("line\r\nBcc: all@example.com", "line Bcc all example com"),
            ("\u{202e}gpj.exe", "gpj exe"),
            ("a\u{200b}b", "ab"),
            ("<b>bold</b>", "b bold b"),
        ] {
            assert_eq!(clean(name), left);
        }
        let long = clean(&"Your account will be closed unless you act ".repeat(5));
        assert_eq!(long, "Your account will be closed unless you act Your…");
    }
}
