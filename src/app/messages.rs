//! Messages of modules that do not know the console.

use crate::core::stop::Stop;
use crate::core::wait::{Deadline, Waits};
use crate::observe::console::Console;
use crate::source::kind::Found;
use crate::source::say::Say;

/// Prints which files and links were found and are not read.
pub(super) fn say_what_is_left_out(found: &Found, console: &Console) {
    found.notes.iter().for_each(|sentence| console.say(sentence.clone()));
    found.warnings.iter().for_each(|sentence| console.warn(sentence.clone()));
}

/// Returns a function that prints the sentences of readers.
pub(super) fn say_on(console: &Console) -> Say {
    let console = console.clone();
    Say::to(move |sentence, warns| if warns { console.warn(sentence) } else { console.say(sentence) })
}

/// Returns the settings of all waits for resources that do not respond. A wait lasts until `deadline`, or for a short
/// time after `stop` is requested.
pub(super) fn waits(deadline: Deadline, stop: &Stop, console: &Console) -> Waits {
    let console = console.clone();
    Waits::new(deadline, Some(stop.clone()), Box::new(move |sentence| console.warn(sentence)))
}
