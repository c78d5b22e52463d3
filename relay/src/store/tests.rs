//! The store on real files.

use std::{fs, pin::pin, time::Duration};

use downbeat_protocol::{ClientId, MachineId, OutputLatency, Place, Rights, Variable};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::time::timeout;

use super::{queue::Batch, *};

const MACHINE: MachineId = MachineId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn declare(name: &str, order: u64) -> Write {
    let variable: Variable = serde_json::from_value(json!({"name": name, "type": "any"})).unwrap();
    Write::Declare { variable: Box::new(variable), order }
}

fn set(name: &str, machine: Option<MachineId>, value: impl Into<serde_json::Value>) -> Write {
    Write::Set { name: name.into(), machine, value: value.into() }
}

fn unset(name: &str, machine: Option<MachineId>) -> Write {
    Write::Unset { name: name.into(), machine }
}

fn machine(id: u128, seat: Option<u16>) -> StoredMachine {
    let tags = vec!["left".to_owned(), "caf\u{e9}".to_owned()];
    let assigned = Arc::new(Assigned { seat, tags, ..Assigned::default() });
    StoredMachine { machine: MachineId(id), name: format!("m{id}"), assigned, by_conductor: true }
}

/// A machine of which everything is kept.
fn whole_machine(id: u128) -> StoredMachine {
    let assigned = Assigned {
        name: Some("harp".into()),
        seat: Some(9999),
        place: Some(Place { x: 0.1, y: 1.0 }),
        tags: vec!["left".into()],
        volume_db: Some(-6.1),
        muted: Some(false),
        extra_latency: vec![OutputLatency { output: "h\"dmi".into(), micros: -500_000 }],
        rights: Some(Rights::Listener),
    };
    StoredMachine { assigned: Arc::new(assigned), by_conductor: false, ..machine(id, None) }
}

fn sound(hash: &str, position: u64) -> StoredSound {
    StoredSound { hash: hash.into(), name: format!("caf\u{e9} {hash}"), position }
}

fn all_edits() -> SoundEdits {
    SoundEdits {
        name: Some("gong".into()),
        gain_db: Some(-3.25),
        looped: Some(true),
        position: Some(7),
        removed: Some(9),
        is_default: true,
    }
}

fn ack(ack: u64) -> AckTo {
    AckTo { client: ClientId(1), ack }
}

fn reopened(folder: &Path) -> Stored {
    Database::open(folder).unwrap().read().unwrap()
}

