//! The view of the room, for those who run it and for others: what is listed, and what a press asks for.

use std::collections::HashSet;

use downbeat::{
    action::Action,
    event::SessionEvent,
    state::State,
    ui::{FIRST_SIZE, MIN_SIZE, View},
};
use downbeat_protocol::{AssignRequest, ClientId, Command, MachineNumber, MachinesChange, Rights};
use egui::{Event, Key, Modifiers, Vec2, accesskit::Role};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

use crate::{
    actions,
    support::{Window, open_sized, open_view, rooms, scenes, show},
};

fn class() -> Harness<'static, Window> {
    open_view(rooms::class(), View::Room)
}

/// A window in which all of the panel is in sight.
fn tall_class() -> Harness<'static, Window> {
    let mut window = open_sized(rooms::class(), Vec2::new(960.0, 1200.0), 1.0);
    show(&mut window, View::Room);
    window
}

/// Types a text into a field.
fn enter(window: &mut Harness<'_, Window>, label: &str, text: &str, key: Key) -> Vec<Action> {
    window.get_by_label(label).focus();
    window.step();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.step();
    window.get_by_label(label).type_text(text);
    window.step();
    window.key_press(key);
    window.step();
    actions(window)
}

fn press(window: &mut Harness<'_, Window>, label: &str) -> Vec<Action> {
    window.get_by_label(label).click();
    actions(window)
}

fn press_with(window: &mut Harness<'_, Window>, label: &str, modifiers: Modifiers) {
    window.get_by_label(label).click_modifiers(modifiers);
    window.run();
}

fn assign(client: u32, change: impl FnOnce(&mut AssignRequest)) -> Action {
    let mut request = AssignRequest { clients: vec![ClientId(client)], ..AssignRequest::default() };
    change(&mut request);
    Action::Assign(request)
}

/// The machines that are listed, from top to bottom.
fn listed(window: &Harness<'_, Window>) -> Vec<String> {
    let rows = window.query_all_by_role(Role::ListBoxOption);
    let mut rows: Vec<(f32, String)> = rows
        .map(|row| (row.rect().top(), row.accesskit_node().label().unwrap_or_default()))
        .collect();
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    rows.into_iter().map(|(_, label)| label.trim_start_matches("Machine ").to_owned()).collect()
}

fn is_selected(window: &Harness<'_, Window>, name: &str) -> bool {
    let label = format!("Machine {name}");
    let row = window.get_by_label(&label);
    row.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)
        || row.accesskit_node().is_selected() == Some(true)
}

#[test]
fn the_worst_machines_come_first_and_say_what_to_do() {
    let window = class();
    let worst = ["lab-17", "lab-4", "lab-9", "lab-12", "lab-23", "lab-21", "lab-30", "lab-1"];
    assert_eq!(listed(&window)[..8], worst);
    window.get_by_label("no output");
    window.get_by_label("last sound 8.2 ms late");
    let row = window.get_by_label("Machine lab-17");
    let description = row.accesskit_node().description().unwrap_or_default();
    assert!(description.contains("seat 17"), "{description}");
    assert!(description.contains("restart its output from here"), "{description}");
}

#[test]
fn machines_are_sorted_filtered_and_searched() {
    let mut window = class();
    press(&mut window, "Sort by seat");
    assert_eq!(listed(&window)[..3], ["lab-1", "lab-2", "lab-3"]);
    press(&mut window, "Sort by seat");
    assert_eq!(listed(&window)[..2], ["lab-30", "lab-26"]);
    press(&mut window, "Sort by sync");
    assert_eq!(listed(&window)[0], "lab-23");
    press(&mut window, "Away 2");
    assert_eq!(listed(&window), ["lab-30", "guest"]);
    press(&mut window, "In trouble 7");
    assert_eq!(listed(&window).len(), 7);

    // What is typed is searched for, without a press on the field.
    press(&mut window, "All 31");
    window.event(Event::Text("l".to_owned()));
    assert_eq!(actions(&mut window), []);
    assert!(window.get_by_label("Search the room").is_focused());
    window.get_by_label("Search the room").type_text("ab-12");
    assert_eq!(actions(&mut window), []);
    assert_eq!(listed(&window), ["lab-12"]);
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), []);
    assert!(listed(&window).len() > 8);
    window.key_press_modifiers(Modifiers::COMMAND, Key::F);
    assert_eq!(actions(&mut window), []);
    assert!(window.get_by_label("Search the room").is_focused());
}

