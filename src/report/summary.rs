//! What a run came to, as one JSON object: `summary.json` in its folder and a line on stdout.
//!
//! The names and their order are what programs rely on; they are held by a test. Left out: the history, which is a file of its
//! own.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::check::Verdict;

/// One check of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    pub name: String,
    #[serde(serialize_with = "name")]
    pub verdict: Verdict,
    /// When it was decided, in milliseconds of virtual time; left out if it has no moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// The evidence, in a line.
    pub detail: String,
}

/// The same seed with a cure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CureResult {
    /// What the cure is.
    pub about: String,
    #[serde(serialize_with = "name")]
    pub verdict: Verdict,
    pub digest: String,
    pub checks: Vec<CheckResult>,
    pub metrics: BTreeMap<String, serde_json::Number>,
}

/// One run. The order of the fields is the order in the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the scenario, such as `eureka/peer-down`.
    pub scenario: String,
    /// The system as scenarios spell it, such as `eureka`.
    pub system: String,
    pub seed: u64,
    #[serde(serialize_with = "name")]
    pub verdict: Verdict,
    /// The digest of the history.
    pub digest: String,
    /// Virtual time of the run, in milliseconds.
    pub virtual_ms: u64,
    /// Delivered inputs; the items of a batch are counted apart.
    pub events: u64,
    /// Real time that the run took, in milliseconds.
    pub wall_ms: u64,
    pub checks: Vec<CheckResult>,
    /// Figures by name, such as `convergence_ms`.
    pub metrics: BTreeMap<String, serde_json::Number>,
    /// What came of each cure; left out if the scenario has none. `verdict` is over these too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cures: Vec<CureResult>,
    /// The folder of the run's reports, if any were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// One figure over many runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpreadResult {
    pub median: serde_json::Number,
    pub p5: serde_json::Number,
    pub p95: serde_json::Number,
    /// The highest, or the lowest of what should be high.
    pub worst: serde_json::Number,
    /// Runs that have it, and runs that do not.
    pub runs: u64,
    pub never: u64,
}

/// Many runs of one scenario. The order of the fields is the order in the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedsSummary {
    /// Name of the scenario, such as `eureka/peer-down`.
    pub scenario: String,
    /// The system as scenarios spell it, such as `eureka`.
    pub system: String,
    pub runs: u64,
    /// Runs by verdict.
    pub held: u64,
    pub violated: u64,
    pub inconclusive: u64,
    /// Figures by name, such as `convergence_ms`.
    pub metrics: BTreeMap<String, SpreadResult>,
}

impl SeedsSummary {
    /// The object as a file that people read.
    pub fn file(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary has string keys only") + "\n"
    }
}

fn name<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.name())
}

impl Summary {
    /// The object on one line, without a line feed.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a summary has string keys only")
    }

    /// The object as a file that people read.
    pub fn file(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary has string keys only") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let check = |name: &str, verdict, at_ms, detail: &str| CheckResult {
            name: name.to_owned(),
            verdict,
            at_ms,
            detail: detail.to_owned(),
        };
        Summary {
            scenario: "eureka/peer-down".to_owned(),
            system: "eureka".to_owned(),
            seed: 1,
            verdict: Verdict::Holds,
            digest: "9f3c".to_owned(),
            virtual_ms: 720_000,
            events: 183_422,
            wall_ms: 41,
            checks: vec![
                check("converged", Verdict::Holds, Some(312_000), "18.3 s after \"split\""),
                check("no-resurrection", Verdict::Inconclusive, None, "nothing was removed"),
            ],
            metrics: BTreeMap::from([("convergence_ms".to_owned(), 18_320.into())]),
            cures: Vec::new(),
            report: Some("reports/eureka/peer-down/seed-1".to_owned()),
        }
    }

    #[test]
    fn the_line_has_the_documented_names_in_the_documented_order() {
        assert_eq!(
            summary().line(),
            concat!(
                r#"{"scenario":"eureka/peer-down","system":"eureka","seed":1,"verdict":"holds","digest":"9f3c","#,
                r#""virtual_ms":720000,"events":183422,"wall_ms":41,"checks":[{"name":"converged","verdict":"holds","#,
                r#""at_ms":312000,"detail":"18.3 s after \"split\""},{"name":"no-resurrection","#,
                r#""verdict":"inconclusive","detail":"nothing was removed"}],"metrics":{"convergence_ms":18320},"#,
                r#""report":"reports/eureka/peer-down/seed-1"}"#
            )
        );
    }

    #[test]
    fn cures_stand_between_metrics_and_report() {
        let cure = CureResult {
            about: "names of their own".to_owned(),
            verdict: Verdict::Violated,
            digest: "1a2b".to_owned(),
            checks: Vec::new(),
            metrics: BTreeMap::new(),
        };
        let line = Summary { cures: vec![cure], ..summary() }.line();
        let cures = r#"18320},"cures":[{"about":"names of their own","verdict":"violated","digest":"1a2b","checks":[],"metrics":{}}],"report":"#;
        assert!(line.contains(cures), "{line}");
    }

    #[test]
    fn line_and_file_say_the_same() {
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("valid JSON");
        assert_eq!(parse(&summary().line()), parse(&summary().file()));
        assert!(!summary().line().contains('\n') && summary().file().ends_with("}\n"));
    }
}
