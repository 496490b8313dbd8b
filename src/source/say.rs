//! Sentences for the user, which readers say while they read.

use std::sync::Arc;

/// The receiver of sentences for the user. The default drops them.
#[derive(Clone, Default)]
pub struct Say(Option<Arc<dyn Fn(String, bool) + Send + Sync>>);

impl Say {
    /// Passes each sentence to `say`. The second argument is `true` for warnings.
    pub fn to(say: impl Fn(String, bool) + Send + Sync + 'static) -> Say {
        Say(Some(Arc::new(say)))
    }

    /// Tells the user something that is useful to know.
    pub fn say(&self, sentence: String) {
        if let Some(say) = &self.0 {
            say(sentence, false);
        }
    }

    /// Warns the user.
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
