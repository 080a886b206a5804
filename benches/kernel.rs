//! The whole step loop without a real protocol: clients that call servers, over kept connections, with timeouts and service
//! times. One element is one delivered input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use regsim::plan::World;
use regsim::plan::world::{
    AddressEntry, Behind, ClockError, DiskSpeed, Host, HostId, Latency, Paths, PoolPolicy, Process, Quality,
    RegionId, Role, ServiceModel, Zone, ZoneId,
};
use regsim::protocol::{Address, Cx, Disk, Input, Instant, Never, NodeId, PoolId, Protocol, SimTime, Wire};
use regsim::sim::Simulation;

/// A request or a response of the size that a heartbeat has in memory.
#[derive(Clone, Debug)]
struct Beat([u64; 8]);

impl Wire for Beat {
    fn bytes(&self) -> u32 {
        200
    }
    fn kind(&self) -> &'static str {
        "beat"
    }
}

/// Whom to call, and how often; nobody for a server.
#[derive(Clone, Debug)]
struct Settings {
    server: Option<Address>,
    every: Duration,
    first: Duration,
}

#[derive(Clone, Debug)]
struct Machine {
    settings: Arc<Settings>,
    next: Option<Instant>,
    beats: u64,
}

impl Protocol for Machine {
    type Config = Settings;
    type Request = Beat;
    type Response = Beat;
    type Message = Never;
    type Record = Never;
    type Tag = ();

    fn start(settings: &Arc<Settings>, _: &Disk<Never>, cx: &mut Cx<'_, Machine>) -> Machine {
        let next = settings.server.map(|_| cx.now() + settings.first);
        Machine { settings: settings.clone(), next, beats: 0 }
    }

    fn handle(&mut self, input: Input<Machine>, cx: &mut Cx<'_, Machine>) {
        self.beats += 1;
        match input {
            Input::Timeout => {
                let Some(server) =
                    self.settings.server.filter(|_| self.next.is_some_and(|next| next <= cx.now()))
                else {
                    return;
                };
                self.next = Some(cx.now() + self.settings.every);
                let (connect, read) = (Duration::from_secs(5), Duration::from_secs(8));
                cx.call(server, PoolId(0), Beat([self.beats; 8]), connect, read, ());
            }
            Input::Request { id, request, .. } => cx.respond(id, request),
            Input::Outcome { result, .. } => self.beats += result.map_or(0, |beat| beat.0[0] & 1),
            Input::Link { .. }
            | Input::Datagram { .. }
            | Input::Disk(_)
            | Input::Ask { .. }
            | Input::Reconfigure(_)
            | Input::Stop => {}
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn fingerprint(&self, into: &mut dyn Hasher) {
        into.write_u64(self.beats);
    }
}

fn quality(low_us: u64, high_us: u64) -> Quality {
    let latency = Latency::Uniform(Duration::from_micros(low_us), Duration::from_micros(high_us));
    Quality { latency, loss_ppm: 0, burst: None, duplicate_ppm: 0, reorder_ppm: 0, bandwidth: None }
}

/// Three servers and so many clients in one zone; each client calls one server every `every_ms`.
fn simulation(clients: u32, every_ms: u64, service: Duration) -> Simulation<Machine> {
    let nodes = clients + 3;
    let host = |n: u32| Host {
        name: format!("host-{n}"),
        zone: ZoneId(0),
        clock: ClockError::default(),
        disk: DiskSpeed::default(),
    };
    let process = |n: u32| Process {
        name: format!("process-{n}"),
        host: HostId(n),
        role: if n < 3 { Role::Server } else { Role::Client },
        start: SimTime::ZERO,
        service: ServiceModel {
            workers: Some(200),
            accept_queue: 100,
            base: service,
            per_item: Duration::ZERO,
        },
        pools: vec![PoolPolicy { idle: Duration::from_secs(45), max_per_address: 50, max_total: 200 }],
        instance: None,
        subscribes: false,
        address: Address(n),
    };
    let address =
        |n: u32| AddressEntry { name: format!("host-{n}:80"), behind: Behind::Processes(vec![NodeId(n)]) };
    let world = World {
        triggers: Vec::new(),
        checks: Vec::new(),
        regions: vec!["region".into()],
        zones: vec![Zone { name: "zone".into(), region: RegionId(0) }],
        hosts: (0..nodes).map(host).collect(),
        processes: (0..nodes).map(process).collect(),
        clusters: Vec::new(),
        addresses: (0..nodes).map(address).collect(),
        instances: vec![],
        services: vec![],
        groups: vec![],
        paths: Paths {
            same_host: quality(10, 20),
            same_zone: quality(200, 500),
            same_region: quality(500, 1_000),
            cross_region: quality(10_000, 20_000),
            zones: vec![],
            regions: vec![],
            hosts: vec![],
        },
        steps: vec![],
        traffic: vec![],
        duration: SimTime::from_secs(1_000_000),
        epoch_ms: 1_700_000_000_000,
        flood_limit: u64::MAX,
    };
    let every = Duration::from_millis(every_ms);
    let settings = |n: u32| {
        let first = every * n / nodes;
        Arc::new(Settings { server: n.checked_sub(3).map(|n| Address(n % 3)), every, first })
    };
    Simulation::new(&world, (0..nodes).map(settings).collect(), 1)
}

/// Counts what is allocated: in steady state the kernel should allocate nothing.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Prints what 10,000 clients cost in memory and in allocations, and fails if they allocate in steady state.
fn footprint() {
    let clients = 10_000;
    let before = BYTES.load(Ordering::Relaxed);
    let mut simulation = simulation(clients, 30_000, Duration::from_micros(500));
    let built = BYTES.load(Ordering::Relaxed) - before;
    simulation.run_until(SimTime::from_secs(120), &mut ());
    let warm = BYTES.load(Ordering::Relaxed) - before;
    let (events, allocations) = (simulation.events(), ALLOCATIONS.load(Ordering::Relaxed));
    simulation.run_until(SimTime::from_secs(420), &mut ());
    let events = simulation.events() - events;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    let per_client = [built, warm].map(|bytes| bytes / u64::from(clients));
    println!("bytes a client: {} built, {} after two minutes", per_client[0], per_client[1]);
    println!("allocations: {allocations} in {events} inputs");
    assert!(allocations * 100 < events, "fewer than 0.01 allocations an input");
}

fn bench(criterion: &mut Criterion) {
    footprint();
    let mut group = criterion.benchmark_group("kernel");
    group.sample_size(20);
    for (clients, service_us) in [(100, 0), (10_000, 0), (10_000, 500)] {
        let mut warm = simulation(clients, 30_000, Duration::from_micros(service_us));
        warm.run_until(SimTime::from_secs(60), &mut ());
        let seconds = 3_000_000 / u64::from(clients);
        let before = warm.events();
        let mut once = warm.clone();
        once.run_until(SimTime::from_secs(60 + seconds), &mut ());
        group.throughput(Throughput::Elements(once.events() - before));
        let name = format!("{clients}-clients");
        group.bench_function(BenchmarkId::new(name, format!("service-{service_us}us")), |bencher| {
            bencher.iter_batched_ref(
                || warm.clone(),
                |simulation| simulation.run_until(SimTime::from_secs(60 + seconds), &mut ()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
