//! Reports of runs that nobody would write: whatever was measured, they can be drawn, fit, and repeat to the byte.

use proptest::prelude::*;

use super::convergence;
use super::figure::tests::{assert_labels_apart, assert_well_formed};
use super::figure::{Band, Mark, Span};
use super::text::Timeline;
use super::view::{CachesView, ClusterView, Disturbance, RunView, ServerView, Track};
use super::words::{MINUTE, Nanos};
use crate::check::Verdict;

fn times() -> impl Strategy<Value = Nanos> {
    prop_oneof![4 => 0..20 * MINUTE, 1 => Just(0), 1 => Just(u64::MAX)]
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[a-z.-]{30,80}", "\\PC{0,5}", Just("注册中心".to_owned()), Just(String::new())]
}

fn tracks() -> impl Strategy<Value = Track> {
    let value = prop::option::weighted(0.8, prop_oneof![4 => 0..30u64, 1 => Just(u64::MAX / 64)]);
    prop::collection::vec((times(), value), 0..8).prop_map(|mut track| {
        track.sort_by_key(|&(at, _)| at);
        track
    })
}

fn spans() -> impl Strategy<Value = Span> {
    (times(), times()).prop_map(|(a, b)| Span { start: a.min(b), end: a.max(b) })
}

prop_compose! {
    fn servers()(
        name in names(),
        (differing, listed, renewals, threshold) in (tracks(), tracks(), tracks(), tracks()),
        protected in prop::collection::vec(spans(), 0..3),
    ) -> ServerView {
        ServerView { name, differing, listed, renewals, threshold, protected }
    }
}

prop_compose! {
    fn runs()(
        (scenario, system, what) in (names(), names(), names()),
        (span, last, converged_at) in (spans(), times(), prop::option::of(times())),
        bands in prop::collection::vec((spans(), names()), 0..6),
        marks in prop::collection::vec((times(), names()), 0..6),
        servers in prop::collection::vec(servers(), 0..12),
        caches in prop::option::of((0..9u64, tracks())),
        clusters in prop::collection::vec((prop::collection::vec(names(), 0..2), tracks()), 0..4),
    ) -> RunView {
        RunView {
            scenario,
            system,
            seed: last,
            digest: String::new(),
            span,
            bands: bands.into_iter().map(|(span, label)| Band { span, label }).collect(),
            marks: marks.into_iter().map(|(at, label)| Mark { at, label }).collect(),
            servers,
            caches: caches.map(|(count, differing)| CachesView { count, differing }),
            clusters: clusters.into_iter().map(|(servers, living)| ClusterView { servers, living }).collect(),
            last_disturbance: (last % 3 > 0).then_some(Disturbance { at: last, what }),
            converged_at,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_run_can_be_reported(run in runs()) {
        let sheet = convergence::sheet(&run);
        assert_labels_apart(&sheet);
        let svg = sheet.svg();
        assert_well_formed(&svg);
        assert_eq!(svg, convergence::sheet(&run).svg());
        let timeline = Timeline {
            run: &run,
            verdict: Verdict::Holds,
            checks: &[],
            cures: &[],
            measured: &[],
            happened: &[],
            replay: None,
            report: None,
            columns: 80,
            colour: false,
        };
        prop_assert!(timeline.render().lines().count() <= 24);
    }
}
