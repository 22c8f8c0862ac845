//! What a person sees of a task: one line when a step begins, one with its time when it ends. All of it goes to standard
//! error; only results go to standard output.

use std::io::IsTerminal;
use std::time::Instant;

/// Why a task stopped: for people, with what to do.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Does one step, said before and timed after.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    eprintln!("{} {what}", blue("==>"));
    let start = Instant::now();
    let outcome = work();
    let seconds = start.elapsed().as_secs_f32();
    match &outcome {
        Ok(_) => eprintln!("    {} in {seconds:.1} s: {what}", green("done")),
        Err(_) => eprintln!("    {} after {seconds:.1} s: {what}", red("failed")),
    }
    outcome
}

/// Says a detail of the step under way.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

pub(crate) fn red(text: &str) -> String {
    paint(text, 31)
}

fn green(text: &str) -> String {
    paint(text, 32)
}

fn blue(text: &str) -> String {
    paint(text, 34)
}

fn paint(text: &str, color: u8) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[1;{color}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