#[test]
fn one_or_many_are_selected_by_presses_and_keys() {
    let mut window = class();
    press(&mut window, "Sort by seat");
    press(&mut window, "Machine lab-2");
    assert!(is_selected(&window, "lab-2"));
    press_with(&mut window, "Machine lab-5", Modifiers::COMMAND);
    window.get_by_label("2 machines");
    press_with(&mut window, "Machine lab-7", Modifiers::SHIFT);
    window.get_by_label("3 machines");
    assert!(is_selected(&window, "lab-6") && !is_selected(&window, "lab-2"));
    window.key_press(Key::ArrowDown);
    window.run();
    assert!(is_selected(&window, "lab-8") && !is_selected(&window, "lab-7"));
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    window.run();
    window.get_by_label("2 machines");
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run();
    window.get_by_label("31 machines");
    press(&mut window, "Deselect");
    assert!(window.query_by_label("31 machines").is_none());

    // Arrows scroll to where they go.
    for _ in 0..25 {
        window.key_press(Key::ArrowDown);
        window.step();
    }
    window.run();
    assert!(listed(&window).contains(&"lab-25".to_owned()), "{:?}", listed(&window));
    assert!(is_selected(&window, "lab-25"));
}

#[test]
fn a_machine_is_renamed_seated_and_tagged() {
    let mut window = class();
    press(&mut window, "Machine lab-4");
    let renamed = enter(&mut window, "Name of lab-4", " harp ", Key::Enter);
    assert_eq!(renamed, [assign(4, |request| request.name = Some("harp".to_owned()))]);
    assert_eq!(enter(&mut window, "Name of lab-4", " ", Key::Enter), []);
    window.get_by_label("A name has 1 to 64 characters.");

    let seat = |seat| [assign(4, |request| request.seat = Some(seat))];
    assert_eq!(enter(&mut window, "Seat of lab-4", "12", Key::Enter), seat(12));
    assert_eq!(enter(&mut window, "Seat of lab-4", " ", Key::Enter), seat(0));
    assert_eq!(enter(&mut window, "Seat of lab-4", "9", Key::Escape), []);
    assert_eq!(enter(&mut window, "Seat of lab-4", "front", Key::Enter), []);
    window.get_by_label_contains("A seat is a whole number");

    press(&mut window, "Machine lab-2");
    let tags = |tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        [assign(2, |request| request.tags = Some(tags))]
    };
    let added = enter(&mut window, "New tag of lab-2", "brass, left,", Key::Enter);
    assert_eq!(added, tags(&["left", "brass"]), "it has the other one already");
    assert_eq!(press(&mut window, "Tag left"), tags(&[]));
}

#[test]
fn what_is_typed_is_handed_over_by_a_press_on_another_machine() {
    let mut window = class();
    press(&mut window, "Machine lab-4");
    window.get_by_label("Name of lab-4").focus();
    window.run();
    window.get_by_label("Name of lab-4").type_text("x");
    window.run();
    let renamed = press(&mut window, "Machine lab-9");
    assert_eq!(renamed, [assign(4, |request| request.name = Some("lab-4x".to_owned()))]);
    assert!(is_selected(&window, "lab-9"));
}

#[test]
fn several_machines_are_changed_at_once() {
    let mut window = class();
    press(&mut window, "Sort by seat");
    press(&mut window, "Machine lab-2");
    press_with(&mut window, "Machine lab-4", Modifiers::SHIFT);
    let three = |change: &dyn Fn(&mut AssignRequest)| {
        let mut request =
            AssignRequest { clients: [2, 3, 4].map(ClientId).to_vec(), ..AssignRequest::default() };
        change(&mut request);
        [Action::Assign(request)]
    };
    let muted = press(&mut window, "Mute 3 machines");
    assert_eq!(muted, three(&|request| request.muted = Some(true)));
    // It is shown before the machines report it.
    let muted = press(&mut window, "Mute 3 machines");
    assert_eq!(muted, three(&|request| request.muted = Some(false)));
    let rights = press(&mut window, "Listener");
    assert_eq!(rights, three(&|request| request.rights = Some(Rights::Listener)));
    let latency = enter(&mut window, "Extra latency of 3 machines", "12,5", Key::Enter);
    assert_eq!(latency, three(&|request| request.extra_latency_micros = Some(12_500)));
    assert_eq!(enter(&mut window, "Extra latency of 3 machines", "900", Key::Enter), []);
    window.get_by_label_contains("from −500 to 500");

    window.get_by_label("Volume of 3 machines").set_value_accesskit(-12.0);
    assert_eq!(actions(&mut window), three(&|request| request.volume_db = Some(-12.0)));
    assert_eq!(actions(&mut window), [], "it is sent once");
    assert_eq!(
        window.get_by_label("Volume of 3 machines").accesskit_node().numeric_value(),
        Some(-12.0)
    );

    // Each keeps its other tags.
    let tagged: HashSet<Vec<ClientId>> =
        enter(&mut window, "New tag of 3 machines", "choir", Key::Enter)
            .into_iter()
            .flat_map(|action| match action {
                Action::AssignEach(requests) => requests,
                other => panic!("{other:?}"),
            })
            .map(|request| request.clients)
            .collect();
    let groups = [vec![ClientId(2)], [3, 4].map(ClientId).to_vec()];
    assert_eq!(tagged, groups.into());

    let seats = enter(&mut window, "First seat of 3 machines", "10", Key::Enter);
    let expected = [(2, 10), (3, 11), (4, 12)];
    let expected = expected.map(|(id, seat)| AssignRequest {
        clients: vec![ClientId(id)],
        seat: Some(seat),
        ..AssignRequest::default()
    });
    assert_eq!(
        seats,
        [Action::AssignEach(expected.to_vec())],
        "the session has room for few actions"
    );
}

