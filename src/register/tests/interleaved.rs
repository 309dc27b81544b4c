//! Two leaders at once, with faults and crashes in any order: whatever happens, the register is one chain.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append { leader: usize, count: u32, days: u32 },
    Crash { leader: usize },
    Wait { milliseconds: u64 },
    Days { days: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..2_usize, 1..70_u32, prop_oneof![Just(0_u32), Just(90)]).prop_map(|(leader, count, days)| Step::Append { leader, count, days }),
        1 => (0..2_usize).prop_map(|leader| Step::Crash { leader }),
        4 => (0..120_u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
        1 => (1..12_u32).prop_map(|days| Step::Days { days }),
    ];
    prop::collection::vec(step, 1..30)
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::LostBefore),
        2 => Just(Fault::LostAfter),
        1 => Just(Fault::SilentBefore),
        1 => Just(Fault::SilentAfter),
        2 => Just(Fault::Delayed),
        1 => Just(Fault::DiesBefore),
        1 => Just(Fault::DiesAfter),
    ];
    prop::collection::vec(fault, 0..60)
}

struct Leader {
    client: Arc<Client>,
    registers: Arc<Registers>,
}

struct World {
    memory: Arc<Memory>,
    hand: Arc<Hand>,
    faults: Mutex<Vec<Fault>>,
    acknowledged: Arc<Mutex<Vec<Line>>>,
    numbers: AtomicU32,
}

impl World {
    async fn leader(&self) -> Leader {
        let mut faults = self.faults.lock().unwrap().clone();
        // Each leader meets its own share.
        let share = faults.len().min(15);
        let now: Vec<Fault> = faults.drain(..share).collect();
        *self.faults.lock().unwrap() = faults;
        let client = self.memory.client(now);
        let registers = registers(&client, &self.hand);
        registers.open().await.unwrap();
        Leader { client, registers }
    }

    /// One who had fallen behind what was trimmed is told so once.
    async fn append_one(&self, leader: &Leader) {
        for _ in 0..2 {
            let entry = issued(self.numbers.fetch_add(1, Ordering::Relaxed), self.hand.now(), 90);
            match leader.registers.append(ID, entry).await {
                Ok(_) => return,
                Err(error) => assert!(error.waiting_helps(), "{error}"),
            }
        }
        panic!("a healthy leader cannot append");
    }

    fn append(&self, leader: &Leader, count: u32, days: u32) -> Vec<tokio::task::JoinHandle<()>> {
        let entries = (0..count).map(|_| issued(self.numbers.fetch_add(1, Ordering::Relaxed), self.hand.now(), days));
        let append = |entry| {
            let (registers, acknowledged) = (Arc::clone(&leader.registers), Arc::clone(&self.acknowledged));
            tokio::spawn(async move {
                match registers.append(ID, entry).await {
                    Ok(line) => acknowledged.lock().unwrap().push(line),
                    Err(error) => assert!(error.waiting_helps(), "{error}"),
                }
            })
        };
        entries.map(append).collect()
    }
}

async fn run(steps: Vec<Step>, faults: Vec<Fault>) {
    let world = World {
        memory: Arc::default(),
        hand: Hand::new(),
        faults: Mutex::new(faults),
        acknowledged: Arc::default(),
        numbers: AtomicU32::new(0),
    };
    let mut leaders = [world.leader().await, world.leader().await];
    let mut waiting = [Vec::new(), Vec::new()];
    for step in steps {
        match step {
            Step::Append { leader, count, days } => {
                if leaders[leader].client.is_dead() {
                    leaders[leader] = world.leader().await;
                    waiting[leader] = Vec::new();
                }
                waiting[leader].extend(world.append(&leaders[leader], count, days));
                tokio::task::yield_now().await;
            }
            Step::Crash { leader } => {
                leaders[leader].client.kill();
                waiting[leader] = Vec::new();
                leaders[leader] = world.leader().await;
            }
            Step::Wait { milliseconds } => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            Step::Days { days } => world.hand.advance(Duration::from_hours(24) * days),
        }
    }
    for (leader, waiting) in leaders.iter().zip(waiting) {
        for task in waiting {
            while !task.is_finished() && !leader.client.is_dead() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if task.is_finished() {
                task.await.unwrap();
            }
        }
    }
    // One who is healthy appends last, and thereby has read all that stands.
    let last = world.leader().await;
    last.client.heal();
    for leader in &leaders {
        leader.client.heal();
        if !leader.client.is_dead() {
            world.append_one(leader).await;
        }
    }
    world.append_one(&last).await;

    let lines = standing(&world.memory);
    let first = lines[0].sequence;
    assert_eq!(lines.iter().map(|line| line.sequence).collect::<Vec<_>>(), (first..first + lines.len() as u64).collect::<Vec<_>>());
    let serials: BTreeSet<_> = lines.iter().map(|line| line.entry.serial.clone()).collect();
    assert_eq!(serials.len(), lines.len(), "a line stands twice");
    for line in world.acknowledged.lock().unwrap().iter() {
        match line.sequence.checked_sub(first) {
            Some(place) => assert_eq!(lines.get(usize::try_from(place).unwrap()), Some(line), "an acknowledged line is not there"),
            None => assert!(line.entry.not_after.unwrap() < world.hand.now(), "a line was trimmed before its end"),
        }
    }
    let fresh = registers(&world.memory.client([]), &world.hand);
    fresh.open().await.unwrap();
    let now = world.hand.now();
    if first == 1 {
        assert!(last.registers.index().snapshot(now) == fresh.index().snapshot(now), "a fresh replay says something else");
    }
    let newest: HashMap<_, _> = lines.iter().filter_map(|line| Some((line.entry.owner.clone()?, line))).collect();
    for (owner, line) in newest.iter().filter(|(_, line)| line.entry.not_after > Some(now)) {
        let current = fresh.index().current(&owner.namespace, &owner.name).unwrap();
        assert_eq!((Some(current.serial), current.sequence), (line.entry.serial.clone(), line.sequence));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_leaders_with_faults_and_crashes_keep_one_chain(steps in steps(), faults in faults()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps, faults));
    }
}
