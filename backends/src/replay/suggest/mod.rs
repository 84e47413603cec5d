//! `tripline suggest`: a threshold, a window and a confidence from a recording of a service that was well.
//!
//! **Method.** The recording is read two to four times.
//!
//! 1. *Segments.* The calls are cut into segments of equal size (256 at the 95th percentile: so many that about twelve lie above
//!    it), and the percentile of each is taken. So a slow hour, a pause or a cold start is seen, which a quantile of
//!    everything drowns. Three or more segments in a row above three times the typical (the median) percentile are taken
//!    to be an *incident*: they do not count for the threshold, and a trip inside one is no false trip. Fewer are a hiccup, and
//!    the proposal is to ride them out.
//! 2. *Window.* Two seconds of calls at the usual rate, as a power of two from 32 to 1,024, and without evidence never so
//!    small that one slow call is the percentile.
//! 3. *Threshold.* Candidates begin at the percentile of the worst segment that is part of no incident, rounded up to two digits, and
//!    each is a quarter above the one before. All of them are replayed through the very breaker that production runs,
//!    stalls included. The proposal is the lowest one without a false trip of which the next lower one has none either:
//!    so the service may get slower by a quarter without a false trip. Where none of the first four will do, higher ones
//!    are tried, and the lower ones with more confidence (0.999); of these the one that finds hanging calls
//!    soonest is taken.
//! 4. *The other side.* Faults are put into recorded calls (the last 32,768 outside of incidents) at eight places, and replayed:
//!    how soon would it have tripped?
//!
//! A recording says nothing of days that it does not hold: record at least one whole cycle of the load.
//!
//! Memory in use does not grow with the recording; that of the replays is the records of as long a segment of time as the
//! longest call, for each candidate.

mod candidate;
mod diagnostics;
mod fault_injection;
mod groups;
mod json;
mod profile;
mod proposed_keys;
mod search;
mod segments;
mod suggestion;
mod text;

pub use candidate::Cost;
pub use fault_injection::{Delay, Fault};
pub use groups::{Groups, groups};
pub use search::suggest;
pub use segments::Incident;
pub use suggestion::{Proposal, ProposedKey, Recording, Side, SuggestOptions, Suggestion};
#[cfg(feature = "cli")]
pub(crate) use text::RECOMMENDED;