#[test]
fn what_is_wished_and_not_sent_is_given_up_with_the_view() {
    let mut window = class();
    press(&mut window, "Machine lab-4");
    let volume = |window: &Harness<'_, Window>| {
        window.get_by_label("Volume of lab-4").accesskit_node().numeric_value()
    };
    let sent = |volume| [assign(4, |request| request.volume_db = Some(volume))];
    window.get_by_label("Volume of lab-4").set_value_accesskit(-12.0);
    assert_eq!(actions(&mut window), sent(-12.0));
    window.get_by_label("Volume of lab-4").set_value_accesskit(-13.0);
    assert_eq!(actions(&mut window), [], "it is too soon");
    assert_eq!(volume(&window), Some(-13.0));
    show(&mut window, View::Settings);
    assert_eq!(actions(&mut window), []);
    window.state_mut().now = scenes::NOW.plus_nanos(1_000_000_000);
    window.state_mut().state = rooms::class();
    show(&mut window, View::Room);
    assert_eq!(actions(&mut window), []);
    assert_eq!(volume(&window), Some(-6.0), "as it is reported");
}

#[test]
fn what_has_happened_is_no_trouble_after_five_minutes() {
    let mut window = class();
    assert_eq!(press(&mut window, "In trouble 7"), []);
    window.get_by_label("182 blocks missed in 5 min");
    window.state_mut().now = scenes::NOW.plus_nanos(301_000_000_000);
    window.run();
    window.get_by_label("In trouble 5");
    assert!(!listed(&window).iter().any(|name| name == "lab-21" || name == "lab-12"));
}

#[test]
fn what_a_full_session_was_asked_is_asked_again() {
    let mut window = open_view(rooms::class(), View::Bang);
    window.run();
    window.state_mut().watches.clear();
    window.state_mut().is_session_full = true;
    show(&mut window, View::Room);
    window.run();
    window.state_mut().is_session_full = false;
    assert_eq!(watches(&mut window), Some(true));
    window.run();
    assert_eq!(watches(&mut window), None, "it is asked once");
}

#[test]
fn machines_are_found_and_restarted_and_forgotten_after_a_question() {
    let mut window = tall_class();
    press(&mut window, "Machine lab-9");
    let command = |command| [Action::Command { clients: vec![ClientId(9)], command }];
    assert_eq!(press(&mut window, "Identify"), command(Command::Identify));
    assert_eq!(press(&mut window, "Restart output"), command(Command::RestartOutput));
    window.key_press_modifiers(Modifiers::COMMAND, Key::I);
    assert_eq!(actions(&mut window), command(Command::Identify));

    window.key_press(Key::Delete);
    assert_eq!(actions(&mut window), []);
    window.get_by_label("Forget lab-9?");
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), [], "it gives up the question, and stops nothing");
    assert!(window.query_by_label("Forget lab-9?").is_none());
    assert_eq!(press(&mut window, "Forget…"), []);
    assert_eq!(press(&mut window, "Forget"), [Action::Forget(vec![MachineNumber(109)])]);
    assert!(window.query_by_label("Forget lab-9?").is_none());

    // One that is away is forgotten, too, but it cannot be commanded.
    press(&mut window, "Machine lab-30");
    assert_eq!(press(&mut window, "Identify"), []);
    press(&mut window, "Forget…");
    assert_eq!(press(&mut window, "Forget"), [Action::Forget(vec![MachineNumber(40)])]);
}

#[test]
fn nobody_gives_up_the_room_by_accident() {
    let mut window = class();
    press(&mut window, "Sort by seat");
    press(&mut window, "Machine lab-7");
    assert_eq!(press(&mut window, "Player"), []);
    window.get_by_label("Give up running the room?");
    assert_eq!(press(&mut window, "Cancel"), []);
    assert_eq!(press(&mut window, "Player"), []);
    let given_up = press(&mut window, "Give up");
    assert_eq!(given_up, [assign(7, |request| request.rights = Some(Rights::Player))]);
}

