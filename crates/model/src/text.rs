//! Characters that do something to a screen instead of being read on it.

/// True for controls, and for the invisible characters that reorder, join or hide what stands beside them: with those a
/// provider's or an application's text could write anywhere on a terminal, or read as another text.
pub fn steers_display(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_told_from_what_steers() {
        for text in ["\u{1b}", "\n", "\t", "\u{7f}", "\u{9b}", "\u{202e}", "\u{200f}", "\u{feff}"] {
            assert!(text.chars().all(steers_display), "{text:?}");
        }
        for text in ["Zoë 李-_", "\u{a0}", "\u{301}", "🔑"] {
            assert!(!text.chars().any(steers_display), "{text:?}");
        }
    }
}
