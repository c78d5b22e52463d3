//! Real-time priorities of the threads.

use super::{common::request, *};

/// The real-time priority of each thread of a process, by name; 0 without one.
fn priorities(pid: u32) -> Vec<(String, u32)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let priority = |thread: std::path::PathBuf| {
        let stat = std::fs::read_to_string(thread.join("stat")).unwrap();
        // The name is in brackets; the priority is field 40, the 38th after it.
        let (name, fields) = stat.rsplit_once(") ").unwrap();
        let (_, name) = name.split_once('(').unwrap();
        (name.to_owned(), fields.split(' ').nth(37).unwrap().parse().unwrap())
    };
    threads.map(|thread| priority(thread.unwrap().path())).collect()
}

#[tokio::test]
async fn writers_have_a_priority_one_below_the_main_thread_and_others_none() {
    let mut command = program();
    command.args(["--listen", "0.0.0.0:0"]);
    let (relay, address) = Relay::start(command).await;
    // The main thread asks for its priority before it answers anyone; the writers when they start.
    request(address, "GET /healthz HTTP/1.1\r\n").await;
    let is_as_expected = |threads: &[(String, u32)]| {
        let of = |prefix: &'static str| {
            threads
                .iter()
                .filter(move |(name, _)| name.starts_with(prefix))
                .map(|(_, level)| *level)
        };
        let main = of("downbeat-relay").max().unwrap();
        // Where the system grants no priority, all are 0.
        of("writer").count() >= 2
            && of("writer").all(|level| level == main.saturating_sub(1))
            && of("log").all(|level| level == 0)
            && of("mDNS").collect::<Vec<_>>() == [0]
    };
    within(async {
        while !is_as_expected(&priorities(relay.0.id())) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}
