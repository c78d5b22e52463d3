//! What a relay prints on a terminal: also how others join, which no file and no log gets.

use std::{fs::OpenOptions, os::fd::OwnedFd};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{
    common::{post, within},
    *,
};

/// A terminal: the end that a person looks at, and the end of the program.
fn terminal() -> (OwnedFd, std::fs::File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (ours, theirs)
}

/// The lines up to the first for which `is_last` holds.
async fn lines(output: impl Read + Send + 'static, is_last: fn(&str) -> bool) -> Vec<String> {
    let read = tokio::task::spawn_blocking(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(output).lines().map(Result::unwrap) {
            lines.push(line);
            if is_last(lines.last().unwrap()) {
                break;
            }
        }
        lines
    });
    within(read).await.unwrap()
}

#[tokio::test]
async fn a_terminal_shows_the_code_and_the_link_and_a_pipe_does_not() {
    let settings = ["--listen", "0.0.0.0:0", "--no-announce", "--token", "s3cret"];
    let (ours, theirs) = terminal();
    let mut command = program();
    command.args(settings).stdout(theirs);
    let relay = Relay(command.spawn().unwrap());
    // The command holds the other end as well.
    drop(command);
    let lines = lines(std::fs::File::from(ours), |line| line.starts_with("Room code: ")).await;
    let address = lines[0].trim_end().strip_prefix("Server started: http://").expect(&lines[0]);
    let address: SocketAddr = address.parse().unwrap();
    let others = lines.iter().filter(|line| line.starts_with("For others: ")).count();
    let is_code = |line: &&String| line.contains('\u{2580}') || line.contains('\u{2588}');
    let rows = lines.iter().filter(is_code).count();
    // A network is needed for a link, and no link is shown without one.
    assert_eq!(rows > 10, others > 0, "{lines:?}");
    let code = lines.last().unwrap().strip_prefix("Room code: ").unwrap().trim_end();
    assert_eq!(post(address, "/join", "", code.as_bytes()).await.body, b"s3cret");
    drop(relay);

    let mut command = program();
    command.args(settings);
    let mut relay = Relay(command.spawn().unwrap());
    let (stdout, stderr) = (relay.0.stdout.take().unwrap(), relay.0.stderr.take().unwrap());
    let line = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stdout).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        (first, lines)
    });
    let (first, rest) = within(line).await.unwrap();
    let address: SocketAddr =
        first.strip_prefix("Server started: http://").unwrap().parse().unwrap();
    // A wrong code and a wrong token are not logged either.
    post(address, "/join", "Authorization: Bearer wr0ng\r\n", b"31415926").await;
    signal(&relay, Signal::TERM);
    assert_eq!(relay.ended().await.code(), Some(0));
    let all = tokio::task::spawn_blocking(move || {
        rest.collect::<Vec<_>>().join("\n") + &io::read_to_string(stderr).unwrap()
    });
    let all = within(all).await.unwrap();
    for secret in ["s3cret", "wr0ng", "31415926", "Room code", "\u{2588}"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
