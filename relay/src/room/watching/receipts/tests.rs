//! Receipts: who was meant, who has answered, and what that costs.

use downbeat_protocol::{ClientKind, Rights};

use super::*;
use crate::store::Assigned;

const NOW: RelayTime = RelayTime::from_micros(0);

fn members(count: u32) -> BTreeMap<ClientId, Member> {
    let member = |id: u32| {
        let name = format!("m{}", id % 100);
        let mut member = Member::new(name, ClientKind::Window, Rights::Player);
        let tags = vec![format!("row {}", id % 10)];
        member.assigned = Arc::new(Assigned { tags, ..Assigned::default() });
        (ClientId(id), member)
    };
    let mut members: BTreeMap<_, _> = (1..=count).map(member).collect();
    let other = |name: &str, kind| Member::new(name.into(), kind, Rights::Conductor);
    members.insert(ClientId(1_000_001), other("desk", ClientKind::Remote));
    members.insert(ClientId(1_000_002), other("tutorial", ClientKind::Tutorial));
    members
}

fn trigger(seq: u64, target: Option<Target>) -> Trigger {
    Trigger {
        seq,
        play_at: NOW,
        sound: "bell".into(),
        gain: 1.0,
        rate: 1.0,
        pan: 0.0,
        tone: None,
        target,
        stagger_micros: 0,
        on_arrival: false,
        data: None,
        by: By { id: ClientId(1), name: "m1".into() },
    }
}

fn sounded(seq: u64, lateness_micros: u32) -> TriggerOutcome {
    TriggerOutcome { seq, lateness_micros, missed: None }
}

/// The receipt of a trigger for a target, before any answer.
fn receipt(members: &BTreeMap<ClientId, Member>, target: Option<Target>) -> Receipt {
    let mut receipts = Receipts::default();
    receipts.expect(&trigger(7, target), members, NOW);
    receipts.since(0, 1).0.remove(0)
}

#[test]
fn a_trigger_is_for_the_players_in_its_target() {
    let members = members(200);
    let expected = |target| receipt(&members, target).expected;
    assert_eq!(expected(None), 200, "no remote, and no client of the tutorial wire");
    let except = |id| Some(Target { except: Some(ClientId(id)), ..Target::default() });
    assert_eq!(expected(except(7)), 199);
    assert_eq!(expected(except(1_000_001)), 200);
    let names = vec!["m7".to_owned(), "desk".to_owned(), "nobody".to_owned()];
    let by_name = Target { names, ..Target::default() };
    assert_eq!(receipt(&members, Some(by_name)).waiting, [7, 107].map(ClientId));
    let clients = [5, 3, 5, 999, 1_000_001].map(ClientId).to_vec();
    let listed = Target { clients: clients.clone(), ..Target::default() };
    assert_eq!(receipt(&members, Some(listed)).waiting, [3, 5].map(ClientId));
    let tagged = Target {
        tags: vec!["row 3".to_owned()],
        clients,
        except: Some(ClientId(5)),
        ..Target::default()
    };
    assert_eq!(expected(Some(tagged)), 20);
}

#[test]
fn lists_have_at_most_64_entries_and_the_latest_comes_first() {
    let members = members(300);
    let mut receipts = Receipts::default();
    receipts.expect(&trigger(1, None), &members, NOW);
    for id in 1..=100 {
        receipts.answer(ClientId(id), &[sounded(1, id)]);
    }
    for id in 101..=200 {
        let missed = Some(Missed::NoOutput);
        receipts.answer(ClientId(id), &[TriggerOutcome { seq: 1, lateness_micros: 0, missed }]);
    }
    let receipt = receipts.since(0, 1).0.remove(0);
    assert_eq!((receipt.expected, receipt.sounded), (300, 100));
    let lists = (receipt.late.len(), receipt.missed.len(), receipt.waiting.len());
    assert_eq!(lists, (64, 64, 64));
    assert_eq!(receipt.late[0], LateClient { id: ClientId(100), lateness_micros: 100 });
    assert_eq!((receipt.missed[0].id, receipt.waiting[0]), (ClientId(101), ClientId(201)));
}

