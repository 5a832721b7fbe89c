//! Text that must not be seen: tokens, codes, verifiers, passphrases.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret text. Cloning shares it; the bytes are zeroed when the last owner is gone.
///
/// There is no `Display`, no `Serialize` and no `PartialEq`; `Debug` prints the type's name. The one way to the text is
/// [`Secret::expose`], which is easy to search for.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of `text`, so that no second copy stays behind.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text itself, for the one place that must send or store it.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_prints_the_type_and_nothing_of_the_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret");
    }
}
