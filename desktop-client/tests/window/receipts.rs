//! Receipts: a line below the disc, and the list in the view of the room.

use downbeat::{event::SessionEvent, ui::View};
use downbeat_protocol::{ClientId, Receipt, Rights};
use egui_kittest::kittest::Queryable as _;

use crate::{
    actions,
    support::{open, open_view, rooms, scenes, show},
};

const LAST: &str = "27 of 28 · 1 late 8.2 ms (lab-12) · 1 silent: lab-4 has not loaded the sound";

#[test]
fn the_last_receipt_stands_below_the_disc_for_those_who_run_the_room() {
    let mut window = open(rooms::class());
    window.get_by_label(LAST).click();
    assert_eq!(actions(&mut window), []);
    window.get_by_label(&format!("bell by lab-7: {LAST}"));
    window.get_by_label("kick by lab-12: all 28 on time");

    let mut state = rooms::class();
    rooms::with_rights(&mut state, Rights::Player);
    let window = open(state);
    assert!(window.query_by_label(LAST).is_none());
    window.get_by_label("Last played");
}

#[test]
fn a_receipt_is_expanded_and_leads_to_its_machines() {
    let mut window = open_view(rooms::class(), View::Room);
    window.get_by_label("Receipts").click();
    window.run();
    assert!(window.query_by_label("lab-12 was 8.2 ms late").is_none());
    window.get_by_label(&format!("bell by lab-7: {LAST}")).click();
    window.run();
    window.get_by_label("lab-12 was 8.2 ms late");
    window.get_by_label("lab-4 has not loaded the sound").click();
    assert_eq!(actions(&mut window), []);
    window.get_by_label("Name of lab-4");
    window.get_by_label("Machine lab-4");
}

#[test]
fn machines_that_have_not_answered_are_trouble_after_three_seconds() {
    let mut window = open(rooms::class());
    let mut receipt: Receipt = rooms::receipts().remove(0);
    receipt.seq = 50;
    receipt.sounded = 27;
    receipt.waiting = vec![ClientId(9)];
    window.state_mut().state.apply(SessionEvent::Receipt(receipt), scenes::NOW);
    window.run();
    window.get_by_label("click: 27 of 28 · no answer from 1 yet (lab-9)");
    // Another bang does not end the time for the one before.
    let mut next: Receipt = rooms::receipts().remove(0);
    next.seq = 51;
    window.state_mut().state.apply(SessionEvent::Receipt(next), scenes::NOW);
    show(&mut window, View::Room);
    window.get_by_label("Receipts").click();
    window.run();
    window.get_by_label("click by lab-7: 27 of 28 · no answer from 1 yet (lab-9)");
    window.state_mut().now = scenes::NOW.plus_nanos(3_100_000_000);
    window.run();
    window.get_by_label("click by lab-7: 27 of 28 · no answer from 1 (lab-9)");
}

#[test]
fn without_a_bang_the_list_says_what_will_be_there() {
    let mut window = open_view(scenes::playing(), View::Room);
    window.get_by_label("Receipts").click();
    window.run();
    window.get_by_label_contains("Each bang leaves a receipt here");
}
