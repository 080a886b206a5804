//! Which pictures one run and many runs have, and under which names they are written.
//!
//! Separate so that whoever writes reports needs to know neither what there is to see nor whether it applies.

use std::path::{Path, PathBuf};

use super::ensemble::Ensemble;
use super::figure::Sheet;
use super::view::RunView;
use super::{beliefs, calls, convergence, distributions, ensemble, fill};
use crate::metric::Measured;
use crate::plan::Plan;

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The name of its files, without what they end in.
    pub name: &'static str,
    /// What kind of picture it is, for a page that holds it.
    pub shows: &'static str,
    pub sheet: Sheet,
}

/// The files of pictures in a folder: path and content.
pub fn files(pictures: &[Picture], folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let of = |picture: &Picture| {
        let path = |end: &str| folder.join(format!("{}.{end}", picture.name));
        [(path("svg"), picture.sheet.svg().into_bytes()), (path("png"), picture.sheet.png())]
    };
    pictures.iter().flat_map(of).collect()
}

/// For a page beside these files: which to show, and what each is.
pub fn shown(pictures: &[Picture]) -> Vec<(String, &'static str)> {
    pictures.iter().map(|picture| (format!("{}.svg", picture.name), picture.shows)).collect()
}

/// The pictures of one run, the most important first. Where nobody calls anybody there is none of calls.
pub fn of_run(plan: &Plan, run: &RunView, measured: &Measured) -> Vec<Picture> {
    let picture = |name, shows, sheet| Picture { name, shows, sheet };
    let mut pictures = vec![picture("convergence", "How the views came to agree", convergence::sheet(run))];
    if let Some(calls) = fill::calls(plan, measured) {
        pictures.push(picture("calls", "What callers felt", calls::sheet(run, &calls)));
    }
    let known = fill::beliefs(measured);
    let sheet = beliefs::sheet(run, known.as_ref().map_err(String::as_str));
    pictures.push(picture("beliefs", "Who believed what", sheet));
    pictures
}

/// The pictures of many runs.
pub fn of_many(runs: &Ensemble) -> Vec<Picture> {
    let picture = |name, shows, sheet| Picture { name, shows, sheet };
    vec![
        picture("ensemble", "All runs over time", ensemble::sheet(runs)),
        picture("distributions", "How long it took, over runs", distributions::sheet(runs)),
    ]
}
