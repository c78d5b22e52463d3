//! The choice of a link: what its holders may do, and at which address of the relay.

use std::net::Ipv6Addr;

use downbeat_protocol::{JoinLink, Joining, Rights};
use egui::{Align2, Id, Ui};
use url::{Host, Url};

use crate::ui::{
    theme::{self, GRID, size},
    widgets,
};

/// The chosen link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    rights: Rights,
    /// The address; none is the first one.
    address: Option<String>,
}

impl Default for Chosen {
    fn default() -> Self {
        Self { rights: Rights::Player, address: None }
    }
}

impl Chosen {
    /// The link that fits best. There is at least one.
    pub(super) fn link<'a>(&self, joining: &'a Joining) -> &'a JoinLink {
        let fits = |link: &&JoinLink| link.rights == self.rights;
        let at = |link: &&JoinLink| self.address.as_deref() == Some(address(&link.url).as_str());
        let links = || joining.links.iter();
        let exact = links().filter(fits).find(at);
        let likely = links().filter(fits).find(|link| !is_local(&link.url));
        exact.or(likely).or_else(|| links().find(fits)).unwrap_or(&joining.links[0])
    }

    /// Shows the choice. Returns whether another link was chosen.
    pub(super) fn show(&mut self, ui: &mut Ui, joining: &Joining) -> bool {
        let before = self.clone();
        let color = theme::palette(ui);
        let all: Vec<Rights> = [Rights::Listener, Rights::Player, Rights::Conductor]
            .into_iter()
            .filter(|rights| joining.links.iter().any(|link| link.rights == *rights))
            .collect();
        let link = self.link(joining);
        let current = all.iter().position(|rights| *rights == link.rights);
        let texts: Vec<&str> = all.iter().map(|rights| name(*rights)).collect();
        let row = widgets::strip(ui, 2.0 * GRID);
        widgets::caption(ui, row, Align2::LEFT_CENTER, "WHO JOINS BY THIS LINK");
        let row = widgets::strip(ui, theme::SMALL_CONTROL);
        if let Some(index) = widgets::segments(ui, row, Id::unique("link rights"), &texts, current)
        {
            self.rights = all[index];
        }
        let shade = if link.rights == Rights::Conductor { color.warn } else { color.muted };
        let row = widgets::strip(ui, 2.5 * GRID);
        let runs = [(meaning(link.rights), theme::regular(size::SMALL), shade)];
        widgets::line(ui, row, Align2::LEFT_CENTER, &runs);

        let same = joining.links.iter().filter(|other| other.rights == link.rights);
        let addresses: Vec<String> = same.map(|link| address(&link.url)).collect();
        let texts: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let row = widgets::strip(ui, 2.0 * GRID);
        widgets::caption(ui, row, Align2::LEFT_CENTER, "ADDRESS");
        let row = widgets::strip(ui, theme::SMALL_CONTROL);
        let current = address(&link.url);
        let chosen = addresses.iter().position(|one| *one == current);
        let id = Id::unique("link address");
        let response = widgets::opener(ui, row, id, "Address of the link", &current);
        if let Some(index) = widgets::menu(&response, "Addresses", &texts, chosen) {
            self.address = Some(addresses[index].clone());
        }
        *self != before
    }
}

fn name(rights: Rights) -> &'static str {
    match rights {
        Rights::Listener => "Listeners",
        Rights::Player => "Players",
        Rights::Conductor => "Conductors",
    }
}

fn meaning(rights: Rights) -> &'static str {
    match rights {
        Rights::Listener => "They sound with the others, and do not bang.",
        Rights::Player => "They sound, bang, and set what is open.",
        Rights::Conductor => "They change everything: show it to nobody else.",
    }
}

/// The address of a link, without what is secret in it.
pub(super) fn address(url: &str) -> String {
    let end = url.find('#').unwrap_or(url.len());
    url[..end].trim_end_matches('/').to_owned()
}

/// Whether a link leads to an address that most devices cannot reach.
fn is_local(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return true };
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        Some(Host::Ipv6(address)) => {
            address == Ipv6Addr::LOCALHOST || address.is_unicast_link_local()
        }
        Some(Host::Domain(name)) => name == "localhost",
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joining() -> Joining {
        let link = |rights, url: &str| JoinLink { rights, url: url.to_owned() };
        Joining {
            code: None,
            links: vec![
                link(Rights::Player, "http://127.0.0.1:3000/#token=p"),
                link(Rights::Player, "http://192.168.1.5:3000/#token=p"),
                link(Rights::Player, "http://[fd00::5]:3000/#token=p"),
                link(Rights::Conductor, "http://192.168.1.5:3000/#token=c"),
                link(Rights::Conductor, "http://[fd00::5]:3000/#token=c"),
            ],
        }
    }

    #[test]
    fn the_usual_link_is_for_players_at_an_address_that_others_reach() {
        let joining = joining();
        assert_eq!(Chosen::default().link(&joining).url, "http://192.168.1.5:3000/#token=p");
        let conductor =
            Chosen { rights: Rights::Conductor, address: Some("http://[fd00::5]:3000".to_owned()) };
        assert_eq!(conductor.link(&joining).url, "http://[fd00::5]:3000/#token=c");
        let listener = Chosen { rights: Rights::Listener, address: None };
        assert_eq!(listener.link(&joining).rights, Rights::Player, "there is none for listeners");
    }

    #[test]
    fn a_shown_address_has_no_token() {
        assert_eq!(
            address("https://10.0.0.1:3000/#token=t&fingerprint=f"),
            "https://10.0.0.1:3000"
        );
        assert_eq!(address("http://10.0.0.1/"), "http://10.0.0.1");
    }
}