fn values(stored: &Stored) -> Vec<(&str, Option<MachineId>, String)> {
    let values = stored.values.iter();
    values.map(|v| (v.name.as_str(), v.machine, v.value.to_string())).collect()
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("new/data");
    let mut database = Database::open(&folder).unwrap();
    assert_eq!(database.read().unwrap(), Stored::default());
    let writes = [
        declare("z", 0),
        declare("a", 1),
        set("z", None, json!({"x": [1.5, null]})),
        set("a", Some(MACHINE), "caf\u{e9}"),
        set("a", None, 1),
        Write::Keep(machine(1, Some(7))),
        Write::Keep(machine(2, None)),
        Write::Keep(whole_machine(3)),
        Write::Lock { locked: true },
        Write::AddSound(sound("b", 1)),
        Write::AddSound(sound("a", 2)),
        Write::EditSound { hash: "a".into(), edits: all_edits() },
        Write::EditSound { hash: "c".into(), edits: SoundEdits::default() },
    ];
    database.commit(writes.iter()).unwrap();
    drop(database);
    let stored = reopened(&folder);
    assert_eq!(stored.sounds, [sound("b", 1), sound("a", 2)]);
    let edits = [("a".to_owned(), all_edits()), ("c".to_owned(), SoundEdits::default())];
    assert_eq!(stored.edits, edits);
    let names: Vec<_> = stored.variables.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["z", "a"]);
    let expected = [
        ("a", None, "1".to_owned()),
        ("z", None, r#"{"x":[1.5,null]}"#.to_owned()),
        ("a", Some(MACHINE), r#""caf\u00e9""#.replace("\\u00e9", "\u{e9}")),
    ];
    assert_eq!(values(&stored), expected);
    assert_eq!(stored.machines, [machine(1, Some(7)), machine(2, None), whole_machine(3)]);
    assert!(stored.locked);

    let writes = [
        set("z", None, 2),
        unset("a", Some(MACHINE)),
        unset("a", None),
        Write::Undeclare { name: "a".into() },
        Write::Forget { machine: MachineId(1) },
        Write::Lock { locked: false },
        Write::DeleteSound { hash: "b".into() },
        Write::UneditSound { hash: "a".into() },
    ];
    Database::open(&folder).unwrap().commit(writes.iter()).unwrap();
    let stored = reopened(&folder);
    assert_eq!(stored.sounds, [sound("a", 2)]);
    assert_eq!(stored.edits, [("c".to_owned(), SoundEdits::default())]);
    assert_eq!(stored.variables.len(), 1);
    assert_eq!(values(&stored), [("z", None, "2".to_owned())]);
    assert_eq!(stored.machines, [machine(2, None), whole_machine(3)]);
    assert!(!stored.locked);
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let mut database = Database::open(&folder).unwrap();
    database.commit([declare("a", 0)].iter()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        files += 1;
    }
    assert!(files >= 3, "the file, its log, and the lock");
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("downbeat.sqlite3");
    let mut database = Database::open(home.path()).unwrap();
    let second = Database::open(home.path()).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    database
        .commit((0..500).map(|n| declare(&format!("v{n}"), n)).collect::<Vec<_>>().iter())
        .unwrap();
    drop(database);
    let whole = fs::read(&path).unwrap();
    let damaged = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let opened = Database::open(home.path()).and_then(|mut database| database.read());
        assert_eq!(fs::read(&path).unwrap(), bytes, "left as it is");
        opened.unwrap_err().to_string()
    };
    for bytes in [b"this was a shopping list".repeat(100), whole[..whole.len() / 2].to_vec()] {
        let message = damaged(&bytes);
        assert!(message.contains("downbeat.sqlite3 is damaged"), "{message}");
        assert!(message.contains("move it away") && !message.contains('\n'), "{message}");
    }
    let mut torn = whole.clone();
    torn[4096..].iter_mut().step_by(3).for_each(|byte| *byte = 0xa5);
    assert!(damaged(&torn).contains("is damaged"), "{}", damaged(&torn));

    fs::write(&path, &whole).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 1000).unwrap();
    let message = Database::open(home.path()).unwrap_err().to_string();
    assert!(message.contains("newer relay (version 1000"), "{message}");
    other.pragma_update(None, "application_id", 7).unwrap();
    let message = Database::open(home.path()).unwrap_err().to_string();
    assert!(message.contains("a database of another program"), "{message}");
    drop(other);

    fs::write(&path, &whole).unwrap();
    assert_eq!(reopened(home.path()).variables.len(), 500);
}

/// A file that a relay wrote whose tables had version 1.
const VERSION_1: &[u8] = include_bytes!("../../tests/data/version-1.sqlite3");

