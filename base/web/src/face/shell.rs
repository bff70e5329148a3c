//! What every page is given: who asks, where they are, and what surrounds the page's own content.

use std::sync::Arc;

use http::HeaderMap;
use kernel::Timestamp;

use super::{Html, assets, escape};

/// What of a path must be encoded to stand in a query.
const IN_QUERY: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');

/// What is the same for all pages of one instance: its name and its navigation. Rooms add their places;
/// the program builds it once at start-up.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name of the instance, in the bar and in every title.
    pub name: String,
    /// Whether a banner says that the data is for trying out.
    pub demo: bool,
    /// What stands in the empty search box.
    pub search_hint: String,
    /// Where the search box sends its `q`.
    pub search: &'static str,
    /// Where to sign in.
    pub sign_in: &'static str,
    /// Where to sign up; `None` where only the operator adds accounts.
    pub sign_up: Option<&'static str>,
    /// Where the sign-out button posts to.
    pub sign_out: &'static str,
    /// Places of the top bar.
    pub public: Vec<Place>,
    /// Places of the console's side bar, by group.
    pub console: Vec<(&'static str, Vec<Place>)>,
    /// Places of the foot of every page.
    pub foot: Vec<Place>,
}

impl Site {
    /// The groups of the console, in their order.
    pub const GROUPS: [&str; 4] = ["Build", "Sell", "Account", "Operate"];

    /// A site with no places yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            demo: false,
            search_hint: "Search".to_owned(),
            search: "/search",
            sign_in: "/login",
            sign_up: Some("/signup"),
            sign_out: "/logout",
            public: Vec::new(),
            console: Self::GROUPS.iter().map(|group| (*group, Vec::new())).collect(),
            foot: Vec::new(),
        }
    }

    /// Adds a place to the top bar.
    #[must_use]
    pub fn with_public(mut self, place: Place) -> Self {
        self.public.push(place);
        self
    }

    /// Adds a place to a group of the console, see [`Site::GROUPS`].
    #[must_use]
    pub fn with_console(mut self, group: &'static str, place: Place) -> Self {
        match self.console.iter_mut().find(|(name, _)| *name == group) {
            Some((_, places)) => places.push(place),
            None => self.console.push((group, vec![place])),
        }
        self
    }

    /// Adds a place to the foot of every page.
    #[must_use]
    pub fn with_foot(mut self, place: Place) -> Self {
        self.foot.push(place);
        self
    }
}

/// Who may see a place of the navigation. What a person may *do* there, the place itself decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    All,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever has one of these roles.
    Roles(&'static [&'static str]),
}

/// One entry of the navigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What a page names as its place, and counts are told by: `tokens`.
    pub key: &'static str,
    /// The words.
    pub label: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// An icon of the sprite.
    pub icon: &'static str,
    /// Who sees it.
    pub audience: Audience,
    /// The letter that leads there after `g`.
    pub shortcut: Option<char>,
    /// Whether the account menu of the top bar has it too.
    pub in_menu: bool,
}

impl Place {
    /// A place that everybody sees.
    #[must_use]
    pub const fn new(key: &'static str, label: &'static str, href: &'static str, icon: &'static str) -> Self {
        Self { key, label, href, icon, audience: Audience::All, shortcut: None, in_menu: false }
    }

    /// The same place for those who may see it.
    #[must_use]
    pub const fn for_audience(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    /// The same place with a letter that leads there after `g`.
    #[must_use]
    pub const fn with_shortcut(mut self, letter: char) -> Self {
        self.shortcut = Some(letter);
        self
    }

    /// The same place, in the account menu too.
    #[must_use]
    pub const fn in_menu(mut self) -> Self {
        self.in_menu = true;
        self
    }

    /// The attribute that the page script finds the shortcut by.
    #[must_use]
    pub fn go(&self) -> Html {
        Html::trusted(
            self.shortcut
                .map_or_else(String::new, |letter| format!(r#" data-go="{}""#, escape(&letter.to_string()))),
        )
    }
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The name that people see.
    pub username: String,
    /// The roles, as words: `publisher`, `admin`.
    pub roles: Vec<String>,
}

/// What a notice, a toast or a badge means; always shown with an icon or a word, never by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Good to know.
    #[default]
    Info,
    /// Done.
    Ok,
    /// Needs attention.
    Warn,
    /// Failed.
    Bad,
}

impl Kind {
    /// The class of the style sheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// The icon of the sprite.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ok => "check",
            Self::Warn | Self::Bad => "triangle-alert",
        }
    }
}

/// A message above the content: what happened, then what to do; at most one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// What it means.
    pub kind: Kind,
    /// The words, as text.
    pub text: String,
    /// The words and the address of the link.
    pub link: Option<(String, String)>,
}

