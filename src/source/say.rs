//! Sentences for people, which readers say while they read.

use std::sync::Arc;

/// Where sentences for people go.
#[derive(Clone, Default)]
pub struct Say(Option<Arc<dyn Fn(String, bool) + Send + Sync>>);

impl Say {
    /// Sentences go to `say`, with whether they warn.
    pub fn to(say: impl Fn(String, bool) + Send + Sync + 'static) -> Say {
        Say(Some(Arc::new(say)))
    }

    /// Says what a user may like to know.
    pub fn say(&self, sentence: String) {
        if let Some(say) = &self.0 {
            say(sentence, false);
        }
    }

    /// Says what may be about to go wrong.
    pub fn warn(&self, sentence: String) {
        if let Some(say) = &self.0 {
            say(sentence, true);
        }
    }
}

impl std::fmt::Debug for Say {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Say")
    }
}