#[test]
fn a_file_of_version_1_is_brought_up_to_date_once_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("downbeat.sqlite3");
    fs::write(&path, VERSION_1).unwrap();
    let version = || {
        let file = rusqlite::Connection::open(&path).unwrap();
        file.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(version(), 1);
    for _ in 0..2 {
        let stored = reopened(home.path());
        let names: Vec<_> = stored.variables.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names, ["pitch", "light"]);
        let harp = MachineId(0x5b1e_0c4f_9a7d_4e32_b6c8_1d20_f3a9_4e57);
        let expected =
            [("pitch", None, "-3.5".to_owned()), ("light", Some(harp), "\"#ff8800\"".to_owned())];
        assert_eq!(values(&stored), expected);
        let machine = |machine, name: &str, seat, tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let assigned = Arc::new(Assigned { seat, tags, ..Assigned::default() });
            StoredMachine { machine, name: name.into(), assigned, by_conductor: true }
        };
        let drum = machine(MachineId(2), "drum", None, &["caf\u{e9}"]);
        let harp = machine(harp, "harp", Some(3), &["left", "brass"]);
        assert_eq!(stored.machines, [drum, harp]);
        assert!(!stored.locked);
        assert_eq!(version(), 2);
    }
    // And takes what is new.
    let mut database = Database::open(home.path()).unwrap();
    database.commit([Write::Keep(whole_machine(2)), Write::Lock { locked: true }].iter()).unwrap();
    let stored = database.read().unwrap();
    assert_eq!(stored.machines.last(), Some(&whole_machine(2)));
    assert!(stored.locked);
}

#[test]
fn a_file_of_version_1_that_cannot_be_brought_up_to_date_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("downbeat.sqlite3");
    fs::write(&path, VERSION_1).unwrap();
    // What the new tables need is there already.
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("CREATE TABLE room (something TEXT)").unwrap();
    drop(file);
    let before = fs::read(&path).unwrap();
    let error = Database::open(home.path()).unwrap_err().to_string();
    assert!(error.contains("downbeat.sqlite3"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let error = Database::open(&home.path().join("file/data")).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }));
    assert!(
        error.to_string().contains("file/data") && error.to_string().contains("--data"),
        "{error}"
    );
}

#[test]
fn on_a_full_disk_all_of_a_commit_is_missing_and_comes_later() {
    let home = tempfile::tempdir().unwrap();
    let mut database = Database::open(home.path()).unwrap();
    database.commit([declare("a", 0), set("a", None, 1)].iter()).unwrap();
    database.limit_pages(1);
    let large = "x".repeat(100_000);
    let writes = [set("a", None, 2), set("b", None, large.as_str())];
    let error = database.commit(writes.iter()).unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(values(&database.read().unwrap()), [("a", None, "1".to_owned())]);
    database.limit_pages(10_000);
    database.commit(writes.iter()).unwrap();
    assert_eq!(values(&database.read().unwrap())[0].2, "2");
}

#[test]
fn what_cannot_be_written_is_acknowledged_to_nobody_and_counted() {
    let home = tempfile::tempdir().unwrap();
    let mut database = Database::open(home.path()).unwrap();
    database.limit_pages(1);
    let (queue, counters) = (Arc::new(Queue::default()), Arc::new(Counters::default()));
    let (sender, mut committed) = mpsc::channel(MAX_COMMITS);
    let (theirs, their_counters) = (queue.clone(), counters.clone());
    queue.add(vec![set("a", None, "x".repeat(100_000))], vec![ack(1)]);
    let running = thread::spawn(move || run(&theirs, &mut database, &sender, &their_counters));
    while counters.store_failures.get() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    // What needs no space is committed with the next attempt, but not this: nothing is half there.
    queue.add(Vec::new(), vec![ack(2)]);
    queue.end();
    running.join().unwrap();
    assert_eq!(committed.blocking_recv(), None);
    assert!(counters.store_failures.get() >= 2, "tried once more at the end");
    assert_eq!(reopened(home.path()), Stored::default());
}

#[tokio::test]
async fn a_request_is_acknowledged_after_the_commit() {
    let home = tempfile::tempdir().unwrap();
    let counters = Arc::default();
    let (store, stored) = Store::open(home.path(), &counters, &Arc::default()).unwrap();
    assert_eq!(stored, Stored::default());
    store.submit(vec![declare("a", 0)], Vec::new());
    for number in 0..100 {
        store.submit(vec![set("a", None, number)], vec![ack(number)]);
    }
    let mut acks = Vec::new();
    while acks.len() < 100 {
        let committed = timeout(Duration::from_secs(30), store.committed()).await.unwrap();
        acks.extend(committed.unwrap().into_iter().map(|to| to.ack));
    }
    assert_eq!(acks, (0..100).collect::<Vec<_>>());
    store.end();
    while !store.has_ended() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(values(&reopened(home.path())), [("a", None, "99".to_owned())]);
}

