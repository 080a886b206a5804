//! Ctrl-C, and being told to end in another way: nothing half-written is left.
//!
//! One run ends at once. Many seeds end after the runs under way, and what is done by then is reported; the second time they end
//! at once, too.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Exit;
use super::terminal::tell;
use crate::report::write;

/// Whether what is done can be reported if it ends early.
static GENTLE: AtomicBool = AtomicBool::new(false);
/// Whether no more runs shall begin.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// When it was first told to end.
static TOLD: OnceLock<Instant> = OnceLock::new();
/// Signs that follow each other faster are one: some programs send theirs to the process and to its group.
const ONE_SIGN: Duration = Duration::from_millis(100);

/// From now on ctrl-C is heard. Without it a file may be left half-written under a temporary name: no reason not to run.
pub fn listen() {
    let _ = ctrlc::set_handler(on_signal);
}

fn on_signal() {
    #[expect(clippy::disallowed_methods, reason = "people press keys in real time")]
    let now = Instant::now();
    let first = *TOLD.get_or_init(|| now);
    if GENTLE.load(Ordering::SeqCst) {
        if !STOPPED.swap(true, Ordering::SeqCst) {
            tell("\nno more runs are begun; once more ends at once");
            return;
        }
        if now.duration_since(first) < ONE_SIGN {
            return;
        }
    }
    write::abandon();
    tell("\ninterrupted; what was not whole is removed");
    std::process::exit(Exit::Interrupted as i32);
}

/// Says whether runs that are done would be reported.
pub fn set_gentle(gentle: bool) {
    GENTLE.store(gentle, Ordering::SeqCst);
}

/// Whether no more runs shall begin.
pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}
