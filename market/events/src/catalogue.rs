//! Every type of event there is, registered by the rooms that emit them.

/// One type, as docs and webhook forms show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// `package.published`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
}

/// All types of the program, in no order.
#[allow(unsafe_code)]
#[linkme::distributed_slice]
pub static CATALOGUE: [EventType];

/// Registers types: `events::catalogue! { PackagePublished = "A new version was published."; }`.
#[macro_export]
macro_rules! catalogue {
    ($($event:ty = $summary:literal;)+) => {$(
        // Registering places the static in a link section of its own; linkme argues why that is sound.
        #[allow(unsafe_code)]
        const _: () = {
            #[$crate::__linkme::distributed_slice($crate::CATALOGUE)]
            #[linkme(crate = $crate::__linkme)]
            static REGISTERED: $crate::EventType = $crate::EventType {
                name: <$event as $crate::DomainEvent>::TYPE,
                summary: $summary,
            };
        };
    )+};
}

/// Whether some room emits this type.
#[must_use]
pub fn is_known(name: &str) -> bool {
    CATALOGUE.iter().any(|kind| kind.name == name)
}