#[tokio::test]
async fn who_waits_for_a_commit_is_told_or_learns_that_it_failed() {
    let home = tempfile::tempdir().unwrap();
    let (counters, supervisor) = (Arc::default(), Arc::default());
    let (store, _) = Store::open(home.path(), &counters, &supervisor).unwrap();
    store.submit(vec![declare("a", 0)], Vec::new());
    // Also without a write of its own: what came before is on disk then.
    let committed = store.submit_and_tell(Vec::new());
    timeout(Duration::from_secs(30), committed).await.unwrap().unwrap();
    store.end();
    while !store.has_ended() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(reopened(home.path()).variables.len(), 1);

    let mut database = Database::open(home.path()).unwrap();
    database.limit_pages(1);
    let queue = Queue::default();
    let (sender, committed) = oneshot::channel();
    queue.add_and_tell(vec![set("a", None, "x".repeat(100_000))], sender);
    queue.end();
    let (acks, _committed) = mpsc::channel(MAX_COMMITS);
    run(&queue, &mut database, &acks, &counters);
    assert!(committed.await.is_err());
}

#[tokio::test]
async fn who_waits_for_all_commits_waits_over_a_failure_but_not_over_the_end() {
    let queue = Arc::new(Queue::default());
    let (_sender, committed) = mpsc::channel(MAX_COMMITS);
    let committed = Mutex::new(committed);
    let store = Store { queue: queue.clone(), committed, writer: thread::spawn(|| ()) };
    queue.add(vec![set("a", None, "x")], Vec::new());
    let mut all = pin!(store.all_committed());
    assert!(all.as_mut().now_or_never().is_none());
    let failed = queue.take(false).unwrap();
    queue.put_back(failed);
    assert!(all.as_mut().now_or_never().is_none());
    let Batch { writes, waiters, .. } = queue.take(false).unwrap();
    assert_eq!((writes.len(), waiters.len()), (1, 1));
    for waiter in waiters {
        waiter.send(()).unwrap();
    }
    assert_eq!(all.as_mut().now_or_never(), Some(true));

    // What fails when the relay ends is lost, also for who came later.
    queue.add(vec![set("a", None, "y")], Vec::new());
    let failed = queue.take(false).unwrap();
    let mut all = pin!(store.all_committed());
    assert!(all.as_mut().now_or_never().is_none());
    queue.end();
    queue.put_back(failed);
    assert_eq!(all.as_mut().now_or_never(), Some(false));
}

#[tokio::test]
async fn who_asks_waits_for_a_slow_disk_and_one_key_takes_one_place() {
    let queue = Queue::default();
    for number in 0..100_000 {
        queue.add(vec![set("a", None, number)], Vec::new());
    }
    queue.has_space().await;
    for number in 0..100_000 {
        queue.add(Vec::new(), vec![ack(number)]);
    }
    let waiting = timeout(Duration::from_millis(1), queue.has_space());
    assert!(waiting.await.is_err());
    let Batch { writes, acks, .. } = queue.take(false).unwrap();
    assert_eq!((writes.len(), acks.len()), (1, 100_000));
    queue.has_space().await;
    // What is put back is older than what has come meanwhile.
    queue.add(vec![set("a", None, "new")], vec![ack(7)]);
    queue.put_back(Batch { writes, acks, waiters: Vec::new() });
    let Batch { writes, acks, .. } = queue.take(false).unwrap();
    assert_eq!(writes.into_values().collect::<Vec<_>>(), [set("a", None, "new")]);
    assert_eq!(acks, [ack(7)]);
    queue.end();
    assert!(queue.take(false).is_none());
}