/// The theme a person chose; without a choice the browser's preference counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Paper.
    Light,
    /// Ink.
    Dark,
}

impl Theme {
    /// The choice in the cookies of a request, where one was made.
    #[must_use]
    pub fn from_cookies(headers: &HeaderMap) -> Option<Self> {
        match crate::cookie(headers, "theme")? {
            "light" => Some(Self::Light),
            "dark" => Some(Self::Dark),
            _ => None,
        }
    }

    /// The value of `data-theme`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A style sheet beside the main one, for pages that need it: the main sheet stays small for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// What `parts/market.html` needs: checkout, seats, orders, wallets, events.
    Market,
    /// What `data::prose` needs: READMEs and highlighted code.
    Prose,
    /// What deployments need: logs.
    Services,
}

impl Sheet {
    /// The name of the asset, see [`assets::asset`].
    #[must_use]
    pub const fn asset(self) -> &'static str {
        match self {
            Self::Market => "css/market.css",
            Self::Prose => "css/prose.css",
            Self::Services => "css/services.css",
        }
    }
}

/// One step of the breadcrumb; the last has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crumb {
    /// The words.
    pub label: String,
    /// Where it leads.
    pub href: Option<String>,
}

/// What every page is given. Handlers receive it filled with who asks and say what page it is:
/// `shell.page("API tokens - Account", "tokens")`.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The instance.
    pub site: Arc<Site>,
    /// "Thing - Section"; the name of the instance is added.
    pub title: String,
    /// One sentence for search engines and link previews.
    pub description: String,
    /// The path of this page without its query, for the canonical link and for coming back after sign-in.
    pub path: String,
    /// The key of the [`Place`] that this page belongs to.
    pub here: &'static str,
    /// The way down to this page in the console.
    pub crumbs: Vec<Crumb>,
    /// Who is signed in, if anybody.
    pub account: Option<SignedIn>,
    /// A message of the action before this page.
    pub flash: Option<Notice>,
    /// The chosen theme.
    pub theme: Option<Theme>,
    /// What the person looked for, to stand in the search box.
    pub query: String,
    /// What the person calls us with when something went wrong.
    pub request_id: String,
    /// Counts beside places of the navigation, by their key.
    pub counts: Vec<(&'static str, u64)>,
    /// The style sheets that the page loads beside the main one.
    pub sheets: Vec<Sheet>,
    /// When the page is drawn.
    pub now: Timestamp,
}

impl Shell {
    /// A shell for `path` with nobody signed in.
    #[must_use]
    pub fn new(site: Arc<Site>, path: impl Into<String>, now: Timestamp) -> Self {
        Self {
            site,
            title: String::new(),
            description: String::new(),
            path: path.into(),
            here: "",
            crumbs: Vec::new(),
            account: None,
            flash: None,
            theme: None,
            query: String::new(),
            request_id: String::new(),
            counts: Vec::new(),
            sheets: Vec::new(),
            now,
        }
    }

    /// Says which page this is: "Thing - Section", and the key of its [`Place`].
    #[must_use]
    pub fn page(mut self, title: impl Into<String>, here: &'static str) -> Self {
        self.title = title.into();
        self.here = here;
        self
    }

    /// Says in one sentence what the page is about.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Makes the page load `sheet` too; asking twice loads it once.
    #[must_use]
    pub fn with_sheet(mut self, sheet: Sheet) -> Self {
        if !self.sheets.contains(&sheet) {
            self.sheets.push(sheet);
        }
        self
    }

    /// Adds a step to the breadcrumb; an empty `href` for the page itself.
    #[must_use]
    pub fn crumb(mut self, label: impl Into<String>, href: &str) -> Self {
        let href = (!href.is_empty()).then(|| href.to_owned());
        self.crumbs.push(Crumb { label: label.into(), href });
        self
    }

    /// "Thing - Section - Instance".
    #[must_use]
    pub fn full_title(&self) -> String {
        if self.title.is_empty() {
            self.site.name.clone()
        } else {
            format!("{} - {}", self.title, self.site.name)
        }
    }

