//! Filling HTML templates: a slot takes only [`Html`], and text becomes that by being escaped.

/// HTML that is safe to put into a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Escaped text, fit for element content and for quoted attributes.
    pub(crate) fn text(text: &str) -> Self {
        let escape = |letter: char| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            other => other.to_string(),
        };
        Self(text.chars().map(escape).collect())
    }

    /// Markup of our own, fixed at compile time.
    pub(crate) fn fixed(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Replaces each `{{name}}` of the template; a slot's content is not looked at again.
    pub(crate) fn fill(template: &'static str, slots: &[(&str, Html)]) -> Self {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once("}}") else { break };
            debug_assert!(slots.iter().any(|(slot, _)| *slot == name), "no slot {name}");
            if let Some((_, html)) = slots.iter().find(|(slot, _)| *slot == name) {
                filled.push_str(&html.0);
            }
            rest = after;
        }
        filled.push_str(rest);
        Self(filled)
    }

    /// One after another.
    pub(crate) fn join(parts: impl IntoIterator<Item = Html>) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_cannot_break_out_or_fill_another() {
        let page = Html::fill(
            "<a title=\"{{first}}\">{{second}}</a>",
            &[("first", Html::text("\"><script>")), ("second", Html::text("{{first}} & 'co'"))],
        );
        let expected = "<a title=\"&quot;&gt;&lt;script&gt;\">{{first}} &amp; &#39;co&#39;</a>";
        assert_eq!(page.into_string(), expected);
    }
}
