//! Every code that a [`Problem`](crate::Problem) can have, registered where it is made, so that
//! `/docs/problems/<code>` can tell more than fits into an answer.

/// One code, as its page explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// `registry.version_exists`.
    pub code: &'static str,
    /// What it means, in a sentence or two.
    pub means: &'static str,
    /// What is safe: whether anything was done.
    pub safe: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// All codes of the program, in no order.
#[allow(unsafe_code)]
#[linkme::distributed_slice]
pub static PROBLEMS: [ProblemKind];

/// Registers codes: what each means, what is safe, what to do next. `cargo xtask tidy` finds codes that are missing.
///
/// ```
/// kernel::problems! {
///     "docs.example_taken": "Somebody has this example already.", "Nothing was changed.", "Choose another.";
/// }
/// # assert!(kernel::PROBLEMS.iter().any(|problem| problem.code == "docs.example_taken"));
/// ```
#[macro_export]
macro_rules! problems {
    ($($code:literal: $means:literal, $safe:literal, $next:literal;)+) => {$(
        // Registering places the static in a link section of its own; linkme argues why that is sound.
        #[allow(unsafe_code)]
        const _: () = {
            #[$crate::__linkme::distributed_slice($crate::PROBLEMS)]
            #[linkme(crate = $crate::__linkme)]
            static REGISTERED: $crate::ProblemKind =
                $crate::ProblemKind { code: $code, means: $means, safe: $safe, next: $next };
        };
    )+};
}