    /// The address of an asset, see [`assets::asset`].
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        assets::asset(name)
    }

    /// Whether the page is for one person only.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.account.is_some() || self.flash.is_some()
    }

    /// Whether `place` may be seen by who asks.
    #[must_use]
    pub fn sees(&self, place: &Place) -> bool {
        match (place.audience, &self.account) {
            (Audience::All, _) | (Audience::SignedIn, Some(_)) => true,
            (Audience::Roles(roles), Some(account)) => {
                account.roles.iter().any(|role| roles.contains(&role.as_str()))
            }
            (_, None) => false,
        }
    }

    /// The places of the top bar for who asks.
    #[must_use]
    pub fn public_places(&self) -> Vec<&Place> {
        self.site.public.iter().filter(|place| self.sees(place)).collect()
    }

    /// The groups of the console with at least one place for who asks.
    #[must_use]
    pub fn console_groups(&self) -> Vec<(&'static str, Vec<&Place>)> {
        self.site
            .console
            .iter()
            .map(|(group, places)| {
                (*group, places.iter().filter(|place| self.sees(place)).collect::<Vec<_>>())
            })
            .filter(|(_, places)| !places.is_empty())
            .collect()
    }

    /// The places of the account menu for who asks.
    #[must_use]
    pub fn menu_places(&self) -> Vec<&Place> {
        self.site
            .console
            .iter()
            .flat_map(|(_, places)| places)
            .filter(|p| p.in_menu && self.sees(p))
            .collect()
    }

    /// The attribute that marks the link to where we are.
    #[must_use]
    pub fn current(&self, place: &Place) -> Html {
        Html::trusted(if place.key == self.here {
            r#" aria-current="page""#.to_owned()
        } else {
            String::new()
        })
    }

    /// The count beside a place, empty where none is known.
    #[must_use]
    pub fn count(&self, place: &Place) -> String {
        let found = self.counts.iter().find(|(key, _)| *key == place.key);
        found.map_or_else(String::new, |(_, n)| super::text::count(*n))
    }

    /// Where to sign in so that one comes back to this page.
    #[must_use]
    pub fn sign_in_href(&self) -> String {
        let from_elsewhere =
            self.path.len() > 1 && ![Some(self.site.sign_in), self.site.sign_up].contains(&Some(&self.path));
        if !from_elsewhere {
            return self.site.sign_in.to_owned();
        }
        self.sign_in_to(&self.path)
    }

    /// Where to sign in so that one goes on to `next`, a path of this site with its query.
    #[must_use]
    pub fn sign_in_to(&self, next: &str) -> String {
        with_next(self.site.sign_in, next)
    }

    /// Where to sign up so that one goes on to `next`; `None` where only the operator adds accounts.
    #[must_use]
    pub fn sign_up_to(&self, next: &str) -> Option<String> {
        self.site.sign_up.map(|path| with_next(path, next))
    }
}

fn with_next(path: &str, next: &str) -> String {
    if matches!(next, "" | "/") {
        return path.to_owned();
    }
    format!("{path}?next={}", percent_encoding::utf8_percent_encode(next, IN_QUERY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(path: &str) -> Shell {
        let operator = Place::new("users", "Users", "/operator/users", "users")
            .for_audience(Audience::Roles(&["admin"]))
            .in_menu();
        let tokens = Place::new("tokens", "API tokens", "/account/tokens", "key-round")
            .for_audience(Audience::SignedIn)
            .in_menu();
        let site = Site::new("Fondaco").with_console("Account", tokens).with_console("Operate", operator);
        Shell::new(Arc::new(site), path, Timestamp::from_secs(0))
    }

    #[test]
    fn places_are_shown_to_those_who_may_see_them() {
        let mut shell = shell("/");
        assert!(shell.console_groups().is_empty());
        shell.account = Some(SignedIn { username: "mira".into(), roles: vec!["publisher".into()] });
        assert_eq!(shell.menu_places().len(), 1);
        shell.account = Some(SignedIn { username: "root".into(), roles: vec!["admin".into()] });
        let groups: Vec<_> = shell.console_groups().into_iter().map(|(group, _)| group).collect();
        assert_eq!(groups, ["Account", "Operate"]);
    }

    #[test]
    fn sign_in_comes_back_and_encodes_the_path() {
        assert_eq!(shell("/").sign_in_href(), "/login");
        assert_eq!(shell("/login").sign_in_href(), "/login");
        assert_eq!(shell("/a/@x&y").sign_in_href(), "/login?next=/a/%40x%26y");
        assert_eq!(shell("/b").sign_in_to("/a?b=c"), "/login?next=/a%3Fb%3Dc");
        assert_eq!(shell("/b").sign_up_to("/a").as_deref(), Some("/signup?next=/a"));
        assert_eq!(shell("/b").sign_up_to("/").as_deref(), Some("/signup"));
    }

    #[test]
    fn the_theme_is_read_from_the_cookie_and_nothing_else() {
        let theme = |cookies: &'static str| {
            let cookies = (http::header::COOKIE, http::HeaderValue::from_static(cookies));
            Theme::from_cookies(&HeaderMap::from_iter([cookies]))
        };
        assert_eq!(theme("a=b; theme=dark"), Some(Theme::Dark));
        assert_eq!(theme("theme=\"><script>"), None);
    }
}
