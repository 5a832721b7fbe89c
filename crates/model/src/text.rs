//! Characters that do something to a screen instead of being read on it.

/// True for controls, and for the invisible characters that reorder, join, hide or pad what stands beside them: with those a
/// provider's or an application's text could write anywhere on a terminal, or read as another text. What Unicode calls
/// default ignorable is among them, but for the two variation selectors that people type with symbols and emoji.
pub fn steers_display(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0d}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_told_from_what_steers() {
        let invisible = "\u{202e}\u{200f}\u{feff}\u{ad}\u{34f}\u{3164}\u{fe00}\u{e0041}\u{e0100}";
        for text in ["\u{1b}", "\n", "\t", "\u{7f}", "\u{9b}", invisible] {
            assert!(text.chars().all(steers_display), "{text:?}");
        }
        for text in ["Zoë 李-_", "\u{a0}", "\u{301}", "🔑", "⚠\u{fe0f}"] {
            assert!(!text.chars().any(steers_display), "{text:?}");
        }
    }
}