#[test]
fn a_selected_machine_stays_selected_while_it_reconnects() {
    let mut window = class();
    press(&mut window, "Machine lab-4");
    let mut back = rooms::machine(300, "lab-4");
    back.machine = Some(MachineNumber(104));
    let change = MachinesChange {
        clients: vec![back],
        left: vec![ClientId(4)],
        ..MachinesChange::default()
    };
    window.state_mut().state.apply(SessionEvent::Machines(change), scenes::NOW);
    window.run();
    let renamed = enter(&mut window, "Name of lab-4", "harp", Key::Enter);
    assert_eq!(renamed, [assign(300, |request| request.name = Some("harp".to_owned()))]);
}

#[test]
fn the_room_is_locked_and_unlocked() {
    let mut window = class();
    assert_eq!(press(&mut window, "Only conductors bang"), [Action::Lock(true)]);
    assert!(window.state().state.locked);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    assert_eq!(actions(&mut window), [Action::Lock(false)]);
}

#[test]
fn others_see_the_list_and_can_change_nothing() {
    let mut state = scenes::instrument();
    rooms::with_rights(&mut state, Rights::Player);
    let mut window = open_view(state, View::Room);
    window.get_by_label("41 here");
    window.get_by_label("lab-3  you");
    window.get_by_label("window · starts late");
    window.get_by_label("and 34 more");
    assert!(window.query_by_label("Only conductors bang").is_none());
    for key in [Key::K, Key::A, Key::I] {
        window.key_press_modifiers(Modifiers::COMMAND, key);
    }
    assert_eq!(actions(&mut window), []);
    assert!(window.state().watches.is_empty(), "the relay would refuse it");
}

#[test]
fn in_one_column_the_panel_is_opened_by_the_bar() {
    let mut window = open_sized(rooms::class(), MIN_SIZE, 1.0);
    show(&mut window, View::Room);
    press(&mut window, "Machine lab-4");
    assert!(window.query_by_label("Name of lab-4").is_none());
    press(&mut window, "Open the panel");
    window.get_by_label("Name of lab-4");
    assert!(window.query_by_label("Machine lab-17").is_none());
    press(&mut window, "Close the panel");
    window.get_by_label("Machine lab-17");
    press(&mut window, "Order");
    press(&mut window, "By seat");
    assert_eq!(listed(&window)[0], "lab-1");
}

#[test]
fn machines_out_of_sight_are_not_drawn() {
    for size in [MIN_SIZE, FIRST_SIZE, Vec2::new(1600.0, 1000.0)] {
        let drawn = |count: u32| {
            let mut window = open_sized(rooms::crowd(count), size, 1.0);
            show(&mut window, View::Room);
            window.get_by_role_and_label(Role::RadioButton, "List").click();
            window.run();
            let machines = window.query_all_by_role(Role::ListBoxOption).count();
            (machines, window.output().shapes.len())
        };
        // The same ones are in trouble in both.
        let (hundred, thousand) = (drawn(500), drawn(1000));
        assert_eq!(hundred, thousand, "at {size:?}");
        assert!(thousand.0 < 40, "{} rows at {size:?}", thousand.0);
    }
}

/// Whether the relay was asked to tell about the room, lastly.
fn watches(window: &mut Harness<'static, Window>) -> Option<bool> {
    window.run();
    window.state_mut().watches.pop()
}

#[test]
fn the_room_is_watched_while_it_is_shown() {
    let mut window = open_view(rooms::class(), View::Bang);
    assert_eq!(watches(&mut window), Some(false));
    assert_eq!(window.state().watches, [true], "the view Play shows receipts");
    window.state_mut().watches.clear();
    show(&mut window, View::Room);
    assert_eq!(watches(&mut window), Some(true));
    show(&mut window, View::Settings);
    assert_eq!(watches(&mut window), Some(false));
    assert!(window.state().state.room.is_none());
    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    assert_eq!(watches(&mut window), Some(true), "the links are a part of the room");
    window.key_press(Key::Escape);
    assert_eq!(watches(&mut window), Some(false));
    let upload = rooms::uploading().uploads;
    window.state_mut().state.uploads = upload;
    assert_eq!(watches(&mut window), Some(true), "on how many machines it is ready");
    rooms::with_rights(&mut window.state_mut().state, Rights::Player);
    assert_eq!(watches(&mut window), Some(false));
}

#[test]
fn the_room_is_asked_for_again_after_the_connection_was_lost() {
    let mut window = open_view(rooms::class(), View::Room);
    window.state_mut().watches.clear();
    scenes::lose(&mut window.state_mut().state);
    assert_eq!(watches(&mut window), Some(false));
    let connected: fn(&mut State) = scenes::connect;
    connected(&mut window.state_mut().state);
    assert_eq!(watches(&mut window), Some(true));
}
