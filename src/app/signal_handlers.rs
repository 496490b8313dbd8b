//! The effects of signals on a job: SIGTERM and SIGINT stop it, SIGHUP reads the authorized keys again.

use std::sync::Arc;

use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::net::auth::Security;
use crate::observe::console::Console;
use crate::observe::service_manager::Manager;
use crate::process::signals;

/// Lets each SIGHUP read the list of authorized keys again.
pub(super) fn reload_keys_on_hangup(security: Option<&Security>, console: &Console) -> Result<()> {
    let Some(Security { authorized, .. }) = security else { return Ok(()) };
    let (authorized, console) = (Arc::clone(authorized), console.clone());
    signals::on_hangup(move || match authorized.reload() {
        Ok(count) => {
            let path = authorized.path().display();
            console.answer(format!("SIGHUP: {path} has {count} keys, which count from now on"));
        }
        Err(error) => console.error(format!("SIGHUP: the keys stay as they were: {error}")),
    })
}

/// Lets a signal request `stop`. The service manager and the user are told what the job does until it ends
/// (`until_the_end`).
pub(super) fn stop_on_signals(
    stop: &Stop,
    manager: &Manager,
    console: &Console,
    until_the_end: &'static str,
) -> Result<()> {
    let (console, manager) = (console.clone(), manager.clone());
    signals::request_stop(stop, move |signal| {
        manager.stopping(until_the_end);
        console.say(format!("{signal}: {until_the_end}; a second signal ends at once"));
    })
}