#[test]
fn who_leaves_before_it_answers_has_missed_it() {
    let mut members = members(3);
    let mut receipts = Receipts::default();
    receipts.expect(&trigger(1, None), &members, NOW);
    receipts.answer(ClientId(1), &[sounded(1, 0)]);
    for id in [1, 2].map(ClientId) {
        members.remove(&id);
        receipts.left(id);
    }
    let receipt = receipts.since(0, 1).0.remove(0);
    assert_eq!((receipt.expected, receipt.sounded, receipt.waiting.len()), (3, 1, 1));
    assert_eq!(receipt.missed, [MissedClient { id: ClientId(2), reason: Missed::Left }]);
    // The next trigger is for those who are still here.
    receipts.expect(&trigger(2, None), &members, NOW);
    assert_eq!(receipts.since(2, 9).0.pop().unwrap().expected, 1);
}

#[test]
fn the_last_64_triggers_have_receipts() {
    let members = members(3);
    let mut receipts = Receipts::default();
    for seq in 1..=100 {
        receipts.expect(&trigger(2 * seq, None), &members, NOW);
    }
    let (all, told) = receipts.since(0, 1000);
    assert_eq!((all.len(), all[0].seq, all[63].seq), (64, 74, 200));
    // Of others, and of what never was, nobody hears.
    receipts.answer(ClientId(1), &[sounded(72, 0), sounded(75, 0), sounded(u64::MAX, 0)]);
    assert_eq!(receipts.since(told, 1000).0, []);
    receipts.answer(ClientId(1), &[sounded(74, 0)]);
    assert_eq!(receipts.since(told, 1000).0[0].seq, 74);
}

#[test]
fn in_a_flood_of_triggers_for_many_names_some_have_no_receipt() {
    let members = members(10_000);
    let mut receipts = Receipts::default();
    let names: Vec<_> = (0..256).map(|n| format!("m{n}")).collect();
    let target = Target { names, ..Target::default() };
    for seq in 1..=500 {
        receipts.expect(&trigger(seq, Some(target.clone())), &members, NOW);
    }
    let looked_at = receipts.since(0, 1000).0.len();
    assert_eq!(looked_at, 4 * MEMBERS_PER_SECOND as usize / members.len());
    // Those for everyone, and for some numbers, still have.
    receipts.members = TokenBucket::new(MEMBERS_PER_SECOND, NOW);
    receipts.expect(&trigger(501, None), &members, NOW);
    while receipts.members.take_many(NOW, 10_000) {}
    for seq in 502..=600 {
        let clients = vec![ClientId(seq as u32)];
        let target = (seq % 2 == 0).then(|| Target { clients, ..Target::default() });
        receipts.expect(&trigger(seq, target), &members, NOW);
    }
    assert_eq!(receipts.since(0, 1000).0.len(), 64);
}

#[test]
fn triggers_for_everyone_share_one_list_until_somebody_comes_or_goes() {
    let members = members(10_000);
    let mut receipts = Receipts::default();
    let others = Target { except: Some(ClientId(7)), ..Target::default() };
    for (seq, target) in [(1, None), (2, Some(others)), (3, None)] {
        receipts.expect(&trigger(seq, target), &members, NOW);
    }
    let kept = &receipts.kept;
    assert!(kept.iter().all(|one| Arc::ptr_eq(&one.players, &kept[0].players)));
    assert!(kept.iter().all(|one| one.answered.is_empty()), "nothing is kept before an answer");
    receipts.entered();
    receipts.expect(&trigger(4, None), &members, NOW);
    assert!(!Arc::ptr_eq(&receipts.kept[3].players, &receipts.kept[0].players));
}
