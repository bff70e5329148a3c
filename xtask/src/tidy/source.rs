//! What the rules ask of Rust source: is it a test, and which items does it declare?

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Meta};

/// Whether a whole file is test code by where it stands.
pub(super) fn is_test_file(path: &str) -> bool {
    path.starts_with("stories/")
        || path.split('/').any(|part| part == "tests" || part == "benches")
        || path.ends_with("/tests.rs")
}

/// Whether an item is marked `#[cfg(test)]`, `#[test]` or with another attribute that ends in `test`.
fn is_test_item(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        meta => meta.path().segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name == "test" || name.ends_with("_test") || name == "proptest"
        }),
    })
}

/// A named thing that source declares.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// First line, counted from 1, without comments and attributes.
    pub(super) line: usize,
    /// Lines from the signature to the closing brace.
    pub(super) lines: usize,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Kind {
    Function,
    Module,
    Type,
}

/// Everything that the source declares outside test code; nothing if it does not parse, which the
/// compiler reports.
pub(super) fn declarations(text: &str) -> Vec<Declared> {
    let mut found = Declarations::default();
    if let Ok(file) = syn::parse_file(text) {
        found.visit_file(&file);
    }
    found.0
}

#[derive(Default)]
struct Declarations(Vec<Declared>);

impl Declarations {
    fn add(&mut self, kind: Kind, name: &syn::Ident, first: proc_macro2::Span, whole: proc_macro2::Span) {
        let line = first.start().line;
        let lines = whole.end().line + 1 - line;
        self.0.push(Declared { kind, name: name.to_string(), line, lines });
    }
}

impl<'ast> Visit<'ast> for Declarations {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (attributes, kind, name) = match item {
            syn::Item::Mod(item) => (&item.attrs, Kind::Module, &item.ident),
            syn::Item::Struct(item) => (&item.attrs, Kind::Type, &item.ident),
            syn::Item::Enum(item) => (&item.attrs, Kind::Type, &item.ident),
            syn::Item::Union(item) => (&item.attrs, Kind::Type, &item.ident),
            syn::Item::Trait(item) => (&item.attrs, Kind::Type, &item.ident),
            syn::Item::Type(item) => (&item.attrs, Kind::Type, &item.ident),
            syn::Item::Fn(item) => (&item.attrs, Kind::Function, &item.sig.ident),
            _ => return visit::visit_item(self, item),
        };
        if is_test_item(attributes) {
            return;
        }
        let first = if let syn::Item::Fn(function) = item { function.sig.span() } else { name.span() };
        self.add(kind, name, first, item.span());
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(Kind::Function, &function.sig.ident, function.sig.span(), function.span());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.add(Kind::Function, &function.sig.ident, function.sig.span(), function.span());
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_have_their_kind_name_and_length() {
        let text = "/// Doc.\n#[must_use]\npub fn hold(\n    a: u8,\n) -> u8 {\n    a\n}\nstruct Order;\nmod pay {}\n";
        let found = declarations(text);
        let declared = |kind, name: &str, line, lines| Declared { kind, name: name.into(), line, lines };
        assert_eq!(
            found,
            [
                declared(Kind::Function, "hold", 3, 5),
                declared(Kind::Type, "Order", 8, 1),
                declared(Kind::Module, "pay", 9, 1)
            ]
        );
    }

    #[test]
    fn methods_count_and_tests_do_not() {
        let text = "impl A { fn a(&self) {} }\ntrait B { fn b(&self) {} }\n#[cfg(test)] mod tests { fn c() {} }\n\
                    #[tokio::test] async fn d() {}\n#[test] fn e() {}";
        let names: Vec<_> = declarations(text).into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["a", "B", "b"]);
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        assert!(is_test_file("market/registry/tests/publish.rs"));
        assert!(is_test_file("base/store/src/writer/tests.rs"));
        assert!(is_test_file("stories/src/browser.rs"));
        assert!(!is_test_file("market/registry/src/publish.rs"));
    }
}
